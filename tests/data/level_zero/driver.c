/* A driver of Level Zero with one GPU that is none: memory is the host's, copies are made at once,
 * and a kernel writes its own argument count to the first buffer that it is given. What is made and
 * not destroyed, and memory that is not freed, is told on standard error when the process ends.
 *
 * For tests of what is asked of a driver, through the real loader and its validation layer
 * (ZE_ENABLE_ALT_DRIVERS names this library). Structures and tables are those of the loader's headers. */
#include <level_zero/ze_api.h>
#include <level_zero/ze_ddi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK ZE_RESULT_SUCCESS
#define BAD ZE_RESULT_ERROR_INVALID_ARGUMENT
#define MOST_ARGUMENTS 32

enum { CONTEXT, LIST, POOL, EVENT, MODULE, KERNEL, LOG, MEMORY, KINDS };
static const char *names[KINDS] = {"context", "command list", "event pool", "event",
                                   "module",  "kernel",       "build log",  "memory"};
static int alive[KINDS];

typedef struct { int kind; int signaled; uint32_t arguments; void *first; } object_t;
static object_t driver_object, device_object;

static ze_result_t make(int kind, void *out) {
  object_t *made = calloc(1, sizeof *made);
  made->kind = kind;
  alive[kind]++;
  *(object_t **)out = made;
  return OK;
}
static ze_result_t drop(int kind, void *handle) {
  object_t *object = handle;
  if (object->kind != kind) return BAD;
  object->kind = -1; /* kept: a later use is found out */
  alive[kind]--;
  return OK;
}
__attribute__((destructor)) static void tell(void) {
  for (int kind = 0; kind < KINDS; kind++)
    if (alive[kind]) fprintf(stderr, "left: %d of %s\n", alive[kind], names[kind]);
}

static ze_result_t one(void *thing, uint32_t *count, void **out) {
  if (out && *count) out[0] = thing;
  *count = 1;
  return OK;
}
static ze_result_t init(ze_init_flags_t flags) { return OK; }
static ze_result_t driver_get(uint32_t *count, ze_driver_handle_t *out) {
  return one(&driver_object, count, (void **)out);
}
static ze_result_t device_get(ze_driver_handle_t driver, uint32_t *count, ze_device_handle_t *out) {
  return one(&device_object, count, (void **)out);
}
static ze_result_t device_properties(ze_device_handle_t device, ze_device_properties_t *about) {
  if (about->stype != ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES) return BAD;
  about->type = ZE_DEVICE_TYPE_GPU;
  about->timerResolution = 50;
  about->kernelTimestampValidBits = 32;
  strcpy(about->name, "Played GPU");
  return OK;
}
static ze_result_t compute_properties(ze_device_handle_t device,
                                      ze_device_compute_properties_t *about) {
  if (about->stype != ZE_STRUCTURE_TYPE_DEVICE_COMPUTE_PROPERTIES) return BAD;
  about->maxTotalGroupSize = 1024;
  about->maxSharedLocalMemory = 1 << 17;
  return OK;
}

static ze_result_t context_create(ze_driver_handle_t d, const ze_context_desc_t *desc,
                                  ze_context_handle_t *out) {
  return desc->stype == ZE_STRUCTURE_TYPE_CONTEXT_DESC ? make(CONTEXT, out) : BAD;
}
static ze_result_t context_destroy(ze_context_handle_t h) { return drop(CONTEXT, h); }

static ze_result_t memory_make(ze_context_handle_t c, const ze_device_mem_alloc_desc_t *desc,
                               size_t size, size_t alignment, ze_device_handle_t d, void **out) {
  if (desc->stype != ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC || posix_memalign(out, alignment, size))
    return BAD;
  alive[MEMORY]++;
  return OK;
}
static ze_result_t memory_free(ze_context_handle_t c, void *at) {
  free(at);
  alive[MEMORY]--;
  return OK;
}

static ze_result_t module_create(ze_context_handle_t c, ze_device_handle_t d,
                                 const ze_module_desc_t *desc, ze_module_handle_t *out,
                                 ze_module_build_log_handle_t *log) {
  if (log) make(LOG, log);
  if (desc->stype != ZE_STRUCTURE_TYPE_MODULE_DESC || desc->format != ZE_MODULE_FORMAT_IL_SPIRV)
    return BAD;
  uint32_t magic = 0;
  if (desc->inputSize > 4) memcpy(&magic, desc->pInputModule, 4);
  return magic == 0x07230203 ? make(MODULE, out) : ZE_RESULT_ERROR_MODULE_BUILD_FAILURE;
}
static ze_result_t module_destroy(ze_module_handle_t h) { return drop(MODULE, h); }
static ze_result_t log_text(ze_module_build_log_handle_t h, size_t *size, char *out) {
  static const char text[] = "error: no such instruction";
  if (out) memcpy(out, text, sizeof text);
  *size = sizeof text;
  return OK;
}
static ze_result_t log_destroy(ze_module_build_log_handle_t h) { return drop(LOG, h); }

static ze_result_t kernel_create(ze_module_handle_t m, const ze_kernel_desc_t *desc,
                                 ze_kernel_handle_t *out) {
  if (desc->stype != ZE_STRUCTURE_TYPE_KERNEL_DESC) return BAD;
  return desc->pKernelName[0] ? make(KERNEL, out) : ZE_RESULT_ERROR_INVALID_KERNEL_NAME;
}
static ze_result_t kernel_destroy(ze_kernel_handle_t h) { return drop(KERNEL, h); }
static ze_result_t kernel_group(ze_kernel_handle_t h, uint32_t x, uint32_t y, uint32_t z) {
  return x * y * z <= 1024 ? OK : ZE_RESULT_ERROR_INVALID_GROUP_SIZE_DIMENSION;
}
static ze_result_t kernel_argument(ze_kernel_handle_t h, uint32_t at, size_t size, const void *value) {
  object_t *kernel = (object_t *)h;
  if (at >= MOST_ARGUMENTS) return ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_INDEX;
  if (at == 0 && size == sizeof(void *)) memcpy(&kernel->first, value, size);
  kernel->arguments |= 1u << at;
  return OK;
}

static ze_result_t list_create(ze_context_handle_t c, ze_device_handle_t d,
                               const ze_command_queue_desc_t *desc, ze_command_list_handle_t *out) {
  return desc->stype == ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC ? make(LIST, out) : BAD;
}
static ze_result_t list_destroy(ze_command_list_handle_t h) { return drop(LIST, h); }
static void signal_event(ze_event_handle_t h) {
  if (h) ((object_t *)h)->signaled = 1;
}
static ze_result_t list_launch(ze_command_list_handle_t l, ze_kernel_handle_t h,
                               const ze_group_count_t *groups, ze_event_handle_t event,
                               uint32_t waits, ze_event_handle_t *wait) {
  object_t *kernel = (object_t *)h;
  if (kernel->kind != KERNEL || !groups->groupCountX) return BAD;
  if (kernel->first) *(float *)kernel->first = (float)__builtin_popcount(kernel->arguments);
  signal_event(event);
  return OK;
}
static ze_result_t list_copy(ze_command_list_handle_t l, void *to, const void *from, size_t size,
                             ze_event_handle_t event, uint32_t waits, ze_event_handle_t *wait) {
  memcpy(to, from, size);
  signal_event(event);
  return OK;
}
static ze_result_t list_barrier(ze_command_list_handle_t l, ze_event_handle_t event, uint32_t waits,
                                ze_event_handle_t *wait) {
  return OK;
}

static ze_result_t pool_create(ze_context_handle_t c, const ze_event_pool_desc_t *desc,
                               uint32_t devices, ze_device_handle_t *of, ze_event_pool_handle_t *out) {
  return desc->stype == ZE_STRUCTURE_TYPE_EVENT_POOL_DESC ? make(POOL, out) : BAD;
}
static ze_result_t pool_destroy(ze_event_pool_handle_t h) { return drop(POOL, h); }
static ze_result_t event_create(ze_event_pool_handle_t p, const ze_event_desc_t *desc,
                                ze_event_handle_t *out) {
  return desc->stype == ZE_STRUCTURE_TYPE_EVENT_DESC ? make(EVENT, out) : BAD;
}
static ze_result_t event_destroy(ze_event_handle_t h) { return drop(EVENT, h); }
static ze_result_t event_wait(ze_event_handle_t h, uint64_t timeout) {
  return ((object_t *)h)->signaled ? OK : ZE_RESULT_NOT_READY;
}
static ze_result_t event_reset(ze_event_handle_t h) {
  ((object_t *)h)->signaled = 0;
  return OK;
}
static ze_result_t event_times(ze_event_handle_t h, ze_kernel_timestamp_result_t *found) {
  if (!((object_t *)h)->signaled) return ZE_RESULT_NOT_READY;
  memset(found, 0, sizeof *found);
  found->global.kernelEnd = 100;
  return OK;
}

#define TABLE(name, type, ...) \
  ze_result_t name(ze_api_version_t version, type *table) { __VA_ARGS__ return OK; }
TABLE(zeGetGlobalProcAddrTable, ze_global_dditable_t, table->pfnInit = init;)
TABLE(zeGetDriverProcAddrTable, ze_driver_dditable_t, table->pfnGet = driver_get;)
TABLE(zeGetDeviceProcAddrTable, ze_device_dditable_t, table->pfnGet = device_get;
      table->pfnGetProperties = device_properties;
      table->pfnGetComputeProperties = compute_properties;)
TABLE(zeGetContextProcAddrTable, ze_context_dditable_t, table->pfnCreate = context_create;
      table->pfnDestroy = context_destroy;)
TABLE(zeGetMemProcAddrTable, ze_mem_dditable_t, table->pfnAllocDevice = memory_make;
      table->pfnFree = memory_free;)
TABLE(zeGetModuleProcAddrTable, ze_module_dditable_t, table->pfnCreate = module_create;
      table->pfnDestroy = module_destroy;)
TABLE(zeGetModuleBuildLogProcAddrTable, ze_module_build_log_dditable_t,
      table->pfnGetString = log_text; table->pfnDestroy = log_destroy;)
TABLE(zeGetKernelProcAddrTable, ze_kernel_dditable_t, table->pfnCreate = kernel_create;
      table->pfnDestroy = kernel_destroy; table->pfnSetGroupSize = kernel_group;
      table->pfnSetArgumentValue = kernel_argument;)
TABLE(zeGetCommandListProcAddrTable, ze_command_list_dditable_t,
      table->pfnCreateImmediate = list_create; table->pfnDestroy = list_destroy;
      table->pfnAppendLaunchKernel = list_launch; table->pfnAppendMemoryCopy = list_copy;
      table->pfnAppendBarrier = list_barrier;)
TABLE(zeGetEventPoolProcAddrTable, ze_event_pool_dditable_t, table->pfnCreate = pool_create;
      table->pfnDestroy = pool_destroy;)
TABLE(zeGetEventProcAddrTable, ze_event_dditable_t, table->pfnCreate = event_create;
      table->pfnDestroy = event_destroy; table->pfnHostSynchronize = event_wait;
      table->pfnHostReset = event_reset; table->pfnQueryKernelTimestamp = event_times;)

/* The loader wants a table of every kind from a driver, of functions that are not used here too. */
#define NONE(name, type) TABLE(zeGet##name##ProcAddrTable, ze_##type##_dditable_t, (void)table;)
NONE(CommandQueue, command_queue)
NONE(Fence, fence)
NONE(Image, image)
NONE(PhysicalMem, physical_mem)
NONE(Sampler, sampler)
NONE(VirtualMem, virtual_mem)
#define UNTYPED(name) ze_result_t name(ze_api_version_t version, void *table) { return OK; }
#define TOOLS(name) UNTYPED(zetGet##name##ProcAddrTable)
#define SYSTEM(name) UNTYPED(zesGet##name##ProcAddrTable)
TOOLS(CommandList) TOOLS(Context) TOOLS(Debug) TOOLS(Device) TOOLS(Kernel) TOOLS(Metric)
TOOLS(MetricGroup) TOOLS(MetricGroupExp) TOOLS(MetricQuery) TOOLS(MetricQueryPool)
TOOLS(MetricStreamer) TOOLS(Module) TOOLS(TracerExp)
SYSTEM(Device) SYSTEM(Diagnostics) SYSTEM(Driver) SYSTEM(Engine) SYSTEM(FabricPort) SYSTEM(Fan)
SYSTEM(Firmware) SYSTEM(Frequency) SYSTEM(Led) SYSTEM(Memory) SYSTEM(PerformanceFactor)
SYSTEM(Power) SYSTEM(Psu) SYSTEM(Ras) SYSTEM(Scheduler) SYSTEM(Standby) SYSTEM(Temperature)
