"""Write two small corpora for the guide: tones with their names, and bars with their places.

    python examples/guide/make_corpora.py FOLDER

writes `speech.tsv` and `talk.wav`, and `pictures.tsv`, `left.png` and `right.png`.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2scli.data.codecs.picture_files import encode_png
from s2scli.data.codecs.sound_files import encode_wav

ROWS = 240
RATE = 8000
TONES = {"low": 300, "middle": 700, "high": 1500}
SECONDS, PAUSE = 0.2, 0.1
HEIGHT, WIDTH, BAR = 8, 16, 4
PLACES = ("left", "middle", "right")


def main(folder: Path) -> None:
    """Write both corpora into a folder."""
    random = np.random.default_rng(1)
    (folder / "sounds").mkdir(parents=True, exist_ok=True)
    (folder / "bars").mkdir(exist_ok=True)
    spoken, drawn = [], []
    for row in range(ROWS):
        words = [str(word) for word in random.choice(list(TONES), random.integers(1, 5))]
        (folder / "sounds" / f"{row}.wav").write_bytes(encode_wav(say(words, random), RATE))
        spoken.append(f"sounds/{row}.wav\t{' '.join(words)}\n")
        start = int(random.integers(0, WIDTH - BAR + 1))
        (folder / "bars" / f"{row}.png").write_bytes(encode_png(draw(start, random)))
        drawn.append(f"bars/{row}.png\t{PLACES[start * 3 // (WIDTH - BAR + 1)]}\n")
    (folder / "speech.tsv").write_text("".join(spoken))
    (folder / "pictures.tsv").write_text("".join(drawn))
    talk = say(["low", "high", "middle"], random)
    (folder / "talk.wav").write_bytes(encode_wav(talk, RATE))
    for name, start in (("left", 0), ("right", WIDTH - BAR)):
        (folder / f"{name}.png").write_bytes(encode_png(draw(start, random)))


def say(words: list[str], random: np.random.Generator) -> NDArray[np.int16]:
    """Return the tone of each word, with pauses and some noise, [N]."""
    times = np.arange(int(RATE * SECONDS)) / RATE
    quiet = np.zeros(int(RATE * PAUSE))
    tones = [np.sin(2 * np.pi * TONES[word] * times) for word in words]
    sound = np.concatenate([quiet, *(part for tone in tones for part in (tone, quiet))])
    return (8000 * sound + 200 * random.standard_normal(len(sound))).astype(np.int16)


def draw(start: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture with a white bar from this column on, and a few wrong pixels, [H, W, 1]."""
    columns = np.arange(WIDTH)
    bar = np.tile((columns >= start) & (columns < start + BAR), (HEIGHT, 1))
    wrong = random.random(bar.shape) < 0.01
    return np.where(bar ^ wrong, 255, 0).astype(np.uint8)[:, :, None]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
