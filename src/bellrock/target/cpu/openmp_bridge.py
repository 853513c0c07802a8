"""Our parallel loops on GNU's OpenMP runtime, where that is the one that torch has brought.

Flows in: nothing. Flows out: an object that defines what LLVM's parallel loops call (`__kmpc_*`)
by what GNU's library has (`GOMP_*`), so that one pool of threads serves both.

Only what our pipelines emit is there: parallel regions with at most one captured argument,
loops with the static schedule, barriers. Conventions: LLVM's openmp/runtime/src/kmp.h,
kmp_sched.cpp; GCC's libgomp/libgomp_g.h.
"""

from __future__ import annotations

from functools import cache

from bellrock.target.native.code import compile_text

NEEDED = ("GOMP_parallel", "GOMP_barrier", "omp_get_thread_num", "omp_get_num_threads")
"""Functions of GNU's library that the object calls."""
_STATIC = 34
"""`kmp_sch_static`: one part of the iterations for each thread. A loop with another schedule
stops the program rather than compute a part of its iterations."""

_TEXT = f"""
declare void @GOMP_parallel(ptr, ptr, i32, i32)
declare void @GOMP_barrier()
declare i32 @omp_get_thread_num()
declare i32 @omp_get_num_threads()
declare void @llvm.trap()

define internal void @bellrock_region(ptr %region) {{
  %thread = alloca i32
  %bound = alloca i32
  %number = call i32 @omp_get_thread_num()
  store i32 %number, ptr %thread
  store i32 0, ptr %bound
  %body = load ptr, ptr %region
  %slot = getelementptr ptr, ptr %region, i64 1
  %argument = load ptr, ptr %slot
  call void %body(ptr %thread, ptr %bound, ptr %argument)
  ret void
}}

define void @__kmpc_fork_call(ptr %place, i32 %count, ptr %body, ptr %argument) {{
  %many = icmp ugt i32 %count, 1
  br i1 %many, label %refuse, label %run
refuse:
  call void @llvm.trap()
  unreachable
run:
  %region = alloca [2 x ptr]
  store ptr %body, ptr %region
  %slot = getelementptr ptr, ptr %region, i64 1
  store ptr %argument, ptr %slot
  call void @GOMP_parallel(ptr @bellrock_region, ptr %region, i32 0, i32 0)
  ret void
}}

define i32 @__kmpc_global_thread_num(ptr %place) {{
  %number = call i32 @omp_get_thread_num()
  ret i32 %number
}}

define void @__kmpc_barrier(ptr %place, i32 %thread) {{
  call void @GOMP_barrier()
  ret void
}}

define void @__kmpc_for_static_fini(ptr %place, i32 %thread) {{
  ret void
}}

define void @__kmpc_for_static_init_8u(ptr %place, i32 %thread, i32 %schedule, ptr %last,
    ptr %lower, ptr %upper, ptr %stride, i64 %step, i64 %chunk) {{
  %known = icmp eq i32 %schedule, {_STATIC}
  br i1 %known, label %share, label %refuse
refuse:
  call void @llvm.trap()
  unreachable
share:
  %threads32 = call i32 @omp_get_num_threads()
  %number32 = call i32 @omp_get_thread_num()
  %threads = zext i32 %threads32 to i64
  %number = zext i32 %number32 to i64
  %first = load i64, ptr %lower
  %end = load i64, ptr %upper
  %distance = sub i64 %end, %first
  %steps = udiv i64 %distance, %step
  %trips = add i64 %steps, 1
  %quotient = udiv i64 %trips, %threads
  %rest = urem i64 %trips, %threads
  %smaller = icmp ult i64 %number, %rest
  %extra = select i1 %smaller, i64 1, i64 0
  %mine = add i64 %quotient, %extra
  %before = select i1 %smaller, i64 %number, i64 %rest
  %whole = mul i64 %number, %quotient
  %skipped = add i64 %whole, %before
  %offset = mul i64 %skipped, %step
  %start = add i64 %first, %offset
  %span = mul i64 %mine, %step
  %behind = add i64 %start, %span
  %final = sub i64 %behind, %step
  store i64 %start, ptr %lower
  store i64 %final, ptr %upper
  store i64 %span, ptr %stride
  %reached = add i64 %skipped, %mine
  %all = icmp eq i64 %reached, %trips
  %some = icmp ne i64 %mine, 0
  %is_last = and i1 %all, %some
  %flag = zext i1 %is_last to i32
  store i32 %flag, ptr %last
  ret void
}}
"""
"""The iterations are shared as LLVM's runtime does by default (balanced). Without iterations the
upper bound is one step below the lower one, so that the number of trips is 0 modulo 2^64; an
empty part leaves bounds of that kind."""


@cache
def bridge_object() -> bytes:
    """Return the object, compiled for this processor."""
    return compile_text(_TEXT).code
