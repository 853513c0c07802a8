"""How the lowering by minimal filtering cuts a convolution: sizes of blocks and buffers.

Flows in: a convolution's kernel, its choice. Flows out: `Plan`. A *pixel* of it is a tile of
results, numbered along the pitch of packed rows.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bellrock.dialects.convolution.geometry import Axis, Halo
from bellrock.dialects.convolution.minimal_filtering import ALGORITHMS, TWO, MinimalFiltering
from bellrock.dialects.convolution.reading import ConvolutionKernel, Spatial


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The knobs of `winograd`."""

    channels: int
    vectors: int
    lanes: int
    rows: int
    columns: int
    images: int
    channel_group: int
    channel_block: int
    parallel: bool
    tile: int = TWO.outputs


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Sizes of one kernel."""

    kernel: ConvolutionKernel
    """Its last two axes come in as many parts as a tile has results along them."""
    choice: Choice
    algorithm: MinimalFiltering
    halo: Halo
    """Of one channel, in tiles."""
    images: int
    """Of a block."""
    vectors: int
    """Of a register tile: no more than a block has."""
    group: int
    """Output channels that are transformed back together."""
    channel_block: int
    """Output channels of a block: whole panels."""

    @classmethod
    def of(cls, kernel: ConvolutionKernel, choice: Choice) -> Plan:
        """Fit the choice to the kernel."""
        algorithm = ALGORITHMS[choice.tile]
        row, column = (_tiled(s.axis, algorithm) for s in (kernel.row, kernel.column))
        halo = Halo(
            leading=tuple(s.axis for s in kernel.leading),
            row=row,
            column=column,
            in_channels=1,
            rows=min(choice.rows or row.output, row.output),
            columns=min(choice.columns or column.output, column.output),
            lanes=choice.lanes,
        )
        images = min(choice.images, kernel.size(imaged(kernel)))
        pixels = images * halo.pixels(halo.rows)
        channels = kernel.size(kernel.out_channel)
        block = min(choice.channel_block or channels, channels)
        panels = -(-block // choice.channels)
        spread = {"spread": algorithm.outputs}
        return cls(
            kernel=dataclasses.replace(
                kernel,
                row=_with_axis(kernel.row, **spread),
                column=_with_axis(kernel.column, **spread),
            ),
            choice=choice,
            algorithm=algorithm,
            halo=halo,
            images=images,
            vectors=min(choice.vectors, -(-pixels // choice.lanes)),
            group=choice.channels * min(max(1, choice.channel_group // choice.channels), panels),
            channel_block=choice.channels * panels,
        )

    @property
    def imaged(self) -> int | None:
        """The loop over images of which a block has several."""
        return imaged(self.kernel)

    @property
    def reduced(self) -> int:
        """Products that are summed: input channels times taps of the leading axes."""
        return self.kernel.size(self.kernel.in_channel) * self.halo.depths

    @property
    def pixels(self) -> int:
        """Tiles of results of one image of a block."""
        return self.halo.pixels(self.halo.rows)

    @property
    def pitch(self) -> int:
        """Tiles of results of a block, in whole register tiles."""
        unit = self.vectors * self.choice.lanes
        return -(-self.images * self.pixels // unit) * unit

    @property
    def image_plane(self) -> int:
        """Elements of the transformed image for one product; the last vector runs over."""
        return self.reduced * self.pitch + self.choice.lanes

    @property
    def product_plane(self) -> int:
        """Elements of a group's sums for one product; off a power of two."""
        return self.group * self.pitch + self.choice.lanes


def _tiled(axis: Axis, algorithm: MinimalFiltering) -> Axis:
    """Return the axis over whose positions the tiles of an axis are."""
    outputs = algorithm.outputs
    return dataclasses.replace(
        axis, output=-(-axis.output // outputs), kernel=algorithm.inputs, stride=outputs
    )


def _with_axis(spatial: Spatial, spread: int) -> Spatial:
    return dataclasses.replace(spatial, axis=dataclasses.replace(spatial.axis, spread=spread))


def imaged(kernel: ConvolutionKernel) -> int | None:
    """Return the loop over images of which a block has several."""
    return kernel.outer[-1] if kernel.outer else None
