"""Motifs of contractions of any sizes and layouts, and processors that they are chosen for."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from bellrock.payload.motifs.base import Motif, MotifKind, Operand, Side
from bellrock.target.base import Facts

FACTS = Facts(
    device="test", cores=4, vector_bits=512, vector_registers=32,
    cache_bytes={"L1d": 32768, "L2": 1 << 20}, features=frozenset({"avx512bf16"}),
)  # fmt: skip
SMALL = replace(FACTS, vector_bits=128, vector_registers=16, cache_bytes={}, cores=1)


def contraction(
    sizes: dict[str, int], layouts: tuple[str, str, str] = ("bmk", "bkn", "bmn"), dtype: str = "f32"
) -> Motif:
    loops = tuple(sizes[r] for r in "bmnk")
    roles = ("batch", "m", "n", "k")
    return Motif(
        kind=MotifKind.CONTRACTION, op="linalg.generic", loops=loops, roles=roles,
        iterators=("parallel",) * 3 + ("reduction",), accumulator="f32",
        dims=dict(zip(roles, loops, strict=True)),
        lists={r: (s,) for r, s in zip(roles, loops, strict=True)},
        operands=tuple(
            Operand(side=Side.OUTPUT if i == 2 else Side.INPUT, dtype="f32" if i == 2 else dtype,
                    layout=layout, shape=tuple(sizes[c] for c in layout))
            for i, layout in enumerate(layouts)
        ),
    )  # fmt: skip


SIZES = st.fixed_dictionaries({r: st.integers(1, 6000) for r in "bmnk"})
LAYOUTS = st.tuples(
    st.sampled_from(["bmk", "bkm", "mbk"]), st.sampled_from(["bkn", "bnk", "knb"]),
    st.sampled_from(["bmn", "bnm", "mnb"]),
)  # fmt: skip
