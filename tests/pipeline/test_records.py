import json

import pytest

from s2scli.data.stream import Line
from s2scli.pipeline.lines import Record, translate_lines
from s2scli.pipeline.records import (
    RecordFormat,
    json_record,
    moses_record,
    one_line,
    plain_record,
    scored_record,
)
from s2scli.search.settings import SearchSettings
from tests.stub_translator import StubTranslator

SEPARATORS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def record_of(text: str, n_best: int = 1, *, with_attention: bool = True) -> Record:
    (record,) = translate_lines(
        [Line("f", 1, text)],
        StubTranslator(),
        SearchSettings(n_best=n_best),
        with_attention=with_attention,
    )
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
    assert json.loads(json_record(0, record, one_line))["hypotheses"][0]["alignment"] is None


@pytest.mark.parametrize("record_format", [plain_record, scored_record, moses_record, json_record])
def test_a_record_is_one_line_for_everybody(record_format: RecordFormat) -> None:
    text = SEPARATORS.join("ab") + "\x9b1m"
    assert len(record_format(0, record_of(text), one_line).splitlines()) == 1


def test_json_gives_the_source_back_as_it_was() -> None:
    text = f"a{SEPARATORS}\x9b\x1b b"
    shown = json_record(0, record_of(text), one_line)
    assert json.loads(shown)["source"] == text
    assert shown.isprintable()
