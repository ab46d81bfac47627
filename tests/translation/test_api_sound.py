"""Recordings given to the Python API, as paths and as arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2scli.data.codecs.image import ImageCodec
from s2scli.errors import CorpusError, UsageError
from s2scli.sides import Picture, Sides
from s2scli.translation.api import TextModel
from s2scli.translation.translator import Translator
from tests.sounds import (
    RATE,
    ToneCodec,
    ToneEngine,
    saying,
    silence,
    tone,
    tone_translator,
    write_wav,
)
from tests.translation.stub import stub_translator

HIGH = saying("high")


@pytest.fixture
def model() -> TextModel:
    return TextModel(tone_translator())


def test_paths_are_read(model: TextModel, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", HIGH)
    assert model.translate([path, str(path)]) == ["high", "high"]


@pytest.mark.parametrize(
    "samples",
    [HIGH, HIGH / 32768, (HIGH / 32768).astype(np.float32), np.stack([HIGH, HIGH], axis=1)],
    ids=["int16", "float64", "float32", "stereo"],
)
def test_arrays_are_recordings(model: TextModel, samples: Any) -> None:
    (record,) = model.records([(samples, RATE)], times=True)
    assert record.text == "high"
    (cue,) = record.translation.cues if record.translation else ()
    assert (cue.start, cue.end) == (0.0, len(HIGH) / RATE)
    assert [word.text for word in cue.words] == ["high"]


def test_another_rate_is_resampled(model: TextModel) -> None:
    pytest.importorskip("soxr")
    assert model.translate([(tone(300, rate=16000), 16000)]) == ["low"]


def test_a_long_array_is_cut_at_pauses(model: TextModel) -> None:
    assert model.translate([(saying("low high low", 0.4), RATE)]) == ["low high low"]


def test_times_are_found_only_if_asked_for(model: TextModel) -> None:
    (record,) = model.records([(HIGH, RATE)])
    assert record.translation
    assert record.translation.cues[0].words == ()


def test_silence_has_an_empty_translation(model: TextModel) -> None:
    assert model.translate([(silence(1), RATE), (HIGH, RATE)]) == ["", "high"]


@pytest.mark.parametrize("samples", [HIGH[:5], HIGH[:0], np.full(RATE, np.nan)])
def test_a_recording_that_cannot_be_used_fails_alone(model: TextModel, samples: Any) -> None:
    bad, good = model.records([(samples, RATE), (HIGH, RATE)])
    assert (bad.status, good.text) == ("failed", "high")
    assert "the recording at index 0" in bad.fault
    with pytest.raises(CorpusError, match="texts, line 1: not translated"):
        model.translate([(samples, RATE)])


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ([HIGH], r"expected paths or pairs \(samples, rate\)"),
        ([3], r"expected paths or pairs \(samples, rate\), found 3 at index 0"),
        ([(HIGH.astype(np.uint8), RATE)], r"found uint8 \[\d+\] at index 0"),
        ([(np.zeros((2, 2, 2)), RATE)], r"found float64 \[2, 2, 2\] at index 0"),
        ("a.wav", r"found one text; put it in \[ \]"),
    ],
)
def test_other_values_are_refused(model: TextModel, given: Any, fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        model.translate(given)


def test_arrays_are_for_models_that_read_sound() -> None:
    picture = Picture(8, 8, 1)
    seeing = Translator(ToneEngine(), ImageCodec(picture), ToneCodec(), Sides(picture))
    with pytest.raises(UsageError, match="expected paths of pictures"):
        TextModel(seeing).translate([(HIGH, RATE)])
    with pytest.raises(UsageError, match="expected texts, found"):
        TextModel(stub_translator()).translate([(HIGH, RATE)])


def test_recordings_can_be_scored(model: TextModel) -> None:
    (record,) = model.score([((HIGH, RATE), "high")])
    assert record.status == "ok"
