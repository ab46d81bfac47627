import re

import pytest

from s2scli.report.console import Talk, make_console
from s2scli.report.counting import counting


def test_what_is_short_leaves_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with counting(Talk(), "reading") as advance:
        advance(1000)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("quiet", [False, True])
def test_what_takes_long_says_so_now_and_then(
    quiet: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, 4.0, 12.0, 15.0, 24.0])
    monkeypatch.setattr("s2scli.report.counting.time.monotonic", lambda: next(times))
    with counting(Talk(quiet=quiet), "encoding", total=400) as advance:
        for _ in range(4):
            advance(100)
    lines = capsys.readouterr().err.splitlines()
    found = [re.sub(r" \[.*", "", line) for line in lines]
    assert found == ([] if quiet else ["encoding:  50% 200/400", "encoding: 100% 400/400"])


def test_on_a_terminal_it_moves(capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk()
    talk.stderr = make_console(stderr=True, force_terminal=True)
    with counting(talk, "reading", total=4000) as advance:
        advance(1500)
        advance(1500)
    shown = capsys.readouterr().err
    assert "reading: 3,000 rows" in shown
    assert shown.endswith("\x1b[2K")  # and leaves nothing
