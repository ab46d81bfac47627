import json

import numpy as np
import pytest

from s2scli.data.codecs.text import one_line
from s2scli.data.stream import Line
from s2scli.search.settings import SearchSettings
from s2scli.translation.options import Options, Wanted
from s2scli.translation.records import (
    Record,
    RecordFormat,
    Shape,
    aligned,
    json_record,
    moses_record,
    plain_record,
    scored_record,
    token_alignment,
    word_alignment,
)
from s2scli.translation.results import TargetText, Translation
from tests.translation.stub import stub_translator

SEPARATORS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def record_of(text: str, n_best: int = 1, *, with_attention: bool = True) -> Record:
    options = Options(SearchSettings(n_best=n_best), wanted=Wanted(with_attention))
    (record,) = stub_translator().translate([Line("f", 1, text)], options)
    return record


def test_a_record_is_its_best_hypothesis() -> None:
    assert plain_record(0, record_of("a b"), one_line) == "A B"
    assert scored_record(0, record_of("a b"), one_line) == "-0.5000\tA B"


def test_moses_lists_number_lines_from_zero() -> None:
    listed = moses_record(4, record_of("a", n_best=2), one_line)
    assert listed == "4 ||| A ||| -0.5000\n4 ||| A! ||| -1.0000"


@pytest.mark.parametrize("text", ["", "boom", "silence"])
def test_without_a_hypothesis_there_is_still_a_record(text: str) -> None:
    record = record_of(text)
    assert plain_record(0, record, one_line) == ""
    assert scored_record(0, record, one_line) == "0.0000\t"
    assert moses_record(0, record, one_line) == "0 |||  ||| 0.0000"
    assert json.loads(json_record(0, record, one_line))["translation"] == ""


def test_json_tells_everything() -> None:
    document = json.loads(json_record(6, record_of("a b", n_best=2), one_line))
    second = document["hypotheses"].pop()
    assert second["text"] == "A B!"
    assert document == {
        "line": 7,
        "status": "ok",
        "source": "a b",
        "translation": "A B",
        "source_tokens": ["a", "b", "</s>"],
        "hypotheses": [
            {
                "text": "A B",
                "score": -0.5,
                "tokens": ["A", "B", "</s>"],
                "token_scores": [-0.5, -0.5, -0.5],
                "alignment": "0-0 1-1 2-2",
                "word_alignment": "0-0",  # the stub's pieces begin no words
            }
        ],
    }


def test_json_tells_why_a_line_failed() -> None:
    document = json.loads(json_record(0, record_of("boom"), one_line))
    assert document["status"] == "failed"
    assert document["fault"] == "RuntimeError: the network fell over"
    assert document["hypotheses"] == document["source_tokens"] == []


def test_a_model_without_attention_has_no_alignment() -> None:
    record = record_of("a", with_attention=False)
    (hypothesis,) = json.loads(json_record(0, record, one_line))["hypotheses"]
    assert hypothesis["alignment"] is hypothesis["word_alignment"] is None


PAIR = Translation(
    "the dog",
    ("▁the", "▁do", "g", "</s>"),
    tuple(
        TargetText(
            text,
            score,
            ("▁ein", "▁Hund", "</s>"),
            (-0.5,) * 3,
            (np.array(weights, np.float32)[:, None],),
        )
        for text, score, weights in (
            ("ein Hund", -0.5, [[0.6, 0.3, 0.1, 0.0], [0.1, 0.4, 0.5, 0.0], [0.0, 0.0, 0.0, 1.0]]),
            ("Hund ein", -1.0, [[0.1, 0.4, 0.5, 0.0], [0.3, 0.2, 0.1, 0.4], [1.0, 0.0, 0.0, 0.0]]),
        )
    ),
)


@pytest.mark.parametrize(
    ("threshold", "one", "two"), [(None, "0-0 1-1", "1-0"), (0.3, "0-0 1-0 1-1", "1-0 0-1 1-1")]
)
def test_word_alignments_stand_behind_the_bars(threshold: float | None, one: str, two: str) -> None:
    record = Record(Line("f", 1, "the dog"), "ok", translation=PAIR)

    def shown(record_format: RecordFormat) -> str:
        return aligned(record_format, threshold)(4, record, one_line)

    assert shown(plain_record) == f"ein Hund ||| {one}"
    assert shown(scored_record) == f"-0.5000\tein Hund ||| {one}"
    assert shown(moses_record).split("\n") == [
        f"4 ||| ein Hund ||| -0.5000 ||| {one}",
        f"4 ||| Hund ein ||| -1.0000 ||| {two}",
    ]


@pytest.mark.parametrize("text", ["", "boom", "silence"])
def test_without_a_hypothesis_nothing_stands_behind_the_bars(text: str) -> None:
    record = record_of(text)
    assert aligned(plain_record)(0, record, one_line) == " ||| "
    assert aligned(scored_record)(0, record, one_line) == "0.0000\t ||| "
    assert aligned(moses_record)(0, record, one_line) == "0 |||  ||| 0.0000 ||| "


def test_alignments_come_from_the_heads_that_align_best() -> None:
    maps = np.zeros((2, 6, 3), np.float32)  # three layers of two heads
    maps[..., 2] = 1.0
    maps[:, [1, 4]] = 0.0
    maps[0, [1, 4], 0] = maps[1, 1, 1] = 1.0
    maps[1, 4] = 0.4, 0.6, 0.0
    hypothesis = TargetText("x y", -1.0, ("▁x", "▁y"), (-0.5, -0.5), (maps,))
    found = Translation("a b", ("▁a", "▁b", "</s>"), (hypothesis,), attention_shape=(3, 2))
    heads = found.heads(hypothesis)
    assert heads is not None
    assert heads.weights.shape == (3, 2, 2, 3)
    assert (heads.weights[2, 0] == maps[:, 4]).all()
    assert word_alignment(found, hypothesis) == token_alignment(found, hypothesis) == "0-0 1-1"


@pytest.mark.parametrize("record_format", [plain_record, scored_record, moses_record, json_record])
def test_a_record_is_one_line_for_everybody(record_format: RecordFormat) -> None:
    text = SEPARATORS.join("ab") + "\x9b1m"
    assert len(record_format(0, record_of(text), one_line).splitlines()) == 1


def test_json_gives_the_source_back_as_it_was() -> None:
    text = f"a{SEPARATORS}\x9b\x1b b"
    shown = json_record(0, record_of(text), one_line)
    assert json.loads(shown)["source"] == text
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("shape", "name", "record_format"),
    [
        (Shape(), "text", plain_record),
        (Shape(scores=True), "text with scores", scored_record),
        (Shape(n_best=True), "n-best", moses_record),
        (Shape(json=True, n_best=True), "json", json_record),
    ],
)
def test_a_shape_names_its_format(shape: Shape, name: str, record_format: RecordFormat) -> None:
    assert (shape.name, shape.record_format) == (name, record_format)
    assert shape.is_plain == (name == "text")


def test_a_shape_with_alignments_appends_them() -> None:
    shape, record = Shape(scores=True, alignment=True, threshold=0.5), record_of("")
    assert shape.name == "text with scores with alignment of 0.5 and more"
    assert shape.record_format(0, record, one_line) == aligned(scored_record, 0.5)(
        0, record, one_line
    )
    assert not shape.is_plain
