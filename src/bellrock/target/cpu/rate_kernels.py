"""LLVM IR of the loops that `rates` times.

Flows in: width of vectors and features. Flows out: one function a text, each
`void rate_NAME(i64 rounds, i64 elements, ptr, ptr, ptr)`.
"""

from __future__ import annotations

from bellrock.target.cpu.panels import ENGINE_FEATURE

CHAINS = 12
"""Independent chains of multiply-adds: latency (4 or 5) times units (2), and a few for
luck; with their operands they fit 16 registers."""
UNROLLED = 4
ENGINE_CHAINS = 4
"""Tiles of sums: 16 cycles each, and 52 from one multiplication to the next into the same."""


def flops_per_round(dtype: str, vector_bits: int, features: frozenset[str]) -> int:
    """Return operations of one round of a peak kernel."""
    if dtype == "bf16" and ENGINE_FEATURE in features:
        return ENGINE_CHAINS * 16 * 16 * 32 * 2
    lanes = vector_bits // {"f64": 64, "f32": 32, "bf16": 16}[dtype]
    return CHAINS * lanes * 2


def kernels_for(vector_bits: int, features: frozenset[str]) -> dict[str, str]:
    """Return the kernels by name: peaks by dtype, `read` and `add`."""
    found = {
        "f32": _chains("f32", f"<{vector_bits // 32} x float>", _fma(vector_bits // 32, "float")),
        "f64": _chains("f64", f"<{vector_bits // 64} x double>", _fma(vector_bits // 64, "double")),
        "read": _read(vector_bits // 32),
        "add": _add(vector_bits // 32),
    }
    if "avx512bf16" in features and vector_bits == 512:
        found["bf16"] = _chains("bf16", "<16 x float>", _DOT, operand="<32 x bfloat>")
    if ENGINE_FEATURE in features:
        found["bf16"] = _engine()
    return found


_DOT = (
    "@llvm.x86.avx512bf16.dpbf16ps.512",
    "declare <16 x float> @llvm.x86.avx512bf16.dpbf16ps.512"
    "(<16 x float>, <32 x bfloat>, <32 x bfloat>)",
    "{call}({vector} {sum}, {operand} %x, {operand} %y)",
)


def _engine() -> str:
    """A loop of multiplications of whole tiles, on sums that stay in tile registers."""
    tiles = range(ENGINE_CHAINS)
    zero = "call x86_amx @llvm.x86.tilezero.internal(i16 16, i16 64)"
    load = "call x86_amx @llvm.x86.tileloadd64.internal(i16 16, i16 64, ptr %sink, i64 64)"
    multiply = "call x86_amx @llvm.x86.tdpbf16ps.internal(i16 16, i16 64, i16 64, x86_amx"
    store = "call void @llvm.x86.tilestored64.internal(i16 16, i16 64, ptr %sink, i64 64, x86_amx"
    return "\n".join(
        [
            "declare x86_amx @llvm.x86.tilezero.internal(i16, i16)",
            "declare x86_amx @llvm.x86.tileloadd64.internal(i16, i16, ptr, i64)",
            "declare x86_amx @llvm.x86.tdpbf16ps.internal"
            "(i16, i16, i16, x86_amx, x86_amx, x86_amx)",
            "declare void @llvm.x86.tilestored64.internal(i16, i16, ptr, i64, x86_amx)",
            "define void @rate_bf16(i64 %rounds, i64 %elements, ptr %sink, ptr, ptr) {",
            "entry:",
            *(f"  %z{i} = {zero}" for i in tiles),
            f"  %x = {load}",
            f"  %y = {load}",
            "  br label %loop",
            "loop:",
            "  %i = phi i64 [0, %entry], [%next, %loop]",
            *(f"  %s{i} = phi x86_amx [%z{i}, %entry], [%n{i}, %loop]" for i in tiles),
            *(f"  %n{i} = {multiply} %s{i}, x86_amx %x, x86_amx %y)" for i in tiles),
            "  %next = add i64 %i, 1",
            "  %more = icmp slt i64 %next, %rounds",
            "  br i1 %more, label %loop, label %exit",
            "exit:",
            *(f"  {store} %n{i})" for i in tiles),
            "  ret void",
            "}",
        ]
    )


def _fma(lanes: int, kind: str) -> tuple[str, str, str]:
    vector = f"<{lanes} x {kind}>"
    name = f"@llvm.fma.v{lanes}f{32 if kind == 'float' else 64}"
    declaration = f"declare {vector} {name}({vector}, {vector}, {vector})"
    return name, declaration, "{call}({operand} %x, {operand} %y, {vector} {sum})"


def _chains(name: str, vector: str, step: tuple[str, str, str], *, operand: str = "") -> str:
    """A loop of `CHAINS` multiply-adds on sums that stay in registers."""
    call, declaration, form = step
    operand = operand or vector
    body = []
    for i in range(CHAINS):
        arguments = form.format(call=call, vector=vector, operand=operand, sum=f"%s{i}")
        body.append(f"  %n{i} = call {vector} {arguments}")
    phis = [f"  %s{i} = phi {vector} [%first, %entry], [%n{i}, %loop]" for i in range(CHAINS)]
    stores = []
    for i in range(CHAINS):
        stores.append(f"  %p{i} = getelementptr {vector}, ptr %sink, i64 {i}")
        stores.append(f"  store {vector} %n{i}, ptr %p{i}, align 64")
    return "\n".join(
        [
            declaration,
            f"define void @rate_{name}(i64 %rounds, i64 %elements, ptr %sink, ptr, ptr) {{",
            "entry:",
            f"  %first = load {vector}, ptr %sink, align 64",
            f"  %x = load {operand}, ptr %sink, align 64",
            f"  %y = load {operand}, ptr %sink, align 64",
            "  br label %loop",
            "loop:",
            "  %i = phi i64 [0, %entry], [%next, %loop]",
            *phis,
            *body,
            "  %next = add i64 %i, 1",
            "  %more = icmp slt i64 %next, %rounds",
            "  br i1 %more, label %loop, label %exit",
            "exit:",
            *stores,
            "  ret void",
            "}",
        ]
    )


def _read(lanes: int) -> str:
    """Sum an array into vectors, and store them once."""
    vector = f"<{lanes} x i32>"
    body, phis, stores = [], [], []
    for i in range(UNROLLED):
        phis.append(f"  %s{i} = phi {vector} [zeroinitializer, %entry], [%n{i}, %loop]")
        body += [
            f"  %j{i} = add i64 %i, {i * lanes}",
            f"  %p{i} = getelementptr i32, ptr %a, i64 %j{i}",
            f"  %v{i} = load {vector}, ptr %p{i}, align 64",
            f"  %n{i} = xor {vector} %s{i}, %v{i}",
        ]
        stores += [
            f"  %q{i} = getelementptr {vector}, ptr %a, i64 {i}",
            f"  store {vector} %n{i}, ptr %q{i}, align 64",
        ]
    return _walk("read", lanes, phis, body, stores)


def _add(lanes: int) -> str:
    """`c = a ^ b`, element by element: two reads and a write."""
    vector = f"<{lanes} x i32>"
    body = []
    for i in range(UNROLLED):
        body.append(f"  %j{i} = add i64 %i, {i * lanes}")
        for name in "abc":
            body.append(f"  %{name}{i} = getelementptr i32, ptr %{name}, i64 %j{i}")
        body += [
            f"  %x{i} = load {vector}, ptr %a{i}, align 64",
            f"  %y{i} = load {vector}, ptr %b{i}, align 64",
            f"  %z{i} = xor {vector} %x{i}, %y{i}",
            f"  store {vector} %z{i}, ptr %c{i}, align 64",
        ]
    return _walk("add", lanes, [], body, [])


def _walk(name: str, lanes: int, phis: list[str], body: list[str], after: list[str]) -> str:
    """Walk the arrays from end to end, as often as asked for."""
    return "\n".join(
        [
            f"define void @rate_{name}(i64 %rounds, i64 %elements, ptr %a, ptr %b, ptr %c) {{",
            "  br label %entry",
            "entry:",
            "  %round = phi i64 [0, %0], [%another, %exit]",
            # Nothing of a round may be kept for the next, or moved out of both.
            '  call void asm sideeffect "", "~{memory}"()',
            "  br label %loop",
            "loop:",
            "  %i = phi i64 [0, %entry], [%next, %loop]",
            *phis,
            *body,
            f"  %next = add i64 %i, {UNROLLED * lanes}",
            "  %more = icmp slt i64 %next, %elements",
            "  br i1 %more, label %loop, label %exit",
            "exit:",
            *after,
            "  %another = add i64 %round, 1",
            "  %again = icmp slt i64 %another, %rounds",
            "  br i1 %again, label %entry, label %done",
            "done:",
            "  ret void",
            "}",
        ]
    )
