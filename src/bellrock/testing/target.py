"""`TargetContract` and `ComputingTargetContract`: what every target must keep.

Flows in: a target's name. Flows out: pytest's verdict. The first holds for any target, even one
that computes nothing (a model of a device, a null target); the second adds right answers.
"""

from __future__ import annotations

import dataclasses
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from bellrock.compiler import Compiled, compile_payload
from bellrock.errors import BellrockError, UsageError
from bellrock.params.knobs import Knobs
from bellrock.payload import DType
from bellrock.payload.motif import Motif
from bellrock.pipeline.search import list_pipelines
from bellrock.runtime.executable import load
from bellrock.target import TARGETS
from bellrock.target.base import Target
from bellrock.testing.payloads import ELEMENTWISE, MATMUL, MATMUL_CHAIN, motifs_of, payload_of

POISON = np.float32(np.nan)
"""What buffers hold before a run: a result that was not written keeps it."""


class TargetContract:
    """Subclass it with `name` set; each test is one promise of `Target`."""

    name: ClassVar[str]
    """As registered in the entry-point group `bellrock.targets`."""

    @pytest.fixture
    def target(self) -> Target:
        """The plug-in, found the way users find it."""
        return TARGETS.get(self.name)

    @pytest.fixture(scope="class")
    @classmethod
    def compiled(cls, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
        """A matrix product of odd sizes with a bias added, compiled once for the class."""
        return compile_payload(
            payload_of(MATMUL), target=cls.name, cache_dir=tmp_path_factory.mktemp("cache")
        )

    def test_has_the_name_it_is_registered_under(self, target: Target) -> None:
        """Records and lock files name targets by it."""
        assert target.name == self.name

    def test_says_what_it_is_in_one_line(self, target: Target) -> None:
        """`bellrock target list` shows the first line of the class's docstring."""
        assert (type(target).__doc__ or "").strip()

    def test_facts_can_be_trusted(self, target: Target) -> None:
        """Cost models divide by these numbers."""
        facts = target.facts()
        assert facts.device
        assert facts.cores >= 1
        assert facts.vector_bits >= 1
        assert facts.vector_registers >= 1
        assert all(size > 0 for size in facts.cache_bytes.values())
        assert all(rate > 0 for rate in facts.peak_flops_per_s.values())
        assert all(rate > 0 for rate in facts.bandwidth_bytes_per_s.values())
        assert set(facts.peak_flops_per_s) <= {str(dtype) for dtype in DType}
        assert facts.source or not (facts.peak_flops_per_s or facts.bandwidth_bytes_per_s)

    def test_facts_do_not_change(self, target: Target) -> None:
        """They are part of cache keys."""
        assert target.facts() == target.facts()

    def test_every_device_is_found_by_its_name(self, target: Target) -> None:
        """Workers, artifacts and `--device` name a target for a device by `full_name`."""
        assert TARGETS.get(target.full_name).facts() == target.facts()
        for device in target.devices():
            named = TARGETS.get(target.on(device).full_name)
            assert named.name == self.name
            assert named.facts() == target.on(device).facts()
        with pytest.raises(UsageError):
            target.on("no such device")

    def test_default_pipeline_is_among_its_own(self, target: Target) -> None:
        """One default pipeline per target serves every payload."""
        found = list_pipelines([target.pipelines()])
        assert found[target.default_pipeline()].is_relative_to(target.pipelines())

    def test_default_choices_are_legal_for_any_shape(self, target: Target) -> None:
        """A pipeline always runs without parameters: odd, prime and unit sizes too."""
        motifs = _motifs()
        assert len(motifs) >= 4
        for motif in motifs:
            knobs, default = target.knobs(motif), target.default_choice(motif)
            assert type(default) in (knobs or (type(None),))
            assert set(knobs) <= set(target.all_knobs())
            if default is not None:
                target.check_choice(motif, default)

    def test_candidates_are_legal(self, target: Target) -> None:
        """Tuners and cost models take them from the knobs and build each."""
        for motif, knobs in _choosable(target):
            for candidate in itertools.islice(knobs.candidates(motif, target.facts()), 50):
                target.check_choice(motif, candidate)

    def test_unknown_parameters_are_refused(self, target: Target) -> None:
        """A misspelt row of a lock file must not pass silently."""
        for knobs in target.all_knobs():
            with pytest.raises(BellrockError, match="no_such_parameter"):
                knobs.from_mapping({"no_such_parameter": 1})

    def test_artifact_is_code_with_an_entry(self, compiled: Compiled) -> None:
        """An artifact can be stored and loaded in another process: it is bytes and names."""
        artifact = compiled.artifact
        assert artifact.objects
        assert all(isinstance(code, bytes) and code for code in artifact.objects)
        assert artifact.entry
        assert artifact.workspace_bytes >= 0

    def test_equal_payloads_give_equal_code(self, compiled: Compiled, tmp_path: Path) -> None:
        """Code is a function of its inputs, or the cache could not be trusted."""
        again = compile_payload(payload_of(MATMUL), target=self.name, cache_dir=tmp_path)
        assert again.artifact == compiled.artifact

    def test_every_result_is_written(self, compiled: Compiled) -> None:
        """Buffers are poisoned first, so a result that is left alone shows."""
        out = np.full((7, 5), POISON)
        load(compiled)(_operands(), out=[out])
        assert not np.isnan(out).any()

    def test_arguments_are_left_alone(self, compiled: Compiled) -> None:
        """Parameters of a model are passed by address and used again."""
        arguments = _operands()
        load(compiled)(arguments)
        assert all(np.array_equal(a, b) for a, b in zip(arguments, _operands(), strict=True))

    def test_calls_from_threads_agree(self, compiled: Compiled) -> None:
        """A loaded program may be called from several threads at once."""
        executable = load(compiled)
        (expected,) = executable(_operands())
        with ThreadPoolExecutor(4) as pool:
            runs = list(pool.map(lambda _: executable(_operands())[0], range(16)))
        assert all(np.array_equal(run, expected) for run in runs)

    def test_an_artifact_can_be_loaded_twice(self, compiled: Compiled) -> None:
        """Two loads are two programs; neither disturbs the other."""
        first, second = load(compiled), load(dataclasses.replace(compiled))
        assert np.array_equal(first(_operands())[0], second(_operands())[0])
        assert np.array_equal(first(_operands())[0], second(_operands())[0])


class ComputingTargetContract(TargetContract):
    """For targets whose programs compute: everything above, and right answers."""

    tolerance: ClassVar[float] = 1e-4

    def test_matmul_is_right(self, compiled: Compiled) -> None:
        """One contraction with an epilogue, of sizes that no tile divides."""
        a, b, c = _operands()
        assert np.allclose(load(compiled)((a, b, c))[0], a @ b + c, atol=self.tolerance)

    def test_chain_is_right(self, tmp_path: Path) -> None:
        """Two equal contractions in a row: one kernel or two, and a buffer between them."""
        compiled = compile_payload(payload_of(MATMUL_CHAIN), target=self.name, cache_dir=tmp_path)
        a = _random(11, 11, seed=3)
        assert np.allclose(load(compiled)((a,))[0], a @ a @ a, atol=self.tolerance * 10)

    def test_elementwise_is_right(self, tmp_path: Path) -> None:
        """A prime number of elements, and a unit dimension."""
        compiled = compile_payload(payload_of(ELEMENTWISE), target=self.name, cache_dir=tmp_path)
        a = _random(1, 13, seed=4)
        assert np.allclose(load(compiled)((a,))[0], np.exp(a) + a, atol=self.tolerance)


def _motifs() -> list[Motif]:
    return motifs_of(MATMUL, MATMUL_CHAIN, ELEMENTWISE)


def _choosable(target: Target) -> list[tuple[Motif, type[Knobs]]]:
    """The motifs that the target has parameters for, with each class of parameters."""
    return [(motif, knobs) for motif in _motifs() for knobs in target.knobs(motif)]


def _random(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _operands() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _random(7, 3, seed=0), _random(3, 5, seed=1), _random(7, 5, seed=2)
