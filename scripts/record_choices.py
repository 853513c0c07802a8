"""Measure candidates of motifs, for the table that the cost model's ranking is tested with.

For each case (a shape that nobody tuned for, on one core and on all): the target's proposals, or a
sample of them that does not depend on the model, are compiled and timed in one process with a
limit on time and memory, bound to as many cores, all candidates in turn, several rounds. One line
is appended for each case when it is done; cases that the file has are left out, so that a run
that was cut off goes on where it was.

    python scripts/record_choices.py tests/data/choices/zen5.jsonl
    python scripts/record_choices.py tests/data/choices/zen5.jsonl --summary
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import hashlib
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bellrock.params.knobs import Knobs
    from bellrock.payload import Payload
    from bellrock.payload.motif import Motif
    from bellrock.target.recorded import Case

FAMILIES = ("contraction", "convolution", "reduction", "attention")
MEMORY_BYTES = 12 << 30
SECONDS_PER_CASE = 3.0
"""Of timing."""
TOLERANCE = 1e-4
"""Of candidates' results, as a fraction of the largest."""
KEPT_FEATURES = ("avx2", "avx512f", "avx512bf16", "amx-bf16", "neon")
"""That knobs ask for; the others would make the table long."""


def main() -> int:
    """Record what is missing, or print how well the model ranks what is there."""
    options = _options()
    if options.case:
        return _record(options)
    if options.summary:
        return _summarise(options.table)
    done = _done(options.table)
    cores = [options.on] if options.on else sorted({1, len(os.sched_getaffinity(0))})
    wanted = [(name, n) for name in _payloads() for n in cores if options.only in name]
    for name, count in wanted:
        if (name, count) in done:
            continue
        begin = time.monotonic()
        command = [sys.executable, __file__, str(options.table), "--case", name]
        command += ["--cores", str(count), "--sample", str(options.sample)]
        command += ["--lock", str(options.lock)] if options.lock else []
        environment = {**os.environ, "OMP_NUM_THREADS": str(count)}
        try:
            code = subprocess.run(
                command, env=environment, timeout=options.timeout, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            code = "timeout"
        print(f"{name} on {count}: {code}, {time.monotonic() - begin:.0f} s", flush=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, help="JSON Lines file, appended to.")
    parser.add_argument("--summary", action="store_true", help="Print how well the model ranks.")
    parser.add_argument("--only", default="", help="Cases whose name contains this.")
    parser.add_argument("--sample", type=int, default=12, help="Most candidates of a case.")
    parser.add_argument("--timeout", type=float, default=240, help="Seconds for one case.")
    parser.add_argument("--on", type=int, help="Only on so many cores.")
    parser.add_argument("--lock", type=Path, help="File to hold locked while timing.")
    parser.add_argument("--case", help="Record this one, in this process.")
    parser.add_argument("--cores", type=int, default=1)
    return parser.parse_args()


def _payloads() -> dict[str, Callable[[], Payload]]:
    """Return the cases: what makes each one's payload, by name."""
    from bellrock.payload import generate

    batched = {"b": 23, "m": 77, "n": 93, "k": 61}
    texts: dict[str, Callable[[], str]] = {
        "contraction-odd": lambda: generate.matmul(333, 517, 291),
        "contraction-irregular": lambda: generate.matmul(1000, 777, 1531),
        "contraction-small": lambda: generate.matmul(61, 67, 59),
        "contraction-flat": lambda: generate.matmul(17, 2999, 1777),
        "contraction-tall": lambda: generate.matmul(20011, 13, 37),
        "contraction-shallow": lambda: generate.matmul(701, 907, 5),
        "contraction-vector": lambda: generate.matmul(3001, 1, 2003),
        "contraction-deep": lambda: generate.matmul(45, 39, 30011),
        "contraction-batched": lambda: generate.contraction(batched, ("bmk", "bkn", "bmn")),
        "reduction-rows": lambda: generate.reduction((1009, 3001), [1]),
        "reduction-columns": lambda: generate.reduction((501, 4099), [0]),
        "reduction-short-rows": lambda: generate.reduction((50021, 37), [1]),
        "reduction-middle": lambda: generate.reduction((37, 503, 411), [1]),
    }
    found: dict[str, Callable[[], Payload]] = {
        name: lambda make=make, name=name: _from_text(make(), name) for name, make in texts.items()
    }
    layers = {
        "contraction-linear": ("Linear", (57, 770), (770, 1003), {}),
        "convolution-3x3": ("Conv2d", (3, 48, 39, 43), (48, 56, 3), {"padding": 1}),
        "convolution-7x7-strided": ("Conv2d", (2, 3, 231, 219), (3, 24, 7), {"stride": 2}),
        "convolution-pointwise": ("Conv2d", (5, 96, 19, 23), (96, 160, 1), {}),
        "convolution-depthwise": ("Conv2d", (2, 72, 49, 53), (72, 72, 5), {"groups": 72}),
        "convolution-dilated": ("Conv2d", (1, 30, 61, 67), (30, 40, 3), {"dilation": 2}),
        "convolution-deep-small": ("Conv2d", (7, 190, 9, 9), (190, 210, 3), {}),
        "convolution-1d": ("Conv1d", (4, 30, 1003), (30, 50, 9), {}),
        "convolution-3d": ("Conv3d", (1, 8, 11, 29, 31), (8, 20, 3), {}),
    }
    for name, (layer, shape, sizes, options) in layers.items():
        found[name] = lambda spec=(layer, shape, sizes, options): _layer(*spec)
    for name, shape in {"odd": (2, 5, 333, 48), "long": (1, 3, 1511, 80),
                        "short": (9, 7, 77, 32)}.items():  # fmt: skip
        found[f"attention-{name}"] = lambda shape=shape: _attention(shape)
    return found


def _from_text(text: str, name: str) -> Payload:
    from bellrock.ingress.mlir_text import load_mlir

    return load_mlir(text, name=name)


def _layer(
    name: str, shape: tuple[int, ...], sizes: tuple[int, ...], options: dict[str, int]
) -> Payload:
    """Return a layer's payload: its weights are parameters, which are prepared once."""
    import torch

    from bellrock.ingress.torch_export import import_module

    layer = getattr(torch.nn, name)(*sizes, bias=False, **options)
    return import_module(layer, (torch.zeros(shape),), name=name.lower()).payload


def _attention(shape: tuple[int, ...]) -> Payload:
    import torch

    from bellrock.ingress.torch_export import import_module

    class Attention(torch.nn.Module):
        def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.scaled_dot_product_attention(q, k, v)

    inputs = tuple(torch.zeros(shape) for _ in range(3))
    return import_module(Attention(), inputs, name="attention").payload


def _done(table: Path) -> set[tuple[str, int]]:
    return {(case.name, case.facts.cores) for case in _cases(table)} if table.exists() else set()


def _cases(table: Path) -> list[Case]:
    from bellrock.target import TARGETS
    from bellrock.target.recorded import read_cases

    return read_cases(table, TARGETS.get("cpu").all_knobs())


def _record(options: argparse.Namespace) -> int:
    """Record one case in this process."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    from bellrock.target import TARGETS
    from bellrock.target.recorded import Case, Measured, to_line

    target = TARGETS.get("cpu")
    target.prepare_process()
    payload = _payloads()[options.case]()
    motif = _anchor(payload)
    programs = [(k, _program(payload, motif, k)) for k in _sampled(motif, options.sample)]
    _agree(programs)
    nothing = _nothing()
    with _locked(options.lock):
        call, *seconds = _times([nothing, *(run for _, run in programs)], _clock(options.cores))
    seconds = [max(1e-8, s - call) for s in seconds]
    measured = [Measured(knobs=k, seconds=s) for (k, _), s in zip(programs, seconds, strict=True)]
    facts = target.facts()
    facts = dataclasses.replace(facts, features=facts.features & set(KEPT_FEATURES))
    case = Case(name=options.case, motif=motif, facts=facts, measured=tuple(measured))
    options.table.parent.mkdir(parents=True, exist_ok=True)
    with options.table.open("a", encoding="utf-8") as table:
        table.write(to_line(case) + "\n")
    return 0


def _anchor(payload: Payload) -> Motif:
    """Return the motif of a case: the largest of the families."""
    from bellrock.compiler.explaining import explain_payload

    motifs = [e.motif for e in explain_payload(payload).motifs if e.motif.kind in FAMILIES]
    attention = [m for m in motifs if m.kind == "attention"]
    return max(attention or motifs, key=lambda m: m.flops or 0)


def _sampled(motif: Motif, most: int) -> list[Knobs]:
    """Return the default, and legal proposals in an order that is no one's preference."""
    from bellrock.errors import BellrockError
    from bellrock.target import TARGETS

    target = TARGETS.get("cpu")
    default = target.default_choice(motif)
    assert default is not None, "a case has something to choose"
    found = [default]
    others = dict.fromkeys(k for k in target.proposals(motif, default) if k != default)
    for knobs in sorted(others, key=lambda k: hashlib.sha256(repr(k).encode()).hexdigest()):
        if len(found) >= most:
            break
        try:
            target.check_choice(motif, knobs)
        except BellrockError:
            continue  # proposals may be illegal
        found.append(knobs)
    return found


def _program(payload: Payload, motif: Motif, knobs: Knobs) -> Callable[[], Any]:
    """Compile a candidate; returns what runs it once, on buffers of its own."""
    import torch

    from bellrock.compiler import compile_payload
    from bellrock.params.lock import Lock, LockRow
    from bellrock.runtime.executable import load

    row = LockRow(
        motif=motif.signature(), knobs=knobs.name, parameters=knobs.to_mapping(), by="recording"
    )
    compiled = compile_payload(payload, lock=Lock(rows=(row,)), use_cache=False, jobs=1)
    executable = load(compiled)
    torch.manual_seed(0)
    inputs = [torch.randn(s.shape) for s in executable.arguments]
    out = [torch.zeros(s.shape) for s in executable.results]
    return lambda: executable(inputs, out=out)


def _nothing() -> Callable[[], Any]:
    """Return a program that does next to nothing: what a call costs is taken off."""
    from bellrock.payload import generate

    payload = _from_text(generate.matmul(2, 2, 2), "nothing")
    motif = _anchor(payload)
    return _program(payload, motif, _sampled(motif, 1)[0])


def _agree(programs: list[tuple[Knobs, Callable[[], Any]]]) -> None:
    """Make sure that all candidates compute the same: a wrong one is no candidate."""
    first = [r.clone() for r in programs[0][1]()]
    for knobs, run in programs[1:]:
        for expected, found in zip(first, run(), strict=True):
            worst = (expected - found).abs().max() / expected.abs().max()
            if not worst < TOLERANCE:
                raise SystemExit(f"{knobs}: {worst:.1e} off the default's result")


def _clock(cores: int) -> Callable[[], float]:
    """Return what time is read from: on one core, what others use of it does not count."""
    return time.process_time if cores == 1 else time.perf_counter


def _times(runs: list[Callable[[], Any]], clock: Callable[[], float]) -> list[float]:
    """Return a low quartile of the time of each, all in turn."""
    repeats = [max(1, min(200, int(0.004 / _once(run, clock)))) for run in runs]
    rounds: list[list[float]] = [[] for _ in runs]
    end = time.monotonic() + SECONDS_PER_CASE
    while len(rounds[0]) < 5 or (time.monotonic() < end and len(rounds[0]) < 40):
        for number, run in enumerate(runs):
            begin = clock()
            for _ in range(repeats[number]):
                run()
            rounds[number].append((clock() - begin) / repeats[number])
    return [statistics.quantiles(times, n=4)[0] for times in rounds]


def _once(run: Callable[[], Any], clock: Callable[[], float]) -> float:
    """Return about how long one run takes, when it goes well.

    A first run that was slow would leave a candidate few repeats, each of which would find the
    caches cold where those of others find them warm.
    """
    times = []
    for _ in range(6):
        begin = clock()
        run()
        times.append(clock() - begin)
    return max(1e-6, min(times))


@contextlib.contextmanager
def _locked(path: Path | None) -> Iterator[None]:
    """Hold a file locked, so that others that take it do not time meanwhile."""
    if path is None:
        yield
        return
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _summarise(table: Path) -> int:
    from bellrock.target import TARGETS

    model = TARGETS.get("cpu").cost_model()
    assert model is not None, "the processor has a model"
    regrets, rules, correlations = [], [], []
    print(f"{'case':28} cores   n  best us  correlation  regret  the rule's  predicted/measured")
    for case in _cases(table):
        predicted = case.predicted(model)
        ratio = statistics.median(
            p / m.seconds for p, m in zip(predicted, case.measured, strict=True)
        )
        correlations.append(case.rank_correlation(model))
        regrets.append(case.regret(model))
        rules.append(case.default_regret())
        print(
            f"{case.name:28} {case.facts.cores:5} {len(case.measured):3} "
            f"{case.best_seconds * 1e6:8.1f} {correlations[-1]:12.2f} {regrets[-1]:7.1%} "
            f"{rules[-1]:11.1%} {ratio:19.2f}"
        )
    print(
        f"median: correlation {statistics.median(correlations):.2f}, regret "
        f"{statistics.median(regrets):.1%}, of the rule {statistics.median(rules):.1%}; "
        f"mean: regret {statistics.mean(regrets):.1%}, of the rule {statistics.mean(rules):.1%}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
