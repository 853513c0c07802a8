"""Each example is in the format, runs in PyTorch in float32 and bfloat16, and tells apart."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
from torch.utils._pytree import tree_leaves

from bellrock.ingress.problem import load_problem
from bellrock.payload.spec import DType

FOLDER = Path(__file__).parents[3] / "examples" / "problems"
FILES = sorted(FOLDER.glob("*.py"))


def _run(path: Path, dtype: DType, seed: int = 0) -> list[torch.Tensor]:
    instance = load_problem(path).build(dtype=dtype, seed=seed)
    with torch.no_grad():
        return tree_leaves(instance.model(*instance.inputs))


def test_there_are_enough() -> None:
    assert len(FILES) >= 44


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_runs_and_its_results_say_something(path: Path) -> None:
    results, others = _run(path, DType.F32), _run(path, DType.F32, seed=1)
    assert results
    for one, other in zip(results, others, strict=True):
        assert bool(torch.isfinite(one).all())
        assert not torch.equal(one, other)  # another input is another result
        assert one.numel() == 1 or bool(one.min() < one.max())
        if one.is_floating_point():
            assert one.dtype == torch.float32


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_runs_in_bfloat16(path: Path) -> None:
    for one in _run(path, DType.BF16):
        assert bool(torch.isfinite(one).all())
        if one.is_floating_point():
            assert one.dtype == torch.bfloat16


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_is_in_the_format(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert "\n\n" not in (ast.get_docstring(tree) or "\n\n")  # one paragraph
    sizes = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert sizes
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    used = {n.id for n in ast.walk(functions["get_inputs"]) if isinstance(n, ast.Name)}
    assert used & sizes  # inputs are sized by globals, so that they can be overridden
