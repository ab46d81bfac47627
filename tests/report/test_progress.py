"""Progress in lines and on a moving one: the time left, and the score that matters."""

import io
import re
import sys

import pytest

from s2scli.report.console import Talk
from s2scli.report.progress import Goal, TrainingDisplay, clock, training_display

COLOUR = re.compile("\x1b\\[[0-9;?]*[a-zA-Z]")
SCORES = {"loss": 2.0, "chrf": 31.25, "exact_match": 4.0}
DIGITS = {"chrf": 1, "exact_match": 1}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a wide terminal."""
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


@pytest.mark.parametrize(
    ("goal", "share"),
    [
        (Goal(None, None, None), None),
        (Goal(200, None, None), 0.25),
        (Goal(200, 4, None), 0.5),
        (Goal(200, 4, 0.5), 1.0),
    ],
)
def test_the_nearest_limit_counts(goal: Goal, share: float | None) -> None:
    assert goal.share(50, 2.0, 60.0) == share


def test_lines_tell_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with training_display(Talk(), Goal(400, None, None), "chrf", DIGITS) as display:
        display.update(100, 0.5, 2.0, 1234.5, 60.0)
        display.validation(100, 0.5, 60.0, SCORES, best=True)
    assert capsys.readouterr().err == (
        "step 100  epoch 0.50  loss 2.000  1,234 tokens/s  1:00  3:00 left\n"
        "validation     step   epoch      time    chrf    loss  exact_match\n"
        "validation      100    0.50      1:00    31.2   2.000          4.0  best\n"
    )


@pytest.mark.parametrize("metric", ["chrf", "exact_match", "symbol_error_rate", "loss"])
def test_no_row_of_a_validation_is_wider_than_the_screen(
    metric: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = {"loss": 12.125, "perplexity": 7148.75, "token_accuracy": 0.03, "bleu": 10.5}
    scores |= {"chrf": 100.0, "exact_match": 100.0, "symbol_error_rate": 100.0}
    with training_display(Talk(), Goal(None, None, None), metric, DIGITS) as display:
        display.validation(0, 0.0, 4.0, scores, best=True)
        display.validation(1234567, 100.25, 36000.0, scores, best=True)
    headings, *rows = capsys.readouterr().err.splitlines()
    assert len(rows) == 2 and "perplexity" not in headings
    assert headings.split()[4] == metric and "loss" in headings.split()
    assert {len(row) for row in rows} == {len(headings) + len("  best")}
    assert len(rows[0]) <= 80


def test_without_a_limit_no_time_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    with training_display(Talk(), Goal(None, None, None), "chrf", DIGITS) as display:
        display.update(100, 0.5, 2.0, 1000.0, 60.0)
    assert "left" not in capsys.readouterr().err


def test_the_moving_line_knows_the_time_left_at_once_and_the_last_score(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = wide_terminal(monkeypatch)
    with training_display(Talk(), Goal(400, None, None), "exact_match", DIGITS) as display:
        display.validation(300, 1.5, 890.0, SCORES, best=False)
        display.update(300, 1.5, 2.0, 1000.0, 900.0)  # the first one after resuming
    assert "tokens/s  exact_match 4.0  5:00 left" in COLOUR.sub("", terminal.getvalue())


def test_the_time_left_is_at_the_pace_of_the_updates_made() -> None:
    assert Goal(400, None, None).seconds_left(100, 1.0, 100.0) == 300
    assert Goal(400, None, None).seconds_left(100, 1.0, 100.0, before=40.0) == 180
    assert Goal(None, 4, None).seconds_left(100, 1.0, 100.0) == 300
    assert Goal(400, 4, 2.0).seconds_left(100, 1.0, 100.0) == 20, "the nearest limit"
    assert Goal(50, None, None).seconds_left(100, 1.0, 100.0) == 0
    assert Goal(None, None, None).seconds_left(100, 1.0, 100.0) is None
    assert Goal(400, None, None).seconds_left(0, 0.0, 1.0) is None, "no pace yet"


def test_the_moving_line_moves_with_the_first_update(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = wide_terminal(monkeypatch)
    with training_display(Talk(), Goal(400, None, None), "exact_match", DIGITS) as display:
        display.validating(0)
        display.validation(0, 0.0, 40.0, SCORES, best=True)
        display.step(1, 0.01, 42.0)
    shown = COLOUR.sub("", terminal.getvalue())
    assert "step 1  epoch 0.01  exact_match 4.0  13:18 left" in shown


def test_updates_within_a_tenth_of_a_second_are_drawn_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wide_terminal(monkeypatch)
    drawn: list[str] = []
    monkeypatch.setattr(
        TrainingDisplay, "_draw", lambda self, description, share: drawn.append(description)
    )
    moment = 100.0
    monkeypatch.setattr("s2scli.report.progress.time.monotonic", lambda: moment)
    with training_display(Talk(), Goal(None, None, None), "exact_match", DIGITS) as display:
        for step in range(1, 100):
            display.step(step, 0.0, 1.0)
        moment += 0.2
        display.step(100, 0.0, 1.0)
    assert drawn == ["step 1  epoch 0.00", "step 100  epoch 0.00"]


def test_off_a_terminal_only_reports_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with training_display(Talk(), Goal(400, None, None), "chrf", DIGITS) as display:
        display.validating(0)
        display.step(1, 0.01, 2.0)
    assert capsys.readouterr().err == ""


def test_clock() -> None:
    shown = [clock(seconds) for seconds in (0, 59.9, 61, 3661)]
    assert shown == [
        "0:00",
        "0:59",
        "1:01",
        "1:01:01",
    ]
