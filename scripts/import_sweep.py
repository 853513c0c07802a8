"""Import every KernelBench problem and say how long each takes and what it needs.

Each problem is imported in a process of its own, with limits on time and memory, on fake
tensors: nothing of the problem's size is allocated. On a busy machine `cpu_seconds` says
how long the import takes; it runs on one thread. Rows are appended to the JSON Lines file
as they come; a table and a summary are printed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypedDict

from ruamel.yaml import YAML


class Row(TypedDict, total=False):
    """One problem's outcome."""

    problem: str
    dtype: str
    ok: bool
    error: str
    seconds: float
    cpu_seconds: float
    steps: dict[str, float]
    peak_rss_mib: int
    text_bytes: int
    arguments: int
    smells: dict[str, int]


SMELLS = ("cf.assert", "f64", "dense_resource", "ml_program", "torch.", "func.call", "?x")
"""Text that a clean module does not contain."""


def main() -> int:
    """Run the sweep; return 0 if all problems were imported."""
    options = _options()
    problems = list(_problems(options))
    context = multiprocessing.get_context("forkserver")
    rooms = ("problem", "torch_export", "torch_lower", "torch_module")
    context.set_forkserver_preload([f"bellrock.ingress.{room}" for room in rooms])
    rows = []
    with options.json.open("a", encoding="utf-8") as journal:
        for path, overrides in problems:
            row = _limited(context, path, overrides, options)
            rows.append(row)
            journal.write(json.dumps(row) + "\n")
            journal.flush()
            print(_line(row), flush=True)
    _summary(rows)
    return 0 if all(row["ok"] for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernelbench", type=Path, default=os.environ.get("KERNELBENCH_DIR"))
    parser.add_argument("--suite", type=Path, help="suite whose overrides to use (else original)")
    parser.add_argument("--only", default="", help="part of level/name")
    parser.add_argument("--dtype", default="f32")
    parser.add_argument("--write", type=Path, help="folder for the MLIR texts")
    parser.add_argument("--json", type=Path, default=Path("import_sweep.jsonl"))
    parser.add_argument("--limit-seconds", type=float, default=120.0)
    parser.add_argument("--limit-gib", type=float, default=10.0)
    options = parser.parse_args()
    if options.kernelbench is None:
        parser.error("name a KernelBench checkout: --kernelbench DIR or KERNELBENCH_DIR")
    return options


def _problems(options: argparse.Namespace) -> Iterator[tuple[Path, dict[str, object]]]:
    root = Path(options.kernelbench)
    root = root / "KernelBench" if (root / "KernelBench").is_dir() else root
    chosen: dict[str, dict[str, object]] = {}
    if options.suite is not None:
        for entry in YAML(typ="safe").load(options.suite)["problems"]:
            chosen[entry["file"]] = entry.get("set", {})
    else:
        files = [file for level in "123" for file in (root / f"level{level}").glob("*.py")]
        files.sort(key=lambda f: (f.parent.name, int(f.name.split("_")[0])))
        chosen = {f"{file.parent.name}/{file.name}": {} for file in files}
    for name, overrides in chosen.items():
        if options.only in name:
            yield root / name, overrides


def _limited(
    context: multiprocessing.context.ForkServerContext,
    path: Path,
    overrides: dict[str, object],
    options: argparse.Namespace,
) -> Row:
    """Import in a process of its own; a crash or a time-out is a row, too."""
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sender, path, overrides, options))
    started = time.perf_counter()
    process.start()
    sender.close()
    row: Row = {"ok": False, "error": f"timeout after {options.limit_seconds} s"}
    if receiver.poll(options.limit_seconds):
        try:
            row = receiver.recv()
        except EOFError:
            process.join()
            row = {"ok": False, "error": f"process ended with code {process.exitcode}"}
    if process.is_alive():
        process.kill()
    process.join()
    row["problem"] = f"{path.parent.name}/{path.stem}"
    row["dtype"] = options.dtype
    row.setdefault("seconds", round(time.perf_counter() - started, 2))
    return row


def _child(
    sender: Connection, path: Path, overrides: dict[str, object], options: argparse.Namespace
) -> None:
    limit = int(options.limit_gib * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    sender.send(_import(path, overrides, options))


def _import(path: Path, overrides: dict[str, object], options: argparse.Namespace) -> Row:
    from bellrock.errors import BellrockError
    from bellrock.ingress.problem import load_problem
    from bellrock.ingress.torch_export import import_module
    from bellrock.payload import DType

    dtype = DType(options.dtype)
    started, cpu_started = time.perf_counter(), time.process_time()
    try:
        instance = load_problem(path, overrides).build(dtype=dtype, fake=True)
        build = time.perf_counter() - started
        program = import_module(instance.model, instance.inputs, name=path.stem, dtype=dtype)
        text = program.payload.text()
    except (BellrockError, MemoryError) as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}
    if options.write is not None:
        folder = options.write / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{path.stem}.mlir").write_text(text, encoding="utf-8")
    return {
        "ok": True,
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(time.process_time() - cpu_started, 2),
        "steps": {"build": round(build, 2), **{k: round(v, 2) for k, v in program.seconds.items()}},
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "text_bytes": len(text),
        "arguments": len(program.payload.arguments),
        "smells": {smell: text.count(smell) for smell in SMELLS if smell in text},
    }


def _line(row: Row) -> str:
    if not row["ok"]:
        return f"{row['problem']:60.60} FAILED {row['error']}"
    smells = " ".join(f"{name}:{count}" for name, count in row["smells"].items())
    return (
        f"{row['problem']:60.60} {row['seconds']:6.1f} s "
        f"{row['cpu_seconds']:6.1f} s cpu {row['peak_rss_mib']:6d} MiB "
        f"{row['text_bytes'] // 1024:5d} KiB {smells}"
    )


def _summary(rows: list[Row]) -> None:
    good = [row for row in rows if row["ok"]]
    print(f"{len(good)} of {len(rows)} imported")
    if good:
        for kind in ("seconds", "cpu_seconds"):
            values = [row[kind] for row in good]
            print(f"{kind}: median {statistics.median(values):.1f}, max {max(values):.1f}")
        print(f"peak RSS: max {max(row['peak_rss_mib'] for row in good)} MiB")


if __name__ == "__main__":
    sys.exit(main())
