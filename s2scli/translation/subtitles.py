"""Subtitles: cues as the text of SRT and WebVTT files."""

import html
from collections.abc import Iterable, Iterator

from s2scli.data.codecs.text import one_line
from s2scli.translation.cues import Cue


def srt(cues: Iterable[Cue]) -> str:
    """Return cues as the text of an SRT file; a cue without words is left out."""
    return "".join(
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{one_line(cue.text)}\n\n"
        for number, cue in enumerate(_said(cues), 1)
    )


def vtt(cues: Iterable[Cue]) -> str:
    """Return cues as the text of a WebVTT file; a cue without words is left out.

    Words with known times are preceded by their time, so that players can highlight them.
    """
    return "WEBVTT\n\n" + "".join(
        f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{_timed_text(cue)}\n\n"
        for cue in _said(cues)
    )


def _said(cues: Iterable[Cue]) -> Iterator[Cue]:
    return (cue for cue in cues if cue.text.strip())


def _timed_text(cue: Cue) -> str:
    """Return the text with times between words: each later than the one before (WebVTT)."""
    if not cue.words:
        return html.escape(one_line(cue.text), quote=False)
    parts, before = [], _time(cue.start, ".")
    for word in cue.words:
        time = _time(word.start, ".")
        mark = f"<{time}>" if before < time < _time(cue.end, ".") else ""
        parts.append(f"{mark}{html.escape(one_line(word.text), quote=False)}")
        before = max(before, time)
    return " ".join(parts)


def _time(seconds: float, point: str) -> str:
    """Return a time as hh:mm:ss,mmm."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
