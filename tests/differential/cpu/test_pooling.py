"""Poolings by rows against PyTorch, over odd sizes, strides, dilations, paddings and types."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import bellrock
from bellrock.params.lock import Lock
from bellrock.runtime.threads import share_openmp
from support.models import FunctionModule

share_openmp()
import torch  # noqa: E402  (after OpenMP, as the product does)

F = torch.nn.functional
KNOBS = "windows"


def check(
    function: Callable[..., Any], *inputs: torch.Tensor, lock: Lock | None = None, kernels: int = 1
) -> Lock:
    """Compile, compare with PyTorch in double precision; return the choices."""
    model = FunctionModule(function)
    with torch.no_grad():
        compiled = bellrock.compile(model, inputs, use_cache=False, jobs=1, lock=lock)
        found = compiled(*inputs)
        expected = model(*(x.double() for x in inputs))
    assert found.dtype == inputs[0].dtype
    assert found.shape == expected.shape
    tolerance = 2e-6 if found.dtype == torch.float32 else 8e-3
    torch.testing.assert_close(
        found.double(), expected, rtol=tolerance, atol=tolerance, equal_nan=True
    )
    chosen = compiled.compiled.lock()
    assert any(row.knobs == KNOBS for row in chosen.rows)
    assert len(compiled.compiled.kernels) == kernels
    return chosen


def check_any(function: Callable[..., Any], x: torch.Tensor) -> None:
    """Compare with PyTorch in double precision, whatever was chosen."""
    with torch.no_grad():
        found = bellrock.compile(FunctionModule(function), (x,), use_cache=False, jobs=1)(x)
        expected = function(x.double())
    torch.testing.assert_close(found.double(), expected, rtol=2e-6, atol=2e-6)


def image(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


@pytest.mark.parametrize(
    ("window", "stride", "padding", "dilation", "ceil"),
    [
        (2, 2, 0, 1, False),
        (3, 2, 1, 1, True),
        (8, 1, 4, 3, False),
        (5, 3, 2, 2, False),
        (7, 5, 0, 1, True),
        (31, 1, 15, 1, False),
        (4, 4, 2, 1, False),
        (9, 9, 4, 1, False),
        (14, 19, 7, 1, True),
    ],
)
def test_maximum_of_rows(window: int, stride: int, padding: int, dilation: int, ceil: bool) -> None:
    check(lambda x: F.max_pool1d(x, window, stride, padding, dilation, ceil), image(2, 3, 131))


@pytest.mark.parametrize("size", [(1, 1, 5, 6), (2, 3, 17, 16), (1, 2, 9, 131), (3, 1, 40, 7)])
@pytest.mark.parametrize(
    ("window", "stride", "padding", "dilation"),
    [(3, 1, 1, 1), ((2, 3), (3, 2), (1, 0), (1, 2)), ((3, 1), (1, 1), (1, 0), 1), (3, 3, 1, 2)],
)
def test_maximum_of_planes(
    size: tuple[int, ...], window: Any, stride: Any, padding: Any, dilation: Any
) -> None:
    check(lambda x: F.max_pool2d(x, window, stride, padding, dilation), image(*size))


def test_volumes() -> None:
    check(lambda x: F.max_pool3d(x, 3, 2, 1, 3), image(1, 2, 13, 17, 19))
    check(lambda x: F.max_pool3d(x, (1, 2, 3)), image(1, 2, 5, 8, 19))
    check(lambda x: F.avg_pool3d(x, 3, 2, 1), image(1, 2, 9, 10, 37))
    check(lambda x: F.avg_pool3d(x, (2, 1, 3), divisor_override=5), image(2, 2, 6, 3, 17))


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize(
    ("window", "stride", "padding"), [(3, 2, 1), (2, 1, 0), ((5, 4), (1, 3), (2, 1)), (11, 11, 0)]
)
def test_averages(window: Any, stride: Any, padding: Any, counted: bool) -> None:
    check(
        lambda x: F.avg_pool2d(x, window, stride, padding, count_include_pad=counted),
        image(2, 3, 23, 37),
    )


def test_averages_of_rows() -> None:
    check(lambda x: F.avg_pool1d(x, 8, 1, 4), image(2, 3, 65))
    check(lambda x: F.avg_pool1d(x, 6, 6), image(3, 65))
    check(lambda x: F.adaptive_avg_pool1d(x, 5), image(2, 3, 65))


def test_without_a_batch() -> None:
    check(lambda x: F.max_pool2d(x, 3, 2, 1), image(3, 17, 19))
    check(lambda x: F.avg_pool2d(x, 3, 2, 1), image(3, 17, 19))
    check(lambda x: F.avg_pool3d(x, 2), image(2, 6, 8, 10))


def test_not_a_number_is_the_extremum() -> None:
    x = image(1, 2, 12, 40)
    x[0, 0, 3, 5] = float("nan")
    x[0, 1, 0, 39] = float("inf")
    x[0, 1, 6:, :] = float("-inf")
    check(lambda x: F.max_pool2d(x, 3, 2, 1), x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_types(dtype: torch.dtype) -> None:
    check(lambda x: F.max_pool2d(x, 3, 2, 1), image(2, 3, 17, 35).to(dtype))


def test_with_ops_around() -> None:
    x, y = image(2, 5, 20, 33), image(5, 1, 1)
    check(lambda x, y: torch.relu(F.max_pool2d(x, 2) * y + 1), x, y)
    check(lambda x: torch.sigmoid(F.avg_pool2d(x, 3, 2, 1)) * 2, x)
    check(lambda x: F.max_pool2d(F.max_pool2d(x, 3, 1, 1), 2), x, kernels=2)


def test_padding_of_another_value_is_data() -> None:
    x = image(2, 3, 20, 33) - 5
    check(lambda x: F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2), x, kernels=2)


def test_blocks_of_all_sizes() -> None:
    x = image(2, 2, 23, 131)

    def pool(x: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(x, 3, 2, 1)

    lock = check(pool, x)
    for rows, columns, lanes in [(1, 16, 8), (5, 7, 16), (12, 64, 4), (0, 0, 16)]:
        changed = [
            dataclasses.replace(
                row, parameters={"lanes": lanes, "rows": rows, "columns": columns, "parallel": True}
            )
            if row.knobs == KNOBS
            else row
            for row in lock.rows
        ]
        check(pool, x, lock=dataclasses.replace(lock, rows=tuple(changed)))


@pytest.mark.parametrize(
    ("window", "stride", "size"), [(100, 100, 999), (37, 33, 200), (9, 20, 131), (64, 64, 140)]
)
def test_windows_one_by_one(window: int, stride: int, size: int) -> None:
    check(lambda x: F.avg_pool1d(x, window, stride), image(2, 3, size))
    check(lambda x: F.max_pool1d(x, window, stride, window // 3), image(2, 3, size))


@pytest.mark.parametrize(
    ("size", "result"),
    [
        ((37, 41), (6, 5)),
        ((14, 15), (6, 4)),
        ((9, 10), (4, 7)),
        ((5, 3), (7, 9)),
        ((13, 8), (1, 3)),
    ],
)
def test_uneven_adaptive_averages(size: tuple[int, int], result: tuple[int, int]) -> None:
    x = image(2, 3, *size)
    check_any(lambda x: F.adaptive_avg_pool2d(x, result), x)
    check_any(lambda x: F.adaptive_avg_pool1d(x[0], result[1]) * 2, x)


def test_reductions_into_slices_of_a_result() -> None:
    def means(x: torch.Tensor) -> torch.Tensor:
        parts = [x[:, :, 0:6], x[:, :, 5:17], x[:, :, 16:35]]
        return torch.cat([torch.exp(p).sum(2, keepdim=True) / 6 for p in parts], 2)

    check_any(means, image(3, 20, 35, 49))
    check_any(lambda x: (y := means(x), y + 1)[1], image(3, 20, 35, 49))
