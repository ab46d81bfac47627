"""Make corpora of spoken digits, divided by speaker, from the recordings of FSDD.

    python make_digits.py FSDD OUT speakers|connected

FSDD is a folder with `manifest.tsv` and `recordings/` (16-bit WAV). Everything is drawn with one
seed.

- without-SPEAKER.tsv and only-SPEAKER.tsv: all recordings of the others, and of that speaker.
- connected.{train,valid,test}.tsv: 3 to 5 digits of one speaker with pauses between them. The
  speakers of the test are heard in no other file.
"""

import csv
import sys
import wave
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Pair = tuple[Path, str]
TEST = ("jackson", "theo")
COUNTS = {"train": 6_000, "valid": 300, "test": 500}
PAUSE = 0.08, 0.35  # seconds


def read(path: Path) -> tuple[Samples, int]:
    """Return the samples of a 16-bit WAV file, and their rate."""
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()


def write(path: Path, samples: Samples, rate: int) -> None:
    """Write a 16-bit WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def write_pairs(path: Path, pairs: list[Pair]) -> None:
    """Write a corpus: path TAB words on each line."""
    lines = "".join(f"{sound}\t{text}\n" for sound, text in pairs)
    path.write_text(lines, encoding="utf-8", newline="\n")


def make_speakers(by_speaker: dict[str, list[Pair]], out: Path) -> None:
    """Write the corpora without and of each speaker."""
    for speaker, own in by_speaker.items():
        others = [pair for name, pairs in by_speaker.items() if name != speaker for pair in pairs]
        write_pairs(out / f"without-{speaker}.tsv", others)
        write_pairs(out / f"only-{speaker}.tsv", own)


def make_connected(by_speaker: dict[str, list[Pair]], out: Path) -> None:
    """Write recordings of several digits, and their corpora."""
    (out / "connected").mkdir(exist_ok=True)
    random = np.random.default_rng(1)
    for split, count in COUNTS.items():
        speakers = sorted(name for name in by_speaker if (name in TEST) == (split == "test"))
        pairs = []
        for number in range(count):
            own = by_speaker[str(random.choice(speakers))]
            chosen = [own[index] for index in random.integers(len(own), size=random.integers(3, 6))]
            parts: list[Samples] = []
            for path, _ in chosen:
                samples, rate = read(path)
                pause = random.normal(0, 8, int(rate * random.uniform(*PAUSE)))
                parts += [pause.astype(np.int16), samples]
            path = (out / "connected" / f"{split}-{number:05}.wav").resolve()
            write(path, np.concatenate(parts[1:]), rate)
            pairs.append((path, " ".join(word for _, word in chosen)))
        write_pairs(out / f"connected.{split}.tsv", pairs)


def main() -> None:
    """Write the corpora that are asked for."""
    data, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    with (data / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    by_speaker = defaultdict(list)
    for row in rows:
        by_speaker[row["speaker"]].append((data / row["path"], row["transcript"]))
    {"speakers": make_speakers, "connected": make_connected}[sys.argv[3]](by_speaker, out)


if __name__ == "__main__":
    main()
