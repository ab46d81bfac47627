from collections.abc import Sequence
from pathlib import Path

import pytest

from s2scli.errors import UsageError
from s2scli.metrics.settings import MetricSettings
from s2scli.pipeline.evaluate import evaluate, evaluate_model
from s2scli.pipeline.evaluate_request import EvaluateRequest
from s2scli.pipeline.evaluation import Evaluation
from s2scli.pipeline.texts import Texts
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace
from tests.sounds import saying, tone_translator, write_wav
from tests.translation.stub import StubEngine, stub_translator

BARE = MetricSettings(resamples=0)


LOAD = "s2scli.pipeline.evaluate.load_in_torch"


def test_a_model_is_loaded_only_where_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(workspace: Workspace, models: Sequence[Path], device: str, int8: bool) -> Translator:
        raise AssertionError("loaded")

    (tmp_path / "lines").write_text("a b c d\n")
    request = EvaluateRequest(
        ("bleu",), hypothesis=tmp_path / "lines", reference=tmp_path / "lines"
    )
    monkeypatch.setattr(LOAD, load)
    found = evaluate(Workspace(tmp_path), request, {}, BARE, Talk(quiet=True))
    assert found.scores[0].value == pytest.approx(100.0)


def test_the_search_is_the_models_but_for_what_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(workspace: Workspace, models: Sequence[Path], device: str, int8: bool) -> Translator:
        assert (workspace.root, models, device) == (tmp_path, (tmp_path / "m",), "cpu")
        return stub_translator(StubEngine(settings=SearchSettings(length_penalty=0.25)))

    (tmp_path / "lines").write_text("a\n")
    request = EvaluateRequest(
        ("exact_match",),
        source=tmp_path / "lines",
        reference=tmp_path / "lines",
        models=(tmp_path / "m",),
        device="cpu",
    )
    given: Tree = {"beam_size": 2}
    monkeypatch.setattr(LOAD, load)
    found = evaluate(Workspace(tmp_path), request, given, BARE, Talk(quiet=True))
    assert (found.search["beam_size"], found.search["length_penalty"]) == (2, 0.25)


def test_paths_in_files_are_looked_up_beside_them_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, current = tmp_path / "table", tmp_path / "current"
    for folder, word in ((table, "high"), (current, "low")):
        folder.mkdir()
        write_wav(folder / "a.wav", saying(word, 0.05))
    (table / "sources").write_text("a.wav\n")
    (table / "references").write_text("high\n")
    monkeypatch.chdir(current)
    request = EvaluateRequest(
        ("exact_match",), source=table / "sources", reference=table / "references"
    )
    found = evaluate(
        Workspace(tmp_path), request, {}, BARE, Talk(quiet=True), translator=tone_translator()
    )
    assert found.scores[0].value == 100


def test_all_sentences_are_translated_together_and_in_order() -> None:
    sources = tuple(f"s{number}" for number in range(1200))
    texts = Texts("test split", sources, tuple(source.upper() for source in sources))
    stub = StubEngine()
    request = EvaluateRequest(("exact_match",))
    found = evaluate_model(
        texts, stub_translator(stub), SearchSettings(), request, BARE, Talk(quiet=True)
    )
    assert found.scores[0].value == 100.0
    assert len(stub.batches) == 3
    assert found.speed is not None
    assert found.speed.sentences_per_second == pytest.approx(1200 / found.speed.seconds)


def test_a_request_that_makes_no_sense_is_refused_before_anything_is_read() -> None:
    request = EvaluateRequest(
        ("perplexity",), hypothesis=Path("nowhere"), reference=Path("nowhere")
    )
    with pytest.raises(UsageError, match="--perplexity needs a model"):
        evaluate(Workspace(Path("nowhere")), request, {}, BARE, Talk(quiet=True))


ROWS = [("a b", "A B"), ("c d", "C X"), ("a b", "A Z"), ("c d", "C Y Z"), ("e", "F"), ("g", "G")]


def score_rows(
    rows: list[tuple[str, str]], stub: StubEngine, *metrics: str, multi_reference: bool
) -> Evaluation:
    sources, references = zip(*rows, strict=True)
    request = EvaluateRequest(metrics, multi_reference=multi_reference)
    texts = Texts("test split", sources, references)
    return evaluate_model(
        texts, stub_translator(stub), SearchSettings(), request, BARE, Talk(quiet=True)
    )


def test_with_several_references_any_may_be_right() -> None:
    """Against sets: a b is right by one of two; c d and e are wrong; the nearest decides."""
    stub = StubEngine()
    metrics = ("sequence_error_rate", "symbol_error_rate", "exact_match")
    found = score_rows(ROWS, stub, *metrics, multi_reference=True)
    outputs = {source: source.upper() for source, _ in ROWS}
    right = {source: {r for s, r in ROWS if s == source} for source in outputs}
    wrong = [source for source, output in outputs.items() if output not in right[source]]
    assert wrong == ["c d", "e"]
    sequence, symbol, exact = (score.value for score in found.scores)
    assert sequence == pytest.approx(100 * len(wrong) / len(outputs)) == 100 - exact
    assert symbol == pytest.approx(100 * (0 + 1 + 1 + 0) / (2 + 2 + 1 + 1))
    assert found.sentences == 4 == sum(map(len, stub.batches)), "each source is translated once"
    assert all(score.signature.endswith("|refs:closest") for score in found.scores)


def test_several_references_change_nothing_where_there_is_one() -> None:
    rows = list(dict(ROWS).items())
    metrics = ("bleu", "chrf", "ter", "exact_match", "symbol_error_rate")
    one, several = (
        score_rows(rows, StubEngine(), *metrics, multi_reference=multi) for multi in (False, True)
    )
    assert [score.value for score in one.scores] == [score.value for score in several.scores]
    assert one.sentences == several.sentences
    assert "refs:closest" not in one.scores[0].signature


def test_each_metric_chooses_its_own_reference() -> None:
    rows = [("a b c", "A B C D E"), ("a b c", "C B A"), ("a b c", "the A. x y z")]
    metrics = ("rouge1", "rouge2", "f1", "ter")
    found = score_rows(rows, StubEngine(), *metrics, multi_reference=True)
    rouge1, rouge2, f1, ter = (score.value for score in found.scores)
    assert rouge1 == f1 == 100 and rouge2 == pytest.approx(100 * 2 * 2 / 6)
    assert ter == pytest.approx(100 * 2 / 5)
    rules = [score.signature.rpartition("refs:")[2] for score in found.scores]
    assert rules == ["best-rouge1", "best-rouge2", "best-f1", "closest"]


@pytest.mark.parametrize("multi_reference", [False, True])
def test_there_is_an_output_for_every_pair(tmp_path: Path, multi_reference: bool) -> None:
    sources, references = zip(*ROWS, strict=True)
    request = EvaluateRequest(
        ("exact_match",), output=tmp_path / "out", multi_reference=multi_reference
    )
    texts = Texts("test split", sources, references)
    evaluate_model(texts, stub_translator(), SearchSettings(), request, BARE, Talk(quiet=True))
    outputs = (tmp_path / "out").read_text(encoding="utf-8").splitlines()
    assert outputs == [source.upper() for source in sources]


@pytest.mark.parametrize(("multi_reference", "repeats"), [(False, 2), (True, 2), (False, 0)])
def test_repeated_sources_are_hinted_at(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    multi_reference: bool,
    repeats: int,
) -> None:
    rows = ROWS if repeats else list(dict(ROWS).items())
    for name, side in (("source", 0), ("reference", 1)):
        (tmp_path / name).write_text("".join(f"{row[side]}\n" for row in rows))
    request = EvaluateRequest(
        ("exact_match",),
        source=tmp_path / "source",
        reference=tmp_path / "reference",
        multi_reference=multi_reference,
    )
    monkeypatch.setattr(LOAD, lambda *_: stub_translator())
    evaluate(Workspace(tmp_path), request, {}, BARE, Talk())
    said = capsys.readouterr().err
    hint = "2 of 6 pairs repeat the source of an earlier pair; --multi-reference scores each source"
    assert (hint in said) == (repeats == 2 and not multi_reference)


def test_the_table_has_each_source_once_with_several_references(tmp_path: Path) -> None:
    sources, references = zip(*ROWS, strict=True)
    request = EvaluateRequest(("bleu",), output=tmp_path / "out.tsv", multi_reference=True)
    texts = Texts("test split", sources, references)
    evaluate_model(texts, stub_translator(), SearchSettings(), request, BARE, Talk(quiet=True))
    rows = (tmp_path / "out.tsv").read_text(encoding="utf-8").splitlines()
    assert [row.split("\t")[:3] for row in rows] == [
        ["a b", "A B", "A B"],
        ["c d", "C X", "C D"],
        ["e", "F", "E"],
        ["g", "G", "G"],
    ]


def test_only_settings_that_are_not_the_models_own_are_changed() -> None:
    own = SearchSettings(beam_size=3)
    texts = Texts("test split", ("a",), ("A",))
    for search, changed in ((own, ()), (SearchSettings(), ("beam_size",))):
        translator = stub_translator(StubEngine(settings=own))
        request = EvaluateRequest(("exact_match",))
        found = evaluate_model(texts, translator, search, request, BARE, Talk(quiet=True))
        assert found.changed == changed
