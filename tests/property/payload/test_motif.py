"""Motifs are found whatever the order of loops, of dimensions and of factors."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from torch_mlir.passmanager import PassManager

from bellrock.payload import generate
from bellrock.payload.context import parse_payload
from bellrock.payload.motif import Motif, MotifKind, find_motif

_LETTERS = {"batch": "bc", "m": "mi", "n": "nj", "k": "kl"}


@st.composite
def contractions(draw: st.DrawFn) -> tuple[dict[str, tuple[int, ...]], str]:
    """Return sizes by role, and the text of a contraction that has them in some order."""
    counts = {
        "batch": draw(st.integers(0, 2)), "m": draw(st.integers(0, 2)),
        "n": draw(st.integers(0, 2)), "k": draw(st.integers(1, 2)),
    }  # fmt: skip
    dims = {role: _LETTERS[role][:count] for role, count in counts.items()}
    loops = "".join(draw(st.permutations("".join(dims.values()))))
    sizes = {letter: draw(st.integers(1, 9)) for letter in loops}
    layouts = [
        "".join(draw(st.permutations(dims["batch"] + dims[first] + dims[second])))
        for first, second in (("m", "k"), ("k", "n"), ("m", "n"))
    ]
    text = generate.contraction(
        sizes, (layouts[0], layouts[1], layouts[2]), loops=loops, swapped=draw(st.booleans())
    )
    by_role = {
        role: tuple(sizes[letter] for letter in loops if letter in letters)
        for role, letters in dims.items()
    }
    return by_role, text


def motif_of(text: str) -> Motif:
    module = parse_payload(text, name="test")
    body = module.body.operations[0].regions[0].blocks[0].operations
    found = [find_motif(o) for o in body if o.operation.name != "linalg.fill"]
    (motif,) = [m for m in found if m is not None]
    return motif


@given(contractions())
@settings(max_examples=60, deadline=None)
def test_dimensions_of_a_contraction_are_recovered(
    case: tuple[dict[str, tuple[int, ...]], str],
) -> None:
    sizes, text = case
    motif = motif_of(text)
    assert motif.kind is MotifKind.CONTRACTION
    assert motif.lists == sizes
    assert motif.dims == {role: math.prod(each) for role, each in sizes.items()}
    assert motif.flops == 2 * math.prod(motif.dims.values())
    # Roles agree with the loops, and layouts with the shapes.
    for role, each in sizes.items():
        assert tuple(motif.loops[i] for i in motif.loops_of(role)) == each
    assert [i == "reduction" for i in motif.iterators] == [r == "k" for r in motif.roles]


@given(
    image=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(6, 12), st.integers(6, 12)),
    out_channels=st.integers(1, 4),
    window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
)
@settings(max_examples=40, deadline=None)
def test_named_and_generic_convolutions_are_one_motif(
    image: tuple[int, int, int, int], out_channels: int, window: tuple[int, int], stride: int,
    dilation: int,
) -> None:  # fmt: skip
    text = generate.convolution(
        image, (out_channels, image[1], *window), stride=stride, dilation=dilation
    )
    named = parse_payload(text, name="test")
    with named.context:
        before = motif_of(text)
        PassManager.parse("builtin.module(func.func(linalg-generalize-named-ops))").run(
            named.operation
        )
        assert "linalg.conv" not in str(named)
        body = named.body.operations[0].regions[0].blocks[0].operations
        generics = [o for o in body if o.operation.name == "linalg.generic"]
        motifs = [find_motif(o) for o in generics]
    after = next(m for m in motifs if m is not None and m.kind is not MotifKind.FILL)
    assert after.signature() == before.signature()
    assert after.kind is MotifKind.CONVOLUTION
    assert after.lists["strides"] == (stride, stride)
    assert after.lists["dilations"] == (dilation, dilation)
