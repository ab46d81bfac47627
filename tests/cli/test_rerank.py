"""`s2s rerank`, and `s2s score --source`, with models of random weights."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from tests.folders import letters_of, write_model

SOURCES = ["abc", "", "cab", "bb"]
UNKNOWN = "⁇"
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, sources, and their n-best lists in text and JSON."""
    folder = tmp_path_factory.mktemp("rerank")
    for seed, name in enumerate(("first", "second")):
        write_model(folder / name, letters_of(["abc"]), seed=seed, scale=3.0)
    (folder / "sources").write_text("\n".join(SOURCES), encoding="utf-8")
    for name, shape in (("text", ["--nbest", "4"]), ("json", ["--nbest", "4", "--json"])):
        words = ["translate", "-m", str(folder / "first"), *shape, str(folder / "sources")]
        result = CliRunner().invoke(app, [*words, "-o", str(folder / name)])
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def run(lists: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(lists)

    def invoke(*words: str, given: str | None = None) -> Result:
        return CliRunner().invoke(app, [*words, "--device", "cpu"], input=given)

    return invoke


def rows_of(text: str) -> list[list[str]]:
    return [line.split(" ||| ") for line in text.splitlines()]


def test_the_own_model_alone_gives_back_the_list(lists: Path, run: Run) -> None:
    listed = rows_of((lists / "text").read_text(encoding="utf-8"))
    words = ["-m", "first", "--weight", "0", "--weight", "1", "--nbest", "4"]
    result = run("rerank", "text", "--source", "sources", *words)
    assert result.exit_code == 0, result.stderr
    found = {(row[0], row[1]): float(row[3]) for row in rows_of(result.stdout)}
    assert found.keys() == {(row[0], row[1]) for row in listed}
    for index, text, score in listed:
        # a run of unknown characters is read as one token
        assert UNKNOWN in text or found[index, text] == pytest.approx(float(score), abs=2e-4)
    of_json = rows_of(run("rerank", "json", *words).stdout)
    assert [row[:2] for row in of_json] == [row[:2] for row in rows_of(result.stdout)]


def test_weights_add_the_scores_of_all_models_in_both_directions(lists: Path, run: Run) -> None:
    weights = (0.5, 1.0, 2.0, 0.25)
    given = [word for weight in weights for word in ("--weight", str(weight))]
    models = ["-m", "first", "-m", "second", "--reverse", "second"]
    result = run("rerank", *models, *given, "--json", given=(lists / "json").read_text())
    assert result.exit_code == 0, result.stderr
    for line, row in zip(SOURCES, result.stdout.splitlines(), strict=True):
        record = json.loads(row)
        assert record["source"] == line
        if not line:
            assert record["hypotheses"] == [] and record["translation"] == ""
            continue
        (best,) = record["hypotheses"]
        assert best["text"] == record["translation"]
        total = sum(w * score for w, score in zip(weights, best["scores"], strict=True))
        assert best["score"] == pytest.approx(total, abs=1e-5)
        for model, pair, column in (
            ("second", f"{line}\t{best['text']}", 2),
            ("second", f"{best['text']}\t{line}", 3),
        ):
            scored = run("score", "-m", model, "--length-penalty", "1", given=pair)
            assert float(scored.stdout) == pytest.approx(best["scores"][column], abs=2e-4)


def test_the_order_follows_the_sum_and_one_line_is_written_for_each_source(run: Run) -> None:
    ranked = rows_of(run("rerank", "json", "-m", "second", "--nbest", "4").stdout)
    for index in ("0", "2", "3"):
        scores = [float(row[3]) for row in ranked if row[0] == index]
        assert scores == sorted(scores, reverse=True) and len(scores) > 1
    best = {row[0]: row[1] for row in reversed(ranked)}
    lines = run("rerank", "json", "-m", "second", "-o", "out")
    assert lines.exit_code == 0 and lines.stdout == ""
    assert Path("out").read_text().splitlines() == [best[str(n)].strip() for n in range(4)]


def test_a_hypothesis_that_a_model_cannot_score_ranks_last(run: Run) -> None:
    given = json.dumps(
        {
            "line": 1,
            "source": "ab",
            "hypotheses": [{"text": "a" * 5000, "score": 0.0}, {"text": "a", "score": -9.0}],
        }
    )
    result = run("rerank", "-m", "first", given=f"{given}\n")
    assert result.exit_code == 3 and result.stdout == "a\n"
    assert "hypotheses that a model could not score, ranked last: 1" in result.stderr


@pytest.mark.parametrize(
    ("words", "status", "fault"),
    [
        (["json"], 2, "give a model that scores the hypotheses: --model DIR or --reverse DIR"),
        (["json", "-m", "first", "--weight", "1"], 2, "1 times --weight: expected 2"),
        (["json", "-m", "first", "--weight", "1", "--weight", "inf"], 2, "--weight inf: expected"),
        (["text", "-m", "first"], 65, "text: a list in text has no sources"),
        (["json", "-m", "first", "--source", "sources"], 2, "its sources: leave --source out"),
        (["none", "-m", "first"], 66, "none: no such file"),
        (["json", "-m", "nowhere"], 66, "nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    run: Run, words: list[str], status: int, fault: str
) -> None:
    result = run("rerank", *words)
    assert result.exit_code == status and fault in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not result.stdout


def test_the_hypotheses_of_a_list_are_scored(lists: Path, run: Run) -> None:
    listed = rows_of((lists / "text").read_text(encoding="utf-8"))
    scored = run("score", "-m", "first", "--source", "sources", "--lenpen", "1", "text")
    assert scored.exit_code == 0, scored.stderr
    for line, row in zip(scored.stdout.splitlines(), listed, strict=True):
        known = row[1].strip() and UNKNOWN not in row[1]
        assert not known or float(line) == pytest.approx(float(row[2]), abs=2e-4)
    result = run("score", "-m", "first", "--source", "sources", given="9 ||| a ||| 0\na\n")
    assert result.exit_code == 3 and result.stdout == "\n\n"
    assert "the hypothesis of source 9, and there are 4 sources" in result.stderr
    result = run("score", "-m", "first", "--source", "sources", "--one-column", "text")
    assert result.exit_code == 2 and "leave --one-column out" in result.stderr
