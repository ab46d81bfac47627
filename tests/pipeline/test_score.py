"""What the scores of a file add up to, and how they are written, by a stub that likes shouting."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2scli.data.codecs.text import one_line
from s2scli.data.stream import Line, StreamSettings
from s2scli.errors import CorpusError, MissingInputError
from s2scli.pipeline.score import ScoreFormats, Totals, Unit, log_prob, score
from s2scli.report.console import Talk
from s2scli.search.settings import ScoreSettings
from s2scli.translation.nbest import read_sources
from s2scli.translation.pairs import pairs_of
from s2scli.translation.records import Record, RecordFormat
from s2scli.translation.results import TargetText, Translation
from tests.sounds import saying, tone_translator, write_wav
from tests.translation.stub import StubEngine, stub_translator

HIT, MISS = math.log(0.5), math.log(0.125)
PAIRS = [("a b", "A B"), ("a  b", " A  b "), ("", "A"), ("a", ""), ("a b", "A"), ("what‽", "x‽")]
PIECES = st.text('a▁ä\u0301\u00a0\u2028\t\n "\\\x7f\0😀', min_size=1, max_size=3)
WORDS = st.sampled_from(["a", "b", "A", "B", "ä\u0301", "‽"])


def records(pairs: list[tuple[str, str]]) -> list[Record]:
    """Score pairs; where source and target are not of one length, the stub fails."""
    sources, targets = zip(*pairs, strict=True) if pairs else ((), ())
    return list(stub_translator().score(pairs_of("f", sources, targets)))


def totals_of(found: list[Record]) -> Totals:
    totals = Totals()
    for record in found:
        totals.add(record)
        totals.tally.add(record)
    return totals


def score_file(
    folder: Path,
    text: str,
    record_format: RecordFormat | None,
    *,
    engine: StubEngine | None = None,
    stream: StreamSettings | None = None,
    one_column: bool = False,
) -> tuple[Totals, list[str]]:
    (folder / "pairs.tsv").write_text(text)
    totals = score(
        [folder / "pairs.tsv"],
        folder / "scores",
        stub_translator(engine),
        ScoreSettings(one_column=one_column),
        stream or StreamSettings(),
        record_format,
        Talk(quiet=True),
    )
    return totals, (folder / "scores").read_text().splitlines()


@pytest.mark.parametrize(("name", "found"), [("pairs.tsv", 1), ("nbest", 2)])
def test_paths_are_looked_up_beside_the_file_that_names_them(
    tmp_path: Path, name: str, found: int
) -> None:
    pairs, sources = tmp_path / "pairs", tmp_path / "sources"
    for number, folder in enumerate((pairs, sources), 1):
        folder.mkdir()
        write_wav(folder / f"{number}.wav", saying("high", 0.05))
    (pairs / "pairs.tsv").write_text("1.wav\thigh\n2.wav\thigh\n")
    (pairs / "nbest").write_text("0 ||| high ||| -1\n1 ||| high ||| -1\n")
    (sources / "list").write_text("1.wav\n2.wav\n")
    totals = score(
        *([pairs / name], None, tone_translator(), ScoreSettings(), StreamSettings(), None),
        Talk(quiet=True),
        sources=read_sources(sources / "list") if name == "nbest" else None,
    )
    (lines,) = totals.tally.failed.first.values()
    assert totals.sentences == 1 and lines == [3 - found]


# units


@settings(deadline=None, max_examples=40)
@given(pairs=st.lists(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5), min_size=1))
def test_units_are_counted_over_lines_and_all_measure_the_same_nats(
    pairs: list[list[tuple[str, str]]],
) -> None:
    texts = [(" ".join(a for a, _ in pair), "  ".join(b for _, b in pair)) for pair in pairs]
    found = records(texts)
    totals = totals_of(found)
    lines = [log_prob(record.best) for record in found if record.best]
    assert totals.sentences == len(lines) == len(texts)
    assert totals.log_prob == pytest.approx(sum(lines))
    written = "".join(" ".join(target.split()) + "\n" for _, target in texts)
    ends = len(texts)
    counts = {
        "token": sum(len(record.best.pieces) for record in found if record.best),
        "character": len(written),
        "word": len(written.split()) + ends,
        "sentence": ends,
    }
    assert {unit.name: unit.count for unit in totals.units} == counts
    for unit in totals.units:
        assert unit.mean * unit.count == pytest.approx(totals.log_prob)
        assert unit.bits * unit.count == pytest.approx(-totals.log_prob / math.log(2))
        assert unit.perplexity == pytest.approx(math.exp(-unit.mean)) == 2**unit.bits
        assert unit.as_json()["perplexity"] == unit.perplexity


def test_a_file_adds_up_to_its_halves() -> None:
    found = records(PAIRS)
    whole, first, second = totals_of(found), totals_of(found[:2]), totals_of(found[2:])
    for name in ("log_prob", "sentences", "tokens", "words", "characters", "unknown_tokens"):
        halves = getattr(first, name) + getattr(second, name)
        assert getattr(whole, name) == pytest.approx(halves), name


def test_lines_without_a_score_count_for_nothing_but_themselves() -> None:
    document = totals_of(records(PAIRS)).as_json()
    counts = {name: document[name] for name in ("sentences", "empty", "failed", "unknown_tokens")}
    assert counts == {"sentences": 3, "empty": 1, "failed": 2, "unknown_tokens": 1}
    assert document["log_prob"] == pytest.approx(7 * HIT + MISS)
    assert list(document["per"]) == ["token", "character", "word", "sentence"]


def test_without_any_score_there_is_nothing_to_measure() -> None:
    totals = totals_of(records([("", "a"), ("a b", "c")]))
    for measure in (lambda: totals.units, totals.as_json):
        with pytest.raises(CorpusError, match="no pair to score in 2 lines"):
            measure()


def test_a_perplexity_beyond_all_floats_is_infinite_and_null() -> None:
    unit = Unit("sentence", 1, 2000 * math.log(0.5))
    assert unit.perplexity == math.inf
    assert unit.as_json()["perplexity"] is None
    assert unit.as_json()["bits"] == unit.bits == pytest.approx(2000)


# formats


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 10.0])
def test_the_formats_agree(penalty: float) -> None:
    formats = ScoreFormats(penalty)
    for index, record in enumerate(records(PAIRS)):
        plain, tokens, text = (
            write(index, record, one_line)
            for write in (formats.plain, formats.tokens, formats.json)
        )
        document = json.loads(text)
        shown, pieces, scores = tokens.split("\t")
        assert shown == plain == ("" if document["score"] is None else f"{document['score']:.4f}")
        assert pieces.split() == document["tokens"]
        assert [*map(float, scores.split())] == pytest.approx(document["token_scores"], abs=1e-4)
        assert (document["line"], document["status"]) == (index + 1, record.status)
        assert (document["source"], document["target"]) == PAIRS[index]
        assert ("fault" in document) == (record.status == "failed") == bool(record.fault)
        if record.best:
            log_prob = sum(document["token_scores"])
            assert document["log_prob"] == pytest.approx(log_prob, abs=1e-5)
            penalised = log_prob / len(document["tokens"]) ** penalty
            assert document["score"] == pytest.approx(penalised, abs=1e-5)
        else:
            assert (document["score"], document["log_prob"], scores) == (None, None, "")


@settings(deadline=None, max_examples=40)
@given(pieces=st.lists(PIECES, min_size=1, max_size=5))
def test_whatever_the_pieces_are_they_stand_on_a_line_beside_their_scores(
    pieces: list[str],
) -> None:
    forced = TargetText("", -1.0, tuple(pieces), (-1.0,) * len(pieces))
    record = Record(Line("f", 1, ""), "ok", "a", "b", Translation("a", ("a",), (forced,)))
    row = ScoreFormats().tokens(0, record, one_line)
    assert len(row.splitlines()) == 1
    _, shown, scores = row.split("\t")
    assert len(shown.split(" ")) == len(scores.split(" ")) == len(pieces)
    for piece, one in zip(pieces, shown.split(" "), strict=True):
        assert one == one_line("".join("▁" if letter.isspace() else letter for letter in piece))
    document = json.loads(ScoreFormats().json(0, record, one_line))
    assert document["tokens"] == pieces


# files


def test_every_line_is_answered_in_order_and_none_where_none_is_asked_for(tmp_path: Path) -> None:
    text = "a\tA\nno tab\n\nb\tA"
    totals, lines = score_file(tmp_path, text, ScoreFormats().plain)
    assert lines == [f"{2 * HIT:.4f}", "", "", f"{MISS + HIT:.4f}"]
    silent, nothing = score_file(tmp_path, text, None)
    assert nothing == []
    assert silent == totals
    assert (totals.tally.lines, totals.tally.empty, totals.tally.failed.count) == (4, 1, 1)


@pytest.mark.parametrize("window", [1, 3])
def test_the_window_changes_nothing(tmp_path: Path, window: int) -> None:
    text = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    stream = StreamSettings(window=window)
    expected = score_file(tmp_path, text, ScoreFormats().json)
    assert score_file(tmp_path, text, ScoreFormats().json, stream=stream) == expected


def test_a_sentence_alone_is_source_and_target(tmp_path: Path) -> None:
    plain = ScoreFormats().plain
    _, alone = score_file(tmp_path, "A b\n\n", plain, one_column=True)
    assert alone == score_file(tmp_path, "A b\tA b\n\n", plain)[1]
    totals, refused = score_file(tmp_path, "A\tA\n", plain, one_column=True)
    assert (refused, totals.tally.failed.count) == ([""], 1)


def test_what_is_there_stays_where_an_input_is_missing(tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("mine")
    inputs = [tmp_path / "none"]
    settings, stream, talk = ScoreSettings(), StreamSettings(), Talk(quiet=True)
    with pytest.raises(MissingInputError, match="none"):
        score(inputs, tmp_path / "scores", stub_translator(), settings, stream, None, talk)
    assert (tmp_path / "scores").read_text() == "mine"


@pytest.mark.parametrize("is_latent", [False, True])
def test_what_is_scored_of_a_latent_model_is_said(
    tmp_path: Path, is_latent: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pairs").write_text("a\tA\n")
    translator = stub_translator(StubEngine(is_latent=is_latent))
    settings, stream = ScoreSettings(), StreamSettings()
    score([tmp_path / "pairs"], tmp_path / "out", translator, settings, stream, None, Talk())
    said = "scores are log p(target | z) at the mean of q(z | source), without the KL term"
    assert (said in capsys.readouterr().err) == is_latent
