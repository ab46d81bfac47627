"""`s2s inspect training` on the records of a run."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.inspecting import refused, run, run_json

UPDATES = [
    {"kind": "update", "step": s, "epoch": s / 10, "loss": 9 - s / 10, "seconds": 6.0 * s}
    for s in range(10, 60, 10)
]
VALIDATIONS = [
    {
        "kind": "validation",
        "step": step,
        "epoch": step / 10,
        "seconds": 6.0 * step,
        "scores": {"loss": 8 - bleu / 10, "bleu": bleu, "exact_match": 0.0},
        "best": best,
    }
    for step, bleu, best in ((0, 0.0, True), (30, 12.5, True), (50, 11.0, False))
]


@pytest.fixture
def metrics(tmp_path: Path) -> Callable[..., Path]:
    """Write lines of `metrics.jsonl` and return the workspace."""

    def write(*lines: object) -> Path:
        folder = tmp_path / "training"
        folder.mkdir()
        (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return tmp_path

    return write


def test_a_run_is_drawn(metrics: Callable[..., Path]) -> None:
    shown = run("training", "-w", metrics(*UPDATES, *VALIDATIONS)).stdout
    assert "training loss" in shown
    assert "● validation loss" in shown
    assert "validation bleu" in shown
    assert "validation exact_match" not in shown  # it never changed
    assert re.search(r"^step +30 +50 *$", shown, re.MULTILINE)
    assert re.search(r"^bleu +12.5 +11 *$", shown, re.MULTILINE)
    assert "\nflat: loss gained little or nothing in the last quarter of the updates (best" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_a_run_as_json(metrics: Callable[..., Path]) -> None:
    document = run_json("training", "-w", metrics(*UPDATES, *VALIDATIONS))
    assert document["best"]["step"] == 30
    assert document["outlook"]["trend"] == "flat"
    assert document["best"]["bleu"] == 12.5
    assert [line["step"] for line in document["updates"]] == [10, 20, 30, 40, 50]
    assert [line["step"] for line in document["validations"]] == [0, 30, 50]


def test_a_run_as_a_page(metrics: Callable[..., Path], tmp_path: Path) -> None:
    workspace, file = metrics(*UPDATES, *VALIDATIONS), tmp_path / "curves.html"
    result = run("training", "-w", workspace, "-o", file)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.replace("\n", "") == f"wrote {file}"
    page = file.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.count("<svg ") == 2  # the losses and bleu; exact_match never changed
    assert "best at step 30: 12.5" in page
    assert '<p class="note">flat: loss gained little or nothing in the last quarter' in page
    assert '<td class="n"><bdi>12.5</bdi></td><td class="n"><bdi>11</bdi></td></tr>' in page
    assert run("training", "-w", workspace, "-f", "html").stdout == page


def test_a_run_as_a_file_of_text_or_json(metrics: Callable[..., Path], tmp_path: Path) -> None:
    workspace = metrics(*UPDATES, *VALIDATIONS)
    for name, begins in (("a.txt", "⠤⠤ training loss"), ("a.json", "{\n")):
        assert run("training", "-w", workspace, "-o", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)
    line = refused(run("training", "-w", workspace, "-o", tmp_path / "a.png"), 2)
    assert "unknown suffix '.png'; expected one of .txt, .json, .html, .htm" in line


def test_a_run_that_recorded_nothing_is_refused(tmp_path: Path) -> None:
    line = refused(run("training", "-w", tmp_path), 66)
    assert "metrics.jsonl: no training history yet" in line


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "sonnet", "step": 1, "epoch": 0, "seconds": 1},
        {"kind": "update", "step": "x", "epoch": 0, "seconds": 1},
        {"kind": "update", "step": 1, "epoch": 0},
        {"kind": "validation", "step": 1, "epoch": 0, "seconds": 1, "scores": 3},
        {"kind": "update", "step": 1, "epoch": 0, "seconds": 1, "loss": [1]},
    ],
)
def test_a_record_of_another_kind_is_damage(
    record: dict[str, Any], metrics: Callable[..., Path]
) -> None:
    line = refused(run("training", "-w", metrics(record)), 65)
    assert re.search(r"metrics\.jsonl(, line 1)?: damaged", line)


def test_the_page_shows_machine_use_and_samples(metrics: Callable[..., Path]) -> None:
    use = {"busy_cores": 1.5, "tokens_per_second": 900.0, "learning_rate": 0.1}
    workspace = metrics(*({**update, **use} for update in UPDATES), *VALIDATIONS)
    sample = {"source": "<i>", "reference": "one", "output": "two"}
    log = [{"step": step, "samples": [sample]} for step in (0, 30)]
    lines = "".join(f"{json.dumps(line)}\n" for line in log)
    (workspace / "training" / "samples.jsonl").write_text(lines)
    page = workspace / "page.html"
    run("training", "-w", workspace, "-o", page, "-q")
    text = page.read_text()
    for title in ("busy processor cores", "target tokens per second", "learning rate"):
        assert f"<h3>{title}</h3>" in text
    assert "peak memory" not in text  # this run did not log it
    assert "<td><bdi>&lt;i&gt;</bdi></td>" in text and "<td><bdi>two</bdi></td>" in text
    assert not re.search(r"https?:|<script|<link|@import|url\(", text)
    assert len(run_json("training", "-w", workspace)["samples"]) == 2
