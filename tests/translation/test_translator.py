"""One way from a line to a line, around an engine that is a stub."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from s2scli.data.codecs.audio import AudioCodec
from s2scli.data.codecs.cell import Relative, Stored
from s2scli.data.example import TokenIds, Values
from s2scli.data.stream import Line
from s2scli.errors import ConfigError, CorpusError
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.sides import Picture, Sides, Sound
from s2scli.special_ids import EOS_ID, UNK_ID
from s2scli.translation.options import Options, Wanted
from s2scli.translation.pairs import Pair, pairs_of
from s2scli.translation.translator import Translator
from tests.sounds import RATE, ToneCodec, ToneEngine, saying, silence, tone
from tests.translation.stub import StubEngine, stub_translator

SETTINGS = SearchSettings()


def lines(*texts: str) -> list[Line]:
    return [Line("f", number, text) for number, text in enumerate(texts, 1)]


def test_what_is_not_given_is_as_the_model_has_it() -> None:
    own = SearchSettings(beam_size=7, length_penalty=0.5)
    translator = stub_translator(StubEngine(settings=own))
    found = translator.settings({"length_penalty": 0.0})
    assert found == SearchSettings(beam_size=7, length_penalty=0.0)
    assert translator.settings({}) == own


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"command line: unknown setting beem_size"):
        stub_translator().settings({"beem_size": 1})
    with pytest.raises(ConfigError, match=r"my file: beam_size"):
        stub_translator().settings({"beam_size": 0}, "my file")


@pytest.mark.parametrize("window", [1, 2, 3, 100])
def test_windows_change_how_many_are_searched_together_and_nothing_else(window: int) -> None:
    engine = StubEngine()
    texts = ["a", "", "b c", "boom", "d"]
    found = stub_translator(engine).translate(lines(*texts), Options(SETTINGS, window=window))
    assert [record.text for record in found] == ["A", "", "B C", "", "D"]
    assert max(map(len, engine.batches)) <= window


def test_lines_are_read_no_further_than_the_window_that_is_asked_for() -> None:
    read: list[int] = []

    def endless() -> Iterator[Line]:
        for number in range(1, 1000):
            read.append(number)
            yield Line("f", number, "a")

    records = stub_translator().translate(endless(), Options(SETTINGS, window=10))
    assert [next(records).line.number for _ in range(10)] == list(range(1, 11))
    assert len(read) == 10


@pytest.mark.parametrize("score", [False, True])
def test_recordings_are_read_no_further_than_their_samples_fill_a_window(
    score: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    seconds = {"a": 3, "b": 1, "c": 1, "d": 9, "e": 1}
    sound = Sound(RATE)
    engine = ToneEngine(max_source_tokens=1000)
    translator = Translator(engine, AudioCodec(sound), ToneCodec(), Sides(sound))

    def read_sound(name: str, limits: object) -> Values:
        read.append(name)
        return tone(300, seconds[name])

    monkeypatch.setattr("s2scli.data.codecs.audio.read_sound", read_sound)
    monkeypatch.setattr("s2scli.translation.translator.WINDOW_BYTES", 3 * RATE * 2)
    found = (
        translator.score(pairs_of("f", [*seconds], ["low"] * len(seconds)))
        if score
        else translator.translate(lines(*seconds))
    )
    seen = [(record.source, len(read)) for record in found]
    assert seen == [("a", 1), ("b", 4), ("c", 4), ("d", 4), ("e", 5)]


def test_a_record_does_not_keep_the_samples_of_its_recording() -> None:
    sound = Sound(RATE)
    translator = Translator(ToneEngine(), AudioCodec(sound), ToneCodec(), Sides(sound))
    cell = Stored("a.wav", saying("low low low"))
    (record,) = translator.translate(lines(cell), Options(SETTINGS, "truncate"))
    assert record.translation and record.translation.source == "a.wav"
    assert type(record.translation.source) is str


def test_lines_before_one_that_is_refused_are_translated_first() -> None:
    long = " ".join("abcdefghi")
    options = Options(SETTINGS, overlong="error", window=10)
    records = stub_translator().translate(lines("a", "b", long, "c"), options)
    assert [next(records).text, next(records).text] == ["A", "B"]
    with pytest.raises(
        CorpusError, match="f, line 3: too long, the model accepts at most 8 tokens"
    ):
        next(records)


def test_each_line_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = StubEngine()
    encoded: list[str] = []
    encode = engine.codec.encode

    def counted(cell: str) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        encoded.append(cell)
        return encode(cell)

    monkeypatch.setattr(engine.codec, "encode", counted)
    translator = stub_translator(engine)
    list(translator.translate(lines("a b", "c", "")))
    assert [text for text in encoded if text.islower()] == ["a b", "c"]


def test_the_model_is_asked_only_for_what_is_wanted() -> None:
    asked: list[Wanted] = []

    class Asked(StubEngine):
        def search(
            self,
            sources: Sequence[TokenIds],
            settings: SearchSettings,
            wanted: Wanted,
            rules: Rules = NO_RULES,
        ) -> list[tuple[Hypothesis, ...]]:
            asked.append(wanted)
            return super().search(sources, settings, wanted, rules)

    for one in (Wanted(), Wanted(attention=True), Wanted(scores=False)):
        (record,) = stub_translator(Asked()).translate(lines("a"), Options(SETTINGS, wanted=one))
        assert asked[-1] == one
        assert record.best is not None
        assert (record.best.attention is not None) == one.attention


def test_pairs_are_scored_in_order_whatever_is_in_them() -> None:
    long = " ".join("abcdefghi")
    pairs = pairs_of("f", ["a", "", long, "b"], ["A", "x", "x", "x"])
    pairs.insert(1, Pair(Line("f", 9, "x"), fault="no TAB"))
    found = list(stub_translator().score(pairs, Options(SETTINGS, window=2)))
    assert [record.status for record in found] == ["ok", "failed", "empty", "failed", "ok"]
    assert [record.line for record in found] == [pair.line for pair in pairs]
    assert found[0].best is not None and found[0].best.first_choices == (True, True)
    assert found[3].fault == "too long: the source has 9 tokens, the model accepts at most 8"


def test_a_pair_that_makes_the_model_fail_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = StubEngine()
    force = engine.force

    def fails(sources, *others):  # type: ignore[no-untyped-def]
        if any("boom" in engine.codec.text(ids.tolist()) for ids in sources):
            raise RuntimeError("the network fell over")
        return force(sources, *others)

    monkeypatch.setattr(engine, "force", fails)
    found = list(stub_translator(engine).score(pairs_of("f", ["a", "boom", "b"], ["A"] * 3)))
    assert [record.status for record in found] == ["ok", "failed", "ok"]
    assert found[1].fault == "RuntimeError: the network fell over"


def test_a_hypothesis_becomes_text_and_padding_is_no_source() -> None:
    translator = stub_translator()
    ids = (*translator.target.encode("x y").tolist(), UNK_ID, EOS_ID)
    weights = np.ones((4, 1, 9), np.float32)
    found = translator.text_of(Hypothesis(ids, -1.5, (-0.5,) * 4, weights), 3)
    assert found.text == "x y‽"
    assert found.pieces == ("x", "y", "‽", "</s>")
    assert found.attention is not None and found.attention.shape == (4, 1, 3)
    assert (found.score, found.unknown_tokens) == (-1.5, 1)


class VotingEngine(ToneEngine):
    """Says low first, and high twice."""

    def hypotheses(
        self, values: Values, settings: SearchSettings, wanted: Wanted
    ) -> tuple[Hypothesis, ...]:
        assert wanted.all_times and settings.n_best == 3
        low, high = (ToneCodec.PIECES.index(f"▁{word}") for word in ("low", "high"))
        spans = {low: (0, 1), high: (2, 3)}
        return tuple(
            Hypothesis((id, EOS_ID), -0.5, (-0.25, -0.25), None, (), (spans[id],))
            for id in (low, high, high)
        )


def test_the_cue_is_that_of_the_chosen_hypothesis() -> None:
    sound = Sound(RATE)
    translator = Translator(VotingEngine(), AudioCodec(sound), ToneCodec(), Sides(sound))
    cell = Stored("a.wav", np.full(RATE // 5, 9000, np.int16))
    options = Options(SearchSettings(sample=True, mbr=3), wanted=Wanted(times=True))
    (record,) = translator.translate([Line("f", 1, cell)], options)
    assert record.text == "high" and record.translation
    (cue,) = record.translation.cues
    assert cue.text == "high" and [word.text for word in cue.words] == ["high"]
    assert cue.words[0].start > 0


def test_a_target_picture_is_looked_up_beside_the_file_of_its_pair(tmp_path: Path) -> None:
    folders = []

    class Codec(ToneCodec):
        def encode(self, cell: str, source: str = "") -> TokenIds:
            folders.append(cell.folder if isinstance(cell, Relative) else None)
            return super().encode(cell, source)

    sides = Sides(Sound(RATE), Picture(2, 2, 1))
    translator = Translator(ToneEngine(), AudioCodec(Sound(RATE)), Codec(), sides)
    cell = Stored("a.wav", np.full(RATE // 5, 9000, np.int16))
    for folder in (tmp_path, None):
        line = Line("f", 1, "a.wav\tlow", folder=folder)
        (record,) = translator.score([Pair(line, cell, "low")])
        assert (record.status, record.target) == ("ok", "low")
    assert folders == [tmp_path, None]


def test_a_picture_is_drawn_from_a_whole_recording_that_fits() -> None:
    sound = Sound(RATE)
    cell = Stored("a.wav", np.concatenate([saying("low"), silence(3), saying("low")]))
    for most, status in ((100, "ok"), (80, "failed")):
        engine, sides = ToneEngine(max_source_tokens=most), Sides(sound, Picture(8, 8, 1))
        translator = Translator(engine, AudioCodec(sound), ToneCodec(), sides)
        (record,) = translator.translate([Line("f", 1, cell)])
        assert record.status == status
        assert record.fault.startswith("too long: a picture is drawn from") == (status == "failed")
