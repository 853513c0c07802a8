"""MLIR text into payloads."""

from __future__ import annotations

import pytest

from bellrock.errors import PayloadError, UnknownNameError
from bellrock.ingress import load_mlir
from bellrock.payload import Role

ADD = """\
func.func @add(%a: tensor<4x8xf32>, %i: tensor<2xi64>, %s: tensor<bf16>)
    -> (tensor<4x8xf32>, tensor<i1>) {
  %0 = linalg.add ins(%a, %a : tensor<4x8xf32>, tensor<4x8xf32>)
                  outs(%a : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = arith.constant dense<true> : tensor<i1>
  return %0, %1 : tensor<4x8xf32>, tensor<i1>
}
func.func private @unused(%a: tensor<?xf32>) { return }
"""


def test_specifications_and_text() -> None:
    payload = load_mlir(ADD, name="add.mlir")
    assert payload.name == "add.mlir"
    assert payload.entry == "add"
    assert [str(a) for a in payload.arguments] == ["4x8xf32", "2xi64", "bf16"]
    assert [str(r) for r in payload.results] == ["4x8xf32", "i1"]
    assert {a.role for a in payload.arguments} == {Role.INPUT}
    assert {r.role for r in payload.results} == {Role.RESULT}
    assert payload.text() == ADD


def test_fingerprint_follows_text_and_entry() -> None:
    again = load_mlir(ADD, name="other")
    assert again.fingerprint == load_mlir(ADD, name="add").fingerprint
    assert load_mlir(ADD.replace("true", "false"), name="x").fingerprint != again.fingerprint


def test_dialects_of_torch_mlir_are_known() -> None:
    text = """
      func.func @main(%x: tensor<4xf32>, %o: tensor<4xf32>, %a: tensor<f32>) -> tensor<4xf32> {
        %0:2 = tm_tensor.scan dimension(0) inclusive(true) ins(%x : tensor<4xf32>)
            outs(%o, %a : tensor<4xf32>, tensor<f32>) {
          ^bb0(%l: f32, %r: f32):
            %s = arith.addf %l, %r : f32
            tm_tensor.yield %s : f32
        } -> tensor<4xf32>, tensor<f32>
        return %0#0 : tensor<4xf32>
      }"""
    assert load_mlir(text, name="scan").entry == "main"


class TestEntry:
    TWO = "func.func @a() { return }\nfunc.func @b(%x: tensor<2xf32>) { return }\n"

    def test_named(self) -> None:
        assert [str(a) for a in load_mlir(self.TWO, name="two", entry="b").arguments] == ["2xf32"]

    def test_not_clear(self) -> None:
        with pytest.raises(
            PayloadError, match=r"^two: the module has 2 public.*got a, b.*name the"
        ):
            load_mlir(self.TWO, name="two")

    def test_none(self) -> None:
        with pytest.raises(PayloadError, match="has 0 public functions"):
            load_mlir("module {}", name="none")

    def test_unknown(self) -> None:
        with pytest.raises(UnknownNameError, match="unknown function 'bb'.*allowed: a, b"):
            load_mlir(self.TWO, name="two", entry="bb")

    def test_declaration_is_none(self) -> None:
        text = "func.func private @f(tensor<2xf32>)\n" + self.TWO
        with pytest.raises(UnknownNameError):
            load_mlir(text, name="two", entry="f")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("func.func @f( {", r"^bad\.mlir:1:14: the text is not valid MLIR; got expected"),
        ("\n  nonsense.op\n", r"^bad\.mlir:2:3: the text is not valid MLIR.*nonsense"),
        (
            "func.func @f(%a: tensor<2xf32>) -> tensor<3xf32> {\n  return %a : tensor<2xf32>\n}",
            r"^bad\.mlir:2:3: the text is not valid MLIR",
        ),
        ("func.func @f(%a: tensor<?x2xf32>) { return }", "argument 0.*dynamic shape.*\\?x2xf32"),
        ("func.func @f(%a: tensor<*xf32>) { return }", "argument 0.*not a ranked tensor"),
        ("func.func @f(%a: f32) { return }", "argument 0.*not a ranked tensor; got f32"),
        (
            "\nfunc.func @f(%a: tensor<2xf32>, %b: memref<4xf32>) { return }",
            r"^bad\.mlir:2:1: argument 1.*got memref<4xf32>.*bufferised already",
        ),
        ("func.func @f(%a: tensor<2xf8E5M2>) { return }", "element type.*f8E5M2.*bf16, f16"),
    ],
)
def test_rejects(text: str, words: str) -> None:
    with pytest.raises(PayloadError, match=words) as raised:
        load_mlir(text, name="bad.mlir")
    assert "\n" not in str(raised.value)
