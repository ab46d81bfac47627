import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from s2scli.data.cleaning import is_blank
from s2scli.data.codecs.audio import AudioCodec
from s2scli.data.stream import Line, Overlong
from s2scli.errors import ConfigError, CorpusError
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.settings import SearchSettings
from s2scli.sides import Sound
from s2scli.translation.lines import join_text, join_translations, plan_line
from s2scli.translation.options import Options, Wanted
from s2scli.translation.records import Record
from s2scli.translation.results import Translation
from tests.sounds import RATE, saying, silence, write_wav
from tests.translation.stub import StubEngine, stub_translator

SETTINGS = SearchSettings()


def translate_lines(
    given: list[Line], engine: StubEngine, overlong: Overlong = "split"
) -> list[Record]:
    options = Options(SETTINGS, overlong, Wanted(attention=True))
    return list(stub_translator(engine).translate(given, options))


def translations(*texts: str, attention: bool = True) -> list[Translation]:
    options = Options(SETTINGS, wanted=Wanted(attention))
    found = [one.translation for one in stub_translator().translate(lines(*texts), options)]
    return [one for one in found if one is not None]


def lines(*texts: str) -> list[Line]:
    return [Line("f", number, text) for number, text in enumerate(texts, 1)]


def outcomes(records: list[Record]) -> list[tuple[str, str]]:
    return [(record.status, record.text) for record in records]


def test_blank_lines_do_not_reach_the_model() -> None:
    stub = StubEngine()
    records = translate_lines(lines("a", "", " \t\u3000\xa0", "b"), stub)
    assert outcomes(records) == [("ok", "A"), ("empty", ""), ("empty", ""), ("ok", "B")]
    assert stub.batches == [["a", "b"]]


def test_no_text_no_call() -> None:
    stub = StubEngine()
    assert outcomes(translate_lines(lines("", ""), stub)) == [("empty", "")] * 2
    assert translate_lines([], stub) == []
    assert stub.batches == []


def test_a_search_that_finds_nothing_has_failed() -> None:
    (record,) = translate_lines(lines("silence"), StubEngine())
    assert (record.status, record.text) == ("failed", "")
    assert record.fault == "the search found no output that meets all demands"


@given(st.lists(st.sampled_from(["a", "boom", "", "b c", "boom x"]), max_size=20))
def test_a_failure_harms_no_other_line(texts: list[str]) -> None:
    records = translate_lines(lines(*texts), StubEngine())
    assert outcomes(records) == [
        ("failed", "") if "boom" in text else ("ok" if text else "empty", text.upper())
        for text in texts
    ]
    for record in records:
        assert ("RuntimeError: the network fell over" in record.fault) == (
            record.status == "failed"
        )


def test_one_failure_costs_few_more_searches() -> None:
    stub = StubEngine()
    translate_lines(lines(*["a"] * 100, "boom"), stub)
    assert len(stub.batches) < 20


def test_a_wrong_setting_is_no_failure_of_a_line() -> None:
    class Refusing(StubEngine):
        def search(self, *arguments: object, **named: object) -> list[tuple[Hypothesis, ...]]:
            raise ConfigError("wrong")

    with pytest.raises(ConfigError, match="wrong"):
        translate_lines(lines("a"), Refusing())


LONG = "one two three four. five six seven eight nine ten."


def test_long_lines_are_split_and_joined() -> None:
    stub = StubEngine()
    (record,) = translate_lines(lines(LONG), stub, "split")
    assert (record.status, record.text, record.overlong) == ("ok", LONG.upper(), True)
    assert stub.batches == [["one two three four.", "five six seven eight nine ten."]]


def test_exactly_as_long_as_it_may_be_is_not_too_long() -> None:
    (fits, too_long) = translate_lines(
        lines("a b c d e f g h", "a b c d e f g h i"), StubEngine(), "empty"
    )
    assert (fits.status, fits.overlong) == ("ok", False)
    assert (too_long.status, too_long.overlong) == ("empty", True)


def test_long_lines_are_truncated() -> None:
    (record,) = translate_lines(lines(LONG), StubEngine(), "truncate")
    assert record.text == "ONE TWO THREE FOUR. FIVE SIX SEVEN EIGHT"
    assert record.overlong


def test_long_lines_are_refused() -> None:
    with pytest.raises(
        CorpusError, match=r"f, line 2: too long, the model accepts at most 8 tokens; .*split"
    ):
        translate_lines(lines("a", LONG), StubEngine(), "error")


def test_a_part_that_fails_fails_the_line() -> None:
    (record,) = translate_lines(lines(f"{LONG} boom"), StubEngine())
    assert (record.status, record.text) == ("failed", "")


def test_a_line_whose_parts_cannot_be_joined_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> Translation:
        raise MemoryError("no room")

    monkeypatch.setattr("s2scli.translation.lines.join_translations", fail)
    records = translate_lines(lines("a", LONG, "b"), StubEngine())
    assert [(one.status, one.text, one.fault) for one in records] == [
        ("ok", "A", ""),
        ("failed", "", "MemoryError: no room"),
        ("ok", "B", ""),
    ]


def test_of_a_line_cut_by_the_reader_no_part_is_passed_off_as_the_whole() -> None:
    cut = [Line("f", 1, "a b", cut=True)]
    (split,) = translate_lines(cut, StubEngine(), "split")
    assert (split.status, split.fault) == ("failed", "longer than 10,000,000 bytes")
    (truncated,) = translate_lines(cut, StubEngine(), "truncate")
    assert (truncated.status, truncated.text, truncated.overlong) == ("ok", "A B", True)


def test_joined_translations_keep_scores_and_attention_apart() -> None:
    parts = translations("a b", "c")
    whole = join_translations("a b c", parts, ["", " ", ""], SearchSettings(length_penalty=0.5))
    (found,) = whole.hypotheses
    assert whole.source_pieces == ("a", "b", "</s>", "c", "</s>")
    assert found.pieces == ("A", "B", "</s>", "C", "</s>")
    assert found.score == pytest.approx(5 * -0.5 / 5**0.5)
    assert found.attention is not None
    np.testing.assert_array_equal(found.attention, np.eye(5)[:, None])
    bare = join_translations("a", translations("a", attention=False), ["", ""], SETTINGS)
    assert bare.hypotheses[0].attention is None


def test_words_of_parts_that_are_joined_without_a_space_are_not_those_of_tokens() -> None:
    spaced = join_translations("a b c", translations("a b", "c"), ["", " ", ""], SETTINGS)
    assert spaced.word_alignment(spaced.hypotheses[0]) == [(0, 0), (1, 1)]  # "ab" and "c"
    glued = join_translations("a bc", translations("a b", "c"), ["", "", ""], SETTINGS)
    assert glued.word_alignment(glued.hypotheses[0]) is None
    assert glued.token_alignment(glued.hypotheses[0]) is not None


@pytest.mark.parametrize(
    ("parts", "between", "joined"),
    [
        (["We ran.", "We hid."], [" "], "We ran. We hid."),
        (["We ran.", "We hid."], [""], "We ran. We hid."),
        (["我们跑了。", "我们躲了。"], [" "], "我们跑了。我们躲了。"),
        (["我们跑了。", "我们躲了。"], ["\n"], "我们跑了。\n我们躲了。"),
        (["달렸다.", "숨었다."], [""], "달렸다. 숨었다."),
        (["走る NBA", "犬"], [" "], "走る NBA 犬"),
        (["a", "b"], [" \t "], "a \t b"),
        (["", "a", "", "b"], [" ", " ", " "], "a b"),
        (["a", "", "b"], ["\n\n", " "], "a\n\nb"),
    ],
)
def test_parts_are_joined_with_the_space_of_their_sources(
    parts: list[str], between: list[str], joined: str
) -> None:
    assert join_text(parts, ["", *between, ""]) == joined
    assert join_text(parts, ["  ", *between, "\t"]) == f"  {joined}\t"


WORDS = st.sampled_from(
    ["We ran. ", "Dr. Who ", "a, b; c ", "  ", "\n", "x\ty", "1. One ", "我们。"]
)
TEXTS = st.lists(WORDS, max_size=12).map("".join) | st.text("aA.!? \n\t,", max_size=60)


@given(TEXTS, st.sampled_from([3, 100]))
def test_sentence_by_sentence_no_white_space_changes(text: str, most: int) -> None:
    (record,) = translate_sentences(lines(text), StubEngine(max_source_tokens=most))
    wanted = "" if is_blank(text) else text.upper()
    assert "".join(record.text.split()) == "".join(wanted.split())
    if not re.search("[我\n\t]", text):  # scripts without spaces and line breaks have rules
        assert record.text == wanted


def translate_sentences(given: list[Line], engine: StubEngine) -> list[Record]:
    options = Options(SETTINGS, wanted=Wanted(attention=True), unit="sentence")
    return list(stub_translator(engine).translate(given, options))


def test_each_sentence_is_translated_as_if_it_were_alone() -> None:
    sentences = ["We ran.", "Dr. Who hid!", "It was\n late.", "No?"]
    stub = StubEngine()
    (record,) = translate_sentences(lines("  ".join(sentences)), stub)
    assert stub.batches == [["We ran.", "Dr. Who hid!", "It was late.", "No?"]]
    assert record.text == "WE RAN.  DR. WHO HID!  IT WAS LATE.  NO?"
    assert record.status == "ok" and not record.overlong
    alone = translate_sentences(lines(*sentences), StubEngine())
    together = translate_sentences(lines(*sentences, "  ".join(sentences)), StubEngine())
    assert outcomes(together[:-1]) == outcomes(alone)
    tokens = [score for one in alone if one.best for score in one.best.token_scores]
    assert record.best and list(record.best.token_scores) == tokens


def test_a_sentence_that_is_too_long_is_split_at_its_clauses() -> None:
    stub = StubEngine(max_source_tokens=4)
    (record,) = translate_sentences(lines("We ran far, and we hid. No."), stub)
    assert stub.batches == [["We ran far,", "and we hid.", "No."]]
    assert (record.text, record.overlong) == ("WE RAN FAR, AND WE HID. NO.", True)


def test_one_sentence_keeps_all_hypotheses() -> None:
    options = Options(SearchSettings(n_best=2), unit="sentence")
    one, two = stub_translator().translate(lines(" We ran. ", "We ran. No."), options)
    assert [found.text for found in one.hypotheses] == [" WE RAN. ", " WE RAN.! "]
    assert [found.text for found in two.hypotheses] == ["WE RAN. NO."]


@pytest.mark.parametrize(
    ("overlong", "status", "text"),
    [("empty", "empty", ""), ("truncate", "ok", "ONE TWO THREE. NO.")],
)
def test_the_other_answers_to_a_long_sentence(overlong: Overlong, status: str, text: str) -> None:
    engine, given = StubEngine(max_source_tokens=3), lines("One two three. four five. No.")
    options = Options(SETTINGS, overlong, unit="sentence")
    (record,) = stub_translator(engine).translate(given, options)
    assert (record.status, record.text, record.overlong) == (status, text, True)


@pytest.mark.parametrize("name", [" a.wav", "a.wav ", "  a.wav\t"])
@pytest.mark.parametrize(("most", "overlong"), [(99, "split"), (60, "split"), (60, "truncate")])
def test_white_space_around_the_name_of_a_recording_is_part_of_the_name(
    tmp_path: Path, name: str, most: int, overlong: Overlong
) -> None:
    write_wav(tmp_path / name, np.concatenate([saying("low"), silence(2.5), saying("high")]))
    codec = AudioCodec(Sound(RATE), folder=tmp_path)
    plan = plan_line(Line("list", 1, name), codec, most, overlong)
    assert not plan.fault and not any(plan.spaces)
    assert len(plan.parts) == (1 if overlong == "truncate" else 2)


def test_a_recording_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def read_sound(name: str, limits: object) -> NDArray[np.int16]:
        read.append(name)
        return (8000 * np.sin(np.arange(24_000) / 3)).astype(np.int16)

    monkeypatch.setattr("s2scli.data.codecs.audio.read_sound", read_sound)
    ways: list[tuple[int, Overlong]] = [(1000, "split"), (25, "split"), (25, "truncate")]
    for most, overlong in ways:
        plan = plan_line(Line("list", 1, "a.wav"), AudioCodec(Sound(8000)), most, overlong)
        assert plan.parts and not plan.fault
    assert read == ["a.wav"] * 3
