"""The history of a run, from lines written by hand."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from s2scli.errors import CheckpointError, MissingInputError
from s2scli.pipeline.inspect_training import History, inspect_training
from s2scli.workspace import Workspace


def update(step: int, **values: object) -> dict[str, object]:
    return {"kind": "update", "step": step, "epoch": step / 10, "seconds": 6.0 * step, **values}


def validation(step: int, best: object, **scores: object) -> dict[str, object]:
    return {**update(step, scores=scores, best=best), "kind": "validation"}


def read(folder: Path, *lines: object) -> History:
    """Write lines, those that are no text as JSON, and read them."""
    texts = [line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines]
    workspace = Workspace(folder)
    workspace.training.mkdir(exist_ok=True)
    (workspace.training / "metrics.jsonl").write_text("".join(texts))
    return inspect_training(workspace)


def test_updates_and_validations_are_told_apart_in_order(tmp_path: Path) -> None:
    lines = (validation(0, True, bleu=0.0), update(10, loss=3.0), validation(10, False, bleu=1.0))
    history = read(tmp_path, *lines, update(20, loss=2.0))
    assert [line.step for line in history.updates] == [10, 20]
    assert [line.step for line in history.validations] == [0, 10]
    last = history.updates[-1]
    assert (last.epoch, last.seconds, last.values, last.best) == (2.0, 120.0, {"loss": 2.0}, False)
    assert history.validations[-1].values == {"bleu": 1.0}


@pytest.mark.parametrize(
    ("bests", "step"),
    [
        ((True, True, False), 1),
        ((True, False, True), 2),
        ((False, False), None),
        ((), None),
        ((True, 1, None), 0),
    ],
)
def test_the_best_validation_is_the_last_that_became_the_model(
    tmp_path: Path, bests: tuple[object, ...], step: int | None
) -> None:
    history = read(tmp_path, update(0), *(validation(i, best) for i, best in enumerate(bests)))
    assert (history.best.step if history.best else None) == step


def test_scores_are_named_in_the_order_of_their_first_line(tmp_path: Path) -> None:
    lines = (validation(1, True, loss=2, bleu=1), validation(2, True, chrf=1, bleu=2, loss=1))
    assert read(tmp_path, update(1, speed=3), *lines).scores == ["loss", "bleu", "chrf"]


def test_a_line_as_json_is_what_was_written_and_null_where_it_is_not_finite(
    tmp_path: Path,
) -> None:
    written = update(10, loss=float("nan"), gradient_norm=None, speed=float("inf"), tokens=5)
    (line,) = read(tmp_path, written).updates
    assert math.isnan(line.values["loss"]) and math.isnan(line.values["gradient_norm"])
    document = json.loads(json.dumps(line.document, allow_nan=False))
    assert document == {
        **{"step": 10, "epoch": 1.0, "seconds": 60.0, "best": False},
        **{"loss": None, "gradient_norm": None, "speed": None, "tokens": 5},
    }


def test_a_last_line_cut_short_is_left_out(tmp_path: Path) -> None:
    assert len(read(tmp_path, update(1), update(2), '{"kind": "update", "st').updates) == 2


@pytest.mark.parametrize("lines", [None, (), ('{"kind": "update", "st',)])
def test_a_run_that_recorded_nothing_is_refused(
    tmp_path: Path, lines: tuple[str, ...] | None
) -> None:
    message = r"metrics.jsonl: no training history yet; start training with `s2s train`"
    with pytest.raises(MissingInputError, match=message):
        inspect_training(Workspace(tmp_path)) if lines is None else read(tmp_path, *lines)
    assert (Workspace(tmp_path).training / "metrics.jsonl").exists() == (lines is not None)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "sonnet"},
        {"kind": ["x" * 1000]},
        {"step": "x"},
        {"seconds": None},
        {"epoch": [0]},
        {"scores": 3},
        {"loss": [1]},
        {"loss": "low"},
        {"best": "yes"},
    ],
)
def test_a_line_of_another_kind_is_damage(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=r"jsonl, line 2: damaged, expected an update"):
        read(tmp_path, update(1), {**update(2), **change})


@pytest.mark.parametrize("line", ["\n", '{"kind": "update", "step": 1, "epoch": 0}\n'])
def test_a_line_without_its_time_is_damage(tmp_path: Path, line: str) -> None:
    with pytest.raises(CheckpointError, match="line 1: damaged"):
        read(tmp_path, line)


def test_the_outlook_is_by_the_score_that_selects_the_best(tmp_path: Path) -> None:
    """Here chrF falls while the exact matches rise; the usual criterion is chrF."""
    lines = [validation(i, True, chrf=50.0 - i, exact_match=i, loss=2.0) for i in range(8)]
    assert read(tmp_path, *lines).outlook.trend == "flat"
    Workspace(tmp_path).model.mkdir()
    (Workspace(tmp_path).model / "recipe.toml").write_text("[training]\nmetric = 'exact_match'\n")
    assert read(tmp_path, *lines).outlook.trend == "improving"


def test_without_the_criterion_the_loss_is_judged(tmp_path: Path) -> None:
    history = read(tmp_path, *(validation(i, True, loss=9.0 - i) for i in range(8)))
    assert (history.criterion.name, history.outlook.trend) == ("loss", "improving")
    assert read(tmp_path, update(1, loss=2.0)).outlook.trend == "unknown"
