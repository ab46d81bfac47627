"""Messages on stderr, results on stdout."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.report.console import CONTROL, Talk, json_text, shortened, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x1b[31m", "␛[31m"), ("a\nb\x7f", "a␊b␡"), ("\u202eabc", "\\u202eabc"), ("é狗 ", "é狗 ")],
)
def test_control_characters_are_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(("size", "cut"), [(200, False), (201, True)])
def test_a_long_text_is_shortened(size: int, cut: bool) -> None:
    text = "x" * size
    assert shortened(text) == ("x" * 199 + "…" if cut else text)


def test_nobody_is_asked_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert Talk().confirm("really?") is False
    assert capsys.readouterr().err == ""


def test_nobody_is_asked_unless_interactive(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> bool:
        raise AssertionError("looked for a terminal")

    monkeypatch.setattr("sys.stdin.isatty", asked)
    assert Talk(interactive=False).confirm("really?") is False


@given(st.text())
def test_visible_text_has_no_control_characters_and_stays_so(text: str) -> None:
    assert not CONTROL.search(visible(text))
    assert visible(visible(text)) == visible(text)


@pytest.mark.parametrize(
    ("quiet", "verbose", "messages"),
    [
        (False, False, ["said", "warning: [b]warned␛"]),
        (False, True, ["said", "detail", "warning: [b]warned␛"]),
        (True, True, ["warning: [b]warned␛"]),
    ],
)
def test_messages_and_results_have_their_streams(
    quiet: bool, verbose: bool, messages: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    talk = Talk(quiet=quiet, verbose=verbose)
    talk.say("said")
    talk.detail("detail")
    talk.warn("[b]warned\x1b")
    talk.show("[b]a result")
    captured = capsys.readouterr()
    assert captured.err.splitlines() == messages
    assert captured.out == "[b]a result\n"
    assert not talk.animated, "stderr is no terminal"


@pytest.mark.parametrize("document", [{"b": [1, None], "a": "é"}, [], "x"])
def test_json_is_readable_and_in_the_order_given(
    document: object, capsys: pytest.CaptureFixture[str]
) -> None:
    Talk(quiet=True).show_json(document)
    text = capsys.readouterr().out
    assert text == json_text(document) and text.endswith("\n")
    assert json.loads(text) == document
    assert "\\u" not in text
    assert not isinstance(document, dict) or text.index('"b"') < text.index('"a"')


def test_a_cell_that_holds_a_file_is_shown_by_its_size() -> None:
    assert shortened("data:image/png;base64," + "AAAA" * 500) == "data:image/png… (1,500 bytes)"
    for text in ("data:image/png", "a;base64,AAAA", "data: a sentence"):
        assert shortened(text) == text


def test_a_silent_talk_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk.silent()
    talk.say("a")
    talk.warn("b")
    talk.show("c")
    talk.show_json({"d": 1})
    assert not talk.confirm("e")
    assert not talk.animated
    assert capsys.readouterr() == ("", "")
