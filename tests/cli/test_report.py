"""`s2s report`: one page about a workspace."""

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from tests.cli.inspecting import refused
from tests.report.test_html import Reader
from tests.toy import write_corpus

CHAPTERS = ["corpus", "tokenizer", "model", "training", "scores", "errors", "attention"]
ENDING = ["machine", "commands"]


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_a_trained_workspace_has_every_chapter(trained_workspace: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    result = report("-w", trained_workspace, "-o", path, "--sentences", "2", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["report"] == str(path)
    assert document["chapters"] == [*CHAPTERS, *ENDING]
    page = path.read_text(encoding="utf-8")
    for name in document["chapters"]:
        assert f'<section id="{name}">' in page and f'<a href="#{name}">' in page
    words = ["evaluate", "-w", str(trained_workspace), "--json", "-q"]
    scores = json.loads(CliRunner().invoke(app, words).stdout)["scores"]
    assert document["scores"] == scores
    assert f"{scores[0]['value']:.2f}" in page
    assert page.count('<div class="map"') == 2


def test_the_page_loads_nothing(trained_workspace: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert report("-w", trained_workspace, "-o", path, "-q").exit_code == 0
    reader = Reader(path.read_text(encoding="utf-8"))
    assert "script" not in reader.tags and "link" not in reader.tags
    assert all(name != "src" for name, _ in reader.attributes)
    links = [value or "" for name, value in reader.attributes if name == "href"]
    assert links and all(link.startswith("#") for link in links)


def test_without_a_model_the_corpus_is_described(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "some corpus.tsv", 60)
    workspace = tmp_path / "workspace"
    words = ["prepare", str(corpus), "-w", str(workspace), "-q", "--max-length", "77", "--swap"]
    assert CliRunner().invoke(app, words).exit_code == 0
    result = report("-w", workspace, "--json")
    assert json.loads(result.stdout)["chapters"] == ["corpus", *ENDING]
    page = (workspace / "report.html").read_text(encoding="utf-8")
    command = ["s2s", "prepare", "some corpus.tsv", "--swap", "--max-length", "77"]
    assert shlex.join(command).replace("'", "&#x27;") in page


def test_a_dash_is_stdout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write_corpus(tmp_path / "corpus.tsv", 60)
    workspace = tmp_path / "workspace"
    words = ["prepare", str(corpus), "-w", str(workspace), "-q"]
    assert CliRunner().invoke(app, words).exit_code == 0
    monkeypatch.chdir(tmp_path)
    result = report("-w", workspace, "-o", "-")
    assert result.exit_code == 0 and result.stdout.startswith("<!doctype html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.tsv", "workspace"]


@pytest.mark.parametrize(
    ("words", "status", "named"),
    [
        (("--split", "none"), 2, "none"),
        (("-o", "missing/folder/report.html"), 74, "missing/folder"),
        (("-o", "-", "--json"), 2, "give a file for the page with -o"),
        (("--device", "cuda:99"), 78, "cuda:99"),
    ],
)
def test_refusals(words: tuple[str, ...], status: int, named: str, trained_workspace: Path) -> None:
    assert named in refused(report("-w", trained_workspace, *words), status)


def test_an_empty_workspace_says_how_to_make_a_corpus(tmp_path: Path) -> None:
    assert "s2s prepare" in refused(report("-w", tmp_path), 66)
    assert list(tmp_path.iterdir()) == []
