"""The page: whole in one file, with pictures of what there is, and no markup from outside."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from bellrock.bench.record import (
    BaselineInfo,
    FactsInfo,
    FailureInfo,
    Outcome,
    ProblemInfo,
    Record,
    RooflineInfo,
    SpeedupInfo,
    Status,
    TargetInfo,
    TimeInfo,
)
from bellrock.report.html import pictures, to_html

FACTS = FactsInfo(
    device="d", cores=2, vector_bits=512, peak_flops_per_s={"f32": 2e11},
    bandwidth_bytes_per_s={"DRAM": 3e10},
)  # fmt: skip


def _time(median: float) -> TimeInfo:
    return TimeInfo(
        median_s=median, p05_s=median, p95_s=median, ci95_s=(median, median), runs=9, mode="hot"
    )


def _measured(number: int) -> Record:
    ratio = 0.5 + number / 10
    return Record(
        problem=ProblemInfo(name=f"problem {number}", source="", sha256=""), dtype="f32",
        target=TargetInfo(name="cpu", facts=FACTS), status=Status.OK, time=_time(1.0),
        compile_seconds=1.0 + number,
        baselines={"inductor": BaselineInfo(time=_time(ratio), compile_seconds=3.0)},
        speedup={
            "inductor": SpeedupInfo(ratio=ratio, ci95=(ratio, ratio), outcome=Outcome.SAME)
        },
        roofline=RooflineInfo(
            bound="memory", peak_fraction=0.5, limit_s=0.5, intensity_flops_per_byte=0.5,
            achieved_flops_per_s=1e9,
        ),
    )  # fmt: skip


def _failed(message: str) -> Record:
    return Record(
        problem=ProblemInfo(name="<b>bold</b>", source="", sha256=""), dtype="f32",
        target=TargetInfo(name="cpu"), status=Status.CRASHED,
        failure=FailureInfo(stage="run", exception="SIGSEGV", message=message),
    )  # fmt: skip


class _Page(HTMLParser):
    """Counts what matters, and checks that elements nest."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


RECORDS = [*(_measured(i) for i in range(12)), _failed("a <script>alert(1)</script> & b")]


@pytest.fixture(scope="module")
def page() -> str:
    return to_html(RECORDS)


def test_the_page_is_well_formed_and_has_its_parts(page: str) -> None:
    parser = _Page()
    parser.feed(page)
    assert parser.open == []
    assert parser.seen.count("svg") == 3
    assert parser.seen.count("tr") == 1 + 13
    assert parser.seen.count("details") == 1


def test_nothing_is_fetched(page: str) -> None:
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert not re.search(r"https?://|//cdn|@import|url\((?!#)", without_namespaces)
    assert not re.search(r"<(link|img|iframe|object)\b", page)


def test_what_comes_from_problems_is_text(page: str) -> None:
    assert "<b>bold</b>" not in page
    assert "alert(1)" in page
    assert "<script>alert" not in page


def test_equal_records_give_equal_pages(page: str) -> None:
    again = to_html(
        [*(_measured(i) for i in range(12)), _failed("a <script>alert(1)</script> & b")]
    )
    assert again == page


def test_marks_have_tooltips(page: str) -> None:
    assert "<title>problem 3: 0.80x (0.80 to 0.80), same</title>" in page


def test_pictures_without_data_are_left_out() -> None:
    assert pictures([_failed("m")]) == ()
    no_facts = _measured(1).model_copy(update={"target": TargetInfo(name="cpu")})
    assert [p.title for p in pictures([no_facts])] == [
        "Speed-up over inductor",
        "Compile time beside inductor",
    ]


def test_many_problems_still_fit() -> None:
    assert "problem 70:" in pictures([_measured(i) for i in range(80)])[0].svg


def test_no_record_is_a_page_too() -> None:
    assert "0 of 0 ok" in to_html([])
