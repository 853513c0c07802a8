"""Numbers as people read them."""

from __future__ import annotations


def seconds(value: float | None) -> str:
    """Return a time with the unit that gives it three digits."""
    if value is None:
        return ""
    for limit, scale, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms")):
        if value < limit:
            return f"{_three(value * scale)} {unit}"
    return f"{_three(value)} s"


def ratio(value: float | None) -> str:
    """Return a speed-up, e.g. `1.30x`."""
    return "" if value is None else f"{value:.2f}x" if value < 10 else f"{value:.1f}x"


def error(value: float | None) -> str:
    """Return an error in two digits."""
    return "" if value is None else f"{value:.1e}"


def rate(value: float | None) -> str:
    """Return operations per second in GFLOP/s."""
    return "" if value is None else f"{_three(value / 1e9)} GFLOP/s"


def percent(value: float | None) -> str:
    """Return a share."""
    if value is None:
        return ""
    return f"{value:.0%}" if value >= 0.095 else f"{value:.1%}"


def size(value: int | None) -> str:
    """Return bytes in binary units."""
    if value is None:
        return ""
    amount = float(value)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{_three(amount)} {unit}"
        amount /= 1024
    return f"{_three(amount)} GiB"


def _three(value: float) -> str:
    """Three significant digits, never in exponent form for what tables hold."""
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 0.01 else f"{value:.1e}"
