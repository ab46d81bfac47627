"""Transcriptions in their formats."""

import json

import pytest

from s2scli.data.stream import Line
from s2scli.serve.answers import transcription
from s2scli.translation.cues import Cue, TimedWord
from s2scli.translation.records import Record
from s2scli.translation.results import TargetText, Translation

CUE = Cue(0.0, 1.5, "low high", (TimedWord("low", 0.1, 0.5), TimedWord("high", 0.6, 1.2)))
TEXT = TargetText("low high", -0.5, ("▁low", "▁high", "</s>"), ())
RECORD = Record(Line("", 1, ""), "ok", "", "", Translation("", (), (TEXT,), cues=(CUE,)))
SILENT = Record(Line("", 1, ""), "empty")


@pytest.mark.parametrize(
    ("name", "of_speech", "of_silence"),
    [
        ("json", '{"text":"low high"}', '{"text":""}'),
        ("text", "low high\n", "\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:01,500\nlow high\n\n", ""),
        (
            "vtt",
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n<00:00:00.100>low <00:00:00.600>high\n\n",
            "WEBVTT\n\n",
        ),
    ],
)
def test_formats(name: str, of_speech: str, of_silence: str) -> None:
    found = [bytes(transcription(one, name, 2.0).body).decode() for one in (RECORD, SILENT)]
    assert found == [of_speech, of_silence]


def test_the_verbose_format_has_times() -> None:
    found = json.loads(bytes(transcription(RECORD, "verbose_json", 2.25).body))
    assert found["segments"] == [{"id": 0, "start": 0.0, "end": 1.5, "text": "low high"}]
    assert found["words"][1] == {"word": "high", "start": 0.6, "end": 1.2}
    assert found["duration"] == 2.25
    silent = json.loads(bytes(transcription(SILENT, "verbose_json", 1.0).body))
    assert (silent["duration"], silent["words"]) == (1.0, [])
