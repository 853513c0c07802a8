"""Make the three KernelBench suites from a checkout: original, within CPU limits, and tiny.

    python scripts/make_suites.py KERNELBENCH_DIR [--suite kernelbench-smoke] [--only 'level1/*']

Flows in: the problem files of levels 1 to 3. Flows out: suites/kernelbench.yaml (original
sizes), kernelbench-cpu.yaml (as near as the limits below allow) and kernelbench-smoke.yaml
(tiny, each run for real). Every entry is tried on fake tensors before it is written. Each
problem is tried in a process of its own, with limits of time and memory.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import re
import resource
import sys
import time
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import suite_limits
import suite_sizes
import suite_tiny
from suite_sizes import Sizes

if TYPE_CHECKING:
    from suite_probe import RealRun

from bellrock.bench.suite_file import OverrideValue, read_suite

LIMIT_BYTES = 2**30
LIMIT_FLOPS = 20 * 10**9
SUITES = Path(__file__).resolve().parent.parent / "suites"

_WORKER_SECONDS = 900
_WORKER_BYTES = 14 * 2**30
_TRIAL_SECONDS = 60
_SLOW_SECONDS = 1.0
_SUMMARIES = {
    "kernelbench": "KernelBench levels 1 to 3 at their original sizes.",
    "kernelbench-cpu": (
        "KernelBench levels 1 to 3, each as near its original size as 1 GiB of tensors and "
        "20 GFLOP allow."
    ),
    "kernelbench-smoke": "KernelBench levels 1 to 3 at tiny sizes, odd ones among them.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One entry of a suite, as found."""

    file: str
    sizes: Mapping[str, suite_sizes.Value]
    flops: int
    peak_bytes: int
    tags: tuple[str, ...] = ()
    seconds: float = 0.0
    """Of the eager run; 0 where it was not run."""


def full_row(root: Path, file: str) -> Row:
    """Probe a problem at its original sizes."""
    from suite_probe import probe

    return Row(file=file, sizes={}, tags=_fixed(root / file), **asdict(probe(root / file, {})))


def cpu_row(root: Path, file: str) -> Row:
    """Find the largest sizes of a problem that the limits allow."""
    from suite_probe import InvalidSizesError, probe

    def fits(sizes: Sizes) -> bool:
        try:
            cost = probe(root / file, sizes)
        except InvalidSizesError:
            return False
        return cost.flops <= LIMIT_FLOPS and cost.peak_bytes <= LIMIT_BYTES

    sizes = suite_limits.largest_sizes(suite_sizes.find_sizes((root / file).read_text()), fits)
    tags = _fixed(root / file)
    if sizes is None:
        sizes, tags = suite_tiny.only_batch((root / file).read_text(), 1), (*tags, "over-limit")
    return Row(file=file, sizes=sizes, tags=tags, **asdict(probe(root / file, sizes)))


def smoke_row(root: Path, file: str) -> Row:
    """Find tiny sizes at which a problem runs and its results can tell right from wrong."""
    from suite_probe import run_for_real

    source = (root / file).read_text()
    tried: list[tuple[Row, RealRun]] = []
    for row in _valid_tiny_rows(root, file, source):
        run = run_for_real(root / file, row.sizes)
        tried.append((row, run))
        if (not run.degenerate and run.seconds < _SLOW_SECONDS) or len(tried) == 10:
            break
    row, run = min(tried, key=lambda pair: _badness(pair[1]))
    tags = (*row.tags, *sorted(set(run.degenerate)))
    return replace(row, tags=tags, seconds=round(run.seconds, 4))


def _badness(run: RealRun) -> tuple[bool, bool, bool]:
    hopeless = bool(set(run.degenerate) - {"ignores-inputs"})
    return hopeless, run.seconds > _SLOW_SECONDS, bool(run.degenerate)


def _valid_tiny_rows(root: Path, file: str, source: str) -> Iterable[Row]:
    from suite_probe import InvalidSizesError, is_deep, probe

    deadline = time.process_time() + _TRIAL_SECONDS
    wanted = itertools.takewhile(
        lambda _: time.process_time() < deadline,
        suite_tiny.tiny_sizes(source, file, deep=is_deep(root / file)),
    )
    found = False
    for sizes in itertools.chain(wanted, [suite_tiny.only_batch(source, 2), {}]):
        if found and time.process_time() > deadline:
            return
        try:
            cost = probe(root / file, sizes)
        except InvalidSizesError:
            continue
        found = True
        tags = _fixed(root / file) or suite_tiny.kept_images(source, sizes)
        yield Row(file=file, sizes=sizes, tags=tags, **asdict(cost))


def _fixed(path: Path) -> tuple[str, ...]:
    return ("fixed-size",) if suite_sizes.has_fixed_sizes(path.read_text()) else ()


_FINDERS = {
    "kernelbench": full_row,
    "kernelbench-cpu": cpu_row,
    "kernelbench-smoke": smoke_row,
}


def _work(suite: str, root: Path, file: str, answer: Connection) -> None:
    warnings.simplefilter("ignore")  # many sizes are tried; most warnings repeat
    resource.setrlimit(resource.RLIMIT_AS, (_WORKER_BYTES, _WORKER_BYTES))
    try:
        answer.send(_FINDERS[suite](root, file))
    except BaseException as error:
        answer.send(f"{type(error).__name__}: {error}")
        raise


def find_row(suite: str, root: Path, file: str) -> Row | str:
    """Find one row in a process of its own; a string says why there is none."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "suite_probe", "bellrock.bench.suite_file"])
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(suite, root, file, send))
    process.start()
    send.close()
    try:
        if not receive.poll(_WORKER_SECONDS):
            return f"took more than {_WORKER_SECONDS} s"
        return receive.recv()
    except EOFError:
        return "the process died"
    finally:
        process.kill()
        process.join()


def write_suite(suite: str, rows: Iterable[Row]) -> None:
    """Write one suite file; one line for each problem."""
    lines = [
        "# Written by scripts/make_suites.py. flops: of matrix products, convolutions and",
        "# attention. peak_bytes: most tensor storage alive at once in an eager float32 run.",
        "schema: 1",
        f"summary: {_SUMMARIES[suite]}",
        "root: kernelbench",
        "problems:",
    ]
    for row in rows:
        lines.append(f"  - file: {row.file}")
        if row.sizes:
            pairs = ", ".join(f"{k}: {_yaml(v)}" for k, v in row.sizes.items())
            lines.append(f"    set: {{{pairs}}}")
        if row.tags:
            lines.append(f"    tags: [{', '.join(row.tags)}]")
        lines.append(f"    estimate: {{flops: {row.flops}, peak_bytes: {row.peak_bytes}}}")
    (SUITES / f"{suite}.yaml").write_text("\n".join(lines) + "\n")


def _yaml(value: object) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _files(root: Path, only: str) -> list[str]:
    files = [
        f"{p.parent.name}/{p.name}" for level in "123" for p in root.glob(f"level{level}/*.py")
    ]
    return sorted((f for f in files if fnmatch(f, only)), key=_order)


def _order(file: str) -> tuple[int, int]:
    level, number = map(int, re.findall(r"\d+", file)[:2])
    return level, number


def _kept(suite: str) -> list[Row]:
    """Return the rows of the suite as it is."""
    content, _ = read_suite(SUITES / f"{suite}.yaml")
    rows: list[Row] = []
    for row in content.problems:
        sizes = {name: _size(value) for name, value in row.set.items()}
        estimate = row.estimate.model_dump() if row.estimate else {"flops": 0, "peak_bytes": 0}
        rows.append(Row(file=row.file, sizes=sizes, tags=tuple(row.tags), **estimate))
    return rows


def _size(value: OverrideValue) -> suite_sizes.Value:
    if isinstance(value, list):
        return tuple(int(each) for each in value)
    return int(value)


def _changed(root: Path, row: Row) -> Row:
    """Drop the overrides that repeat the original value."""
    originals: Mapping[str, object] = {
        s.name: s.original for s in suite_sizes.find_sizes((root / row.file).read_text())
    }
    sizes = {k: v for k, v in row.sizes.items() if originals.get(k) != v}
    return replace(row, sizes=sizes)


def main() -> int:
    """Make the suites; return 1 where a problem has no entry."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kernelbench", type=Path, help="folder that contains level1/ to level3/")
    parser.add_argument("--suite", choices=_FINDERS, action="append")
    parser.add_argument(
        "--only", default="*", help="remake the entries of these files, keep the rest"
    )
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    failed = 0
    for suite in options.suite or list(_FINDERS):
        files = _files(options.kernelbench, options.only)
        rows = {row.file: row for row in _kept(suite)} if options.only != "*" else {}
        with ThreadPoolExecutor(options.jobs) as pool:
            found = pool.map(partial(find_row, suite, options.kernelbench), files)
            for file, row in zip(files, found, strict=True):
                sys.stderr.write(f"{file}: {row}\n")
                if isinstance(row, Row):
                    rows[file] = _changed(options.kernelbench, row)
                else:
                    failed += 1
        write_suite(suite, [rows[file] for file in sorted(rows, key=_order)])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
