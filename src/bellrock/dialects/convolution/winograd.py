"""`transform.bellrock.lower_winograd`: a convolution by minimal filtering, as vector code.

Missing upstream: see `filter_transform`. Why by hand: docs/design/0011.

Rewrite (kernel of a function by itself, whose choice is `winograd`):
    func @k(%x, %w, %u, %out: tensor<..>) { linalg.generic (convolution), elementwise ops }
  ->
    func @k(%x, %w, %u, %out: memref<..>) {
      scf.forall blocks of tiles { transformed image of each input channel;
        for groups of output channels { for each product { sums in registers };
          transformed back; rows of results } } }

Needs: what `direct` needs, and a filter of 3 x 3 taps with strides and dilations of 1 along the
last two axes. A function that is otherwise is left to the generic path.
"""

# No postponed annotations here: the dialect reads the field types from them.
from dataclasses import dataclass

from torch_mlir import ir
from torch_mlir.dialects import ext, transform

from bellrock.dialects import vector_code as code
from bellrock.dialects.convolution.epilogue import Epilogue
from bellrock.dialects.convolution.filter_transform import KNOBS
from bellrock.dialects.convolution.operands import source_of
from bellrock.dialects.convolution.packing import Block
from bellrock.dialects.convolution.reading import ConvolutionKernel, read_kernel
from bellrock.dialects.convolution.results import Panel, Results
from bellrock.dialects.convolution.winograd_plan import Choice, Plan
from bellrock.dialects.convolution.winograd_stages import Buffers, Stages
from bellrock.dialects.extension import Bellrock, edits_in_place
from bellrock.dialects.grouping import init_index
from bellrock.dialects.replacing import lower_chosen
from bellrock.dialects.vector_code import Index


@edits_in_place(lambda op: _lower_all(op))
class LowerWinogradOp(Bellrock.Operation, name="lower_winograd"):
    """Lower the kernels of the handle's module whose choice is `winograd`."""

    target: ext.Operand[transform.AnyOpType]


def _lower_all(root: ir.Operation) -> None:
    lower_chosen(root, KNOBS, Choice, _read, _emit)


def _read(function: ir.Operation, anchor: ir.Operation) -> tuple[ConvolutionKernel, int] | None:
    """Return the kernel, and the number of the argument with the transformed filter."""
    kernel = read_kernel(function, anchor)
    filters = source_of(anchor.operands[init_index(anchor) - 1])
    if kernel is None or filters is None or not takes(kernel):
        return None
    return kernel, filters.argument


def _emit(found: tuple[ConvolutionKernel, int], choice: Choice, arguments: list[ir.Value]) -> None:
    kernel, filters = found
    _Lowering(Plan.of(kernel, choice), arguments, filters).emit()


def takes(kernel: ConvolutionKernel) -> bool:
    """Whether a kernel's last two axes are those of F(m x m, 3 x 3)."""
    plane = [kernel.row.axis, kernel.column.axis]
    return (
        all(a.kernel == 3 and a.stride == a.dilation == a.spread == 1 for a in plane)
        and all(s.axis.spread == 1 for s in kernel.leading)
        and kernel.out_channel is not None
        and all(not kernel.weights.stride(loop) for loop in kernel.outer)
    )


@dataclass(frozen=True, slots=True)
class _Lowering:
    """Emits one kernel; `filters` is the number of the argument with the transformed filter."""

    plan: Plan
    arguments: list[ir.Value]
    filters: int

    def emit(self) -> None:
        """Emit the loop over blocks."""
        plan = self.plan
        kernel, halo = plan.kernel, plan.halo
        imaged = plan.imaged
        outer = [-(-kernel.sizes[i] // plan.images) if i == imaged else kernel.sizes[i]
                 for i in kernel.outer]  # fmt: skip
        leading = [s.axis.output for s in kernel.leading]
        blocks = [
            -(-halo.row.output // halo.rows),
            -(-halo.column.output // halo.columns),
            -(-kernel.size(kernel.out_channel) // plan.channel_block),
        ]
        with code.space([*outer, *leading, *blocks], parallel=plan.choice.parallel) as point:
            position = dict(zip(kernel.outer, point[: len(outer)], strict=True))
            count: Index = 1
            if imaged is not None:
                first = code.scaled(position[imaged], plan.images)
                position[imaged] = first
                count = code.extent(kernel.sizes[imaged], plan.images, first)
            places = point[len(outer) : -3]
            for spatial, at in zip(kernel.leading, places, strict=True):
                if spatial.output is not None:
                    position[spatial.output] = at
            row = code.scaled(point[-3], halo.rows)
            block = Block(
                leading=tuple(places),
                row=row,
                column=code.scaled(point[-2], halo.columns),
                rows=code.extent(halo.row.output, halo.rows, row),
            )
            self._block(position, count, block, code.scaled(point[-1], plan.channel_block))

    def _block(
        self, position: dict[int, Index], images: Index, block: Block, channels_at: Index
    ) -> None:
        """Emit one block: transform its image, then group after group of output channels."""
        plan = self.plan
        single, lanes = ir.F32Type.get(), plan.choice.lanes
        square = plan.algorithm.products
        buffers = Buffers(
            packed=code.stack_buffer(plan.halo.elements(lanes), single),
            image=code.stack_buffer(square * plan.image_plane + lanes, single),
            products=code.stack_buffer(square * plan.product_plane, single),
            results=code.stack_buffer(plan.algorithm.outputs**2 * plan.group * plan.pitch, single),
        )
        image = self.arguments[plan.kernel.image.argument]
        stages = Stages(plan, image, self.arguments[self.filters], buffers)
        stages.transform_images(position, images, block)
        total = plan.kernel.size(plan.kernel.out_channel)
        wanted = code.extent(total, plan.channel_block, channels_at)
        pixels = code.add(code.scaled(code.add(block.rows, -1), plan.halo.pitch), plan.halo.columns)
        last = code.add(images, -1)
        used = code.add(pixels, code.scaled(last, plan.pixels))
        with code.loop(0, code.ceil_quotient(wanted, plan.group)) as number:
            offset = code.scaled(number, plan.group)
            start = code.add(channels_at, offset)
            count = code.minimum(plan.group, code.subtract(wanted, offset))
            if plan.channel_block % plan.group == 0 and total % plan.channel_block == 0:
                count = plan.group
            stages.multiply(start, count, used)
            stages.transform_back(count, used)
            self._store(buffers, position, images, block, start, count)

    def _store(
        self,
        buffers: Buffers,
        position: dict[int, Index],
        images: Index,
        block: Block,
        start: Index,
        count: Index,
    ) -> None:
        """Emit the rows of results of a group, after the epilogue."""
        plan = self.plan
        kernel, outputs = plan.kernel, plan.algorithm.outputs
        imaged = plan.imaged
        part = plan.group * plan.pitch
        results = Results(
            kernel=kernel,
            halo=plan.halo,
            sums=buffers.results,
            pitch=plan.pitch,
            part=part,
            epilogue=Epilogue(kernel, self.arguments, plan.choice.lanes),
            shuffled=outputs,
        )
        with code.loop(0, images) as number, code.loop(0, outputs) as phase:
            at = dict(position)
            if imaged is not None:
                at[imaged] = code.add(position[imaged], number)
            base = code.add(code.scaled(number, plan.pixels), code.scaled(phase, outputs * part))
            results.emit(at, block, Panel(start=start, skipped=0, channels=count), phase, base)


OPS = (LowerWinogradOp,)
