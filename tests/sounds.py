"""Recordings of tones, a model that is trained on them, and a stub that names them."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.data.codecs.audio import AudioCodec
from s2scli.data.codecs.sound_files import encode_wav
from s2scli.data.example import TokenIds, Values
from s2scli.report.readings import BEST_HEADS, Reading
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.sides import Sides, Sound
from s2scli.special_ids import EOS_ID
from s2scli.translation.options import Wanted
from s2scli.translation.translator import Translator

RATE = 8000
TONES = {"low": 300, "high": 1500}
SECONDS = 0.2  # of a tone

Samples = NDArray[np.int16]


def tone(hertz: float, seconds: float = SECONDS, rate: int = RATE) -> Samples:
    """Return a tone at half of full scale."""
    times = np.arange(int(seconds * rate)) / rate
    return (16384 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)


def silence(seconds: float, rate: int = RATE) -> Samples:
    """Return silence."""
    return np.zeros(int(seconds * rate), np.int16)


def saying(text: str, pause: float = 0.1) -> Samples:
    """Return the tone of each word, with a pause before, between and after them."""
    quiet = silence(pause)
    return np.concatenate(
        [quiet, *(x for word in text.split() for x in (tone(TONES[word]), quiet))]
    )


def write_wav(path: Path, samples: Samples, rate: int = RATE) -> Path:
    """Write a recording, and return its path."""
    path.write_bytes(encode_wav(samples, rate))
    return path


def train_on_tones(folder: Path, *options: str, steps: int = 20) -> Path:
    """Return a workspace with a small model of tones; `options` are for `s2s train`."""
    rows = []
    for number, words in enumerate(
        itertools.chain.from_iterable(itertools.product(TONES, repeat=n) for n in (1, 2, 3, 4))
    ):
        for copy, pause in enumerate((0.06, 0.1, 0.14)):
            path = write_wav(folder / f"{number}-{copy}.wav", saying(" ".join(words), pause))
            rows.append(f"{path.name}\t{' '.join(words)}\n")
    (folder / "corpus.tsv").write_text("".join(rows))
    for command in (
        ["prepare", str(folder / "corpus.tsv"), "--source-kind", "audio", "--valid-size", "6"],
        ["train", "-r", "tiny", "--max-steps", str(steps), "--device", "cpu", *options],
    ):
        result = CliRunner().invoke(app, [*command, "-q", "-w", str(folder / "workspace")])
        assert result.exit_code == 0, result.output
    return folder / "workspace"


@dataclass
class ToneEngine:
    """Names the tone of each recording; each position is 40 ms, and at most ten fit."""

    has_ctc: bool = True
    max_source_tokens: int = 10
    attention_shape: tuple[int, int] | None = None
    is_latent: bool = False
    reading: Reading = BEST_HEADS
    settings: SearchSettings = field(default_factory=SearchSettings)

    def positions(self, length: int) -> int:
        return max(1, length * 25 // RATE)

    def search(
        self,
        sources: Sequence[Values],
        settings: SearchSettings,
        wanted: Wanted,
        rules: Rules = NO_RULES,
    ) -> list[tuple[Hypothesis, ...]]:
        return [self.hypotheses(values, settings, wanted) for values in sources]

    def hypotheses(
        self, values: Values, settings: SearchSettings, wanted: Wanted
    ) -> tuple[Hypothesis, ...]:
        """Return what is found for one recording."""
        return (self._named(values, wanted.times and self.has_ctc),)

    def force(
        self,
        sources: Sequence[Values],
        targets: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
    ) -> list[Hypothesis]:
        return [self._named(values, False) for values in sources]

    def _named(self, values: Values, timed: bool) -> Hypothesis:
        loudest = int(np.abs(np.fft.rfft(values.astype(np.float64))).argmax()) * RATE / len(values)
        id = ToneCodec.PIECES.index("▁low" if loudest < 900 else "▁high")
        spans = ((1, self.positions(len(values)) - 1),) if timed else ()
        return Hypothesis((id, EOS_ID), -0.5, (-0.25, -0.25), None, (), spans)


class ToneCodec:
    """Tokens are the names of tones."""

    PIECES = ("<pad>", "<unk>", "<s>", "</s>", "▁low", "▁high")
    reverse = are_words = False

    def encode(self, cell: str, source: str = "") -> TokenIds:
        return np.array([self.PIECES.index(f"▁{word}") for word in cell.split()], np.int32)

    def decode(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> str:
        return "".join(self.pieces([id for id in token_ids if id != EOS_ID])).replace("▁", " ")[1:]

    def decode_with(
        self, token_ids: Sequence[int], replaced: Mapping[int, str], source: Sequence[str] = ()
    ) -> str:
        return self.decode(token_ids)

    def pieces(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> tuple[str, ...]:
        return tuple(self.PIECES[id] for id in token_ids)


def tone_translator(*, has_ctc: bool = True) -> Translator:
    """Return a translator that names the tones of recordings."""
    sound = Sound(RATE)
    return Translator(ToneEngine(has_ctc), AudioCodec(sound), ToneCodec(), Sides(sound))
