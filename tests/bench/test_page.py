"""The page of the benchmarks is what its results make of it, and nobody types a figure."""

import dataclasses
import re
from collections.abc import Sequence

import pytest

from tests.bench import rendering
from tests.bench.page import PAGE, PLACE, render
from tests.bench.results import FOLDER, Document, Machine, Result, read_all
from tests.bench.tables import TABLES, Render, Table

UNITS = "MB|GB|GFLOP/s|tokens/s|sentences/s|ms|s|seconds?|minutes?|hours?|times|BLEU"
FIGURE = re.compile(rf"(?<!\w)\d[\d.,]* ?(%|({UNITS})\b)")
MEASURED = Result(
    "measured", "", "2026-01-31", 12.5, 120, 0.25, {"A": "1"}, {"s2s": "0"}, [{"seconds": 1234}]
)


def one(title: str = "One") -> dict[str, Table]:
    return {"one": Table(title, ("tests/bench/test_page.py",), 2)}


def blank(*names: str) -> str:
    return "\n".join(f"<!-- table {name} -->\n<!-- end -->" for name in ("machines", *names))


def machine(name: str, result: Result | None) -> Machine:
    return Machine(name, {"cores": 2}, {"one": result} if result else {})


def test_the_page_is_rendered_from_the_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert render(text, read_all(FOLDER), TABLES) == text, "run python -m tests.bench --render"


def test_nobody_typed_a_figure() -> None:
    prose = PLACE.sub("", PAGE.read_text(encoding="utf-8"))
    assert [found[0] for found in FIGURE.finditer(prose)] == []


def test_what_a_typed_figure_is() -> None:
    for text in ("1,935 tokens/s", "0.4 %", "2.16 times", "26 minutes", "35.8 BLEU", "0.56 s"):
        assert FIGURE.search(text), text
    for text in ("3 + 3 layers", "blocks of 512 rows", "beam 5", "--limit-scale 2"):
        assert not FIGURE.search(text), text


def test_every_machine_has_its_result() -> None:
    states = (
        machine("Fast", MEASURED),
        machine("Lost", dataclasses.replace(MEASURED, state="failed", reason="no disk")),
        machine("New", None),
        machine("Poor", dataclasses.replace(MEASURED, state="skipped", reason="no data")),
        machine("Slow", dataclasses.replace(MEASURED, state="stopped", documents=[])),
    )
    text = render(f"Before.\n{blank('one')}\nAfter.", states, one())
    how = "2026-01-31, 12.5 seconds, load 0.25 before it; `A=1`; s2s 0."
    for line in (
        f"Fast: {how}",
        "| seconds | 1,234 |",
        f"Lost: failed (no disk); {how}",
        "New: not measured yet.",
        "Poor: skipped: no data.",
        f"Slow: stopped at its limit of 2.0 minutes; {how}",
    ):
        assert f"\n{line}\n" in text
    assert text.startswith("Before.\n") and text.endswith("\nAfter.")
    assert text.count("| seconds |") == 3  # a failed and a skipped one had documents too


def test_rendering_again_changes_nothing() -> None:
    machines = [machine("Fast", MEASURED)]
    text = render(blank("one"), machines, one())
    assert render(text, machines, one()) == text
    assert render(text, [], one()) == render(blank("one"), [], one())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (blank(), "table one has no place"),
        (blank("one", "two"), "table two is unknown"),
        (blank("one", "one"), "table one has two places"),
    ],
)
def test_places_and_tables_must_agree(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=f"the page of the benchmarks: {fault}"):
        render(text, [], one())


def test_numbers() -> None:
    values = (1234567, 0.123456, 12345.6, True, None, [1, 2.5], "text")
    expected = ["1,234,567", "0.1235", "12,350.0", "yes", "", "1, 2.5", "text"]
    assert [rendering.number(value) for value in values] == expected


def test_figures_of_any_document() -> None:
    documents = [{"table": "t", "load": [1], "some_key": {"a": 1, "b": {"c": 2}}, "d": "e"}]
    assert rendering.figures(documents)[2:] == [
        "| some key: a | 1 |",
        "| some key: b: c | 2 |",
        "| d | e |",
    ]


def test_figures_of_documents_with_the_same_keys() -> None:
    two: list[Document] = [{"a": number, "b": {"c": 2 * number}} for number in (1, 2)]
    assert rendering.figures(two)[1:] == [
        "| --- | --- | --- |",
        "| a | 1 | 2 |",
        "| b: c | 2 | 4 |",
    ]
    three = [*two, {"a": 3, "b": {"c": 6}}]
    assert rendering.figures(three)[0] == "| a | b: c |"
    assert rendering.figures(three)[2:] == ["| 1 | 2 |", "| 2 | 4 |", "| 3 | 6 |"]
    head = rendering.grid(("what", "value"), [])
    assert rendering.figures([*two, {"a": 3}]) == [
        *(*head, "| a | 1 |", "| b: c | 2 |", ""),
        *(*head, "| a | 2 |", "| b: c | 4 |", ""),
        *(*head, "| a | 3 |"),
    ]


def test_mappings_with_the_same_keys_are_a_table() -> None:
    found = {"a": {"x": {"p": 1, "q": 2}, "y": {"p": 3, "q": 4}}, "b": {"p": 5}, "c": 6}
    assert rendering.figures([found]) == [
        *(*rendering.grid(("what", "value"), []), "| b: p | 5 |", "| c | 6 |", ""),
        *(*rendering.grid(("a", "p", "q"), []), "| x | 1 | 2 |", "| y | 3 | 4 |"),
    ]
    assert rendering.figures([{"x": {"p": 1, "q": 2}, "y": {"p": 3, "q": 4}}]) == [
        *(*rendering.grid(("what", "p", "q"), []), "| x | 1 | 2 |", "| y | 3 | 4 |")
    ]


def contender(speed: int) -> Document:
    return {
        "tokens_per_second": speed,
        "tokens_per_second_range": [speed - 1, speed + 1],
        "tokens_per_cpu_second": 2 * speed,
        "memory_mb": {"peak": 70, "after_thirds": [1, 2, 3]},
        "share_outside_forward_backward_optimizer": 0.005,
    }


RACE: Document = {
    "corpus": "pairs",
    "target_tokens_per_update": 10,
    "padding_of_an_epoch": {"source": 0.03, "target": 0.02},
    "mflop_per_target_token": {"products_with_weights": 4.5, "attention_beside_them": 0.5},
    "gflops": {"torch's product": 100.0},
    "share_of_peak": {"s2s": 0.5, "peer": 0.25},
    "s2s": {"times_each_peer": {"peer": 2.0}, "times_each_peer_by_cpu_seconds": {"peer": 2.1}},
    "contenders": {"s2s": contender(200), "peer": contender(100)},
}
START = {"seconds": 1.5, "peak_mb": 400, "own_mb": 300}
RUN: Document = {
    "recipe": "tiny",
    "minutes_of_training": 5,
    "minutes_to_prepare_and_train": 5.5,
    "updates": 100,
    "epochs": 2.5,
    "bleu": 30.1,
    "interval": [29.0, 31.0],
}


@pytest.mark.parametrize(
    ("render", "documents", "expected"),
    [
        (rendering.training, [RACE], "| peer | 100 (99 to 101) | 2.0 | 2.1 | 0.25 | 70 |"),
        (rendering.training, [RACE], "| s2s | 200 (199 to 201) |  |  | 0.5 | 70 |"),
        (rendering.recipes, [RACE], "| s2s | 200 (199 to 201) | 400 | 70 |"),
        (
            rendering.quality,
            [{"runs": [RUN]}],
            "| tiny | 5 | 5.5 | 100 | 2.5 | 30.1 (29.0 to 31.0) |",
        ),
        (
            rendering.memory,
            [{"recipe": "tiny", "minutes": 9, "least_mb": [1, 2], "most_mb": [3, 4]}],
            "| tiny, 9 minutes, most | 3 | 4 |",
        ),
        (
            rendering.scale,
            [
                {
                    "rows": [
                        {"pairs": 10000, "padding": [0.01, 0.02]}
                        | dict.fromkeys(("in memory", "from disk", "resumed"), START)
                    ]
                }
            ],
            "| 10,000 | 1.5 | 400 | 300 | 1.5 | 1.5 | 1.0, 2.0 |",
        ),
        (
            rendering.search,
            [
                {
                    "model": "lstm",
                    "beam_size": beam,
                    "sentences_per_second": {"ours": 10.0 * beam, "peer": 5.0},
                    "ours over": {"peer": 2.0 * beam},
                }
                for beam in (5, 1)
            ],
            "| peer | 5.0 (10.0) | 5.0 (2.0) |",
        ),
        (
            rendering.engine,
            [
                {
                    "engine": "int8",
                    "beam_size": 5,
                    "cpu_seconds": {"ours": 1.5},
                    "ours over": {"directly, 32 examples": 0.98},
                }
            ],
            "| int8, beam 5 | 1.5 | 0.98 |",
        ),
    ],
)
def test_a_table_shows_its_documents(
    render: Render, documents: Sequence[Document], expected: str
) -> None:
    lines = render(documents)
    assert expected in lines
    heading, rule = lines[:2]
    assert heading.count("|") == rule.count("|") == expected.count("|")
