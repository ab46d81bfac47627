import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app


def run(folder: Path, *arguments: str) -> Result:
    words = arguments if arguments[0] == "prepare" else ("inspect", *arguments)
    return CliRunner().invoke(app, [*words, "-w", str(folder / "w")])


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    lines = (f"{n:0{n % 9 + 1}}\t{'x' * (n % 5 + 1)}{n}\x1b[31m\n" for n in range(100))
    (tmp_path / "corpus.tsv").write_text("".join(lines))
    assert run(tmp_path, "prepare", str(tmp_path / "corpus.tsv")).exit_code == 0
    return tmp_path


def test_it_shows_rows_splits_lengths_and_samples(prepared: Path) -> None:
    result = run(prepared, "corpus", "-n", "3")
    assert result.exit_code == 0
    cells = [re.split(r"\s{2,}", line.strip()) for line in result.stdout.split("\n")]
    assert ["read", "100"] in cells
    assert ["rows", "80", "10", "10"] in cells
    assert "characters in train" in result.stdout
    assert result.stdout.count("␛[31m") == 3
    assert "\x1b" not in result.stdout


def test_json_holds_the_same(prepared: Path) -> None:
    view = json.loads(run(prepared, "corpus", "--split", "test", "--json").stdout)
    assert view["split"] == "test"
    assert len(view["samples"]) == 5
    assert view["report"] == json.loads((prepared / "w/corpus/report.json").read_text())
    assert view["settings"]["normalization"] == "none"
    for side in ("sources", "targets"):
        assert sum(part[side] for part in view["lengths"]) == 10
    for part in view["lengths"]:
        assert part["longest"] == 2 * part["shortest"] - 1


def test_more_samples_than_rows_are_all_rows(prepared: Path) -> None:
    view = json.loads(run(prepared, "corpus", "--split", "test", "-n", "99", "--json").stdout)
    assert len({sample["line"] for sample in view["samples"]}) == 10


def test_no_samples_are_no_table(prepared: Path) -> None:
    assert "line of train" not in run(prepared, "corpus", "-n", "0").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--split", "dev"], 2, "--split dev: expected one of train, valid, test"),
        (["--html", "card.html", "--json"], 2, "--json has no effect with --html"),
        (["--html", "card.html", "-n", "3"], 2, "--samples has no effect with --html"),
        (["-w", "none"], 66, "no corpus here; make one: s2s prepare"),
    ],
)
def test_a_fault_is_one_line(
    tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    result = run(tmp_path, "corpus", *arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
