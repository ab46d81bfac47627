"""Make the corpora of this example from the MNIST files (IDX, gzip).

    python make_mnist.py FOLDER_OF_MNIST OUT [NUMBERS]

Pictures are written into the TSV files as `data:` URIs. The last 5,000 training images are for
validation; test pictures are made of test images only. Everything is drawn with one seed.

- likelihood.{train,valid,test}.tsv: `digit` TAB picture of black and white pixels, each drawn with
  the probability of its grey level (the binarisation of the literature); training images are drawn
  three times.
- read.{train,valid,test}.tsv: grey picture TAB word.
- write.{train,valid}.tsv: word TAB picture, black where the grey level is at least 128.
- numbers.{train,valid,test}.tsv: picture of 2 to 5 digits side by side TAB the number in words;
  NUMBERS of them for training (60,000), and at most 2,000 for the other splits.
"""

import base64
import gzip
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
VALID, COPIES, NUMBERS = 5_000, 3, 60_000


def read_idx(path: Path, header: int) -> Pixels:
    """Return the bytes of an IDX file after its header."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def uri(pixels: Pixels) -> str:
    """Return a grey picture [H, W] as a `data:` URI."""
    Image.fromarray(pixels).save(content := io.BytesIO(), "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def in_words(number: int) -> str:
    """Return a number below 100,000 in words."""
    if number < 10:
        return ONES[number]
    if number < 20:
        return TEENS[number - 10]
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            many, rest = divmod(number, size)
            return f"{in_words(many)} {name}" + (f" {in_words(rest)}" if rest else "")
    ten, one = divmod(number, 10)
    return TENS[ten] + (f" {ONES[one]}" if one else "")


def numbers(
    images: Pixels, labels: Pixels, count: int, random: np.random.Generator
) -> Iterator[tuple[str, str]]:
    """Yield pictures of 2 to 5 digits side by side, the first not 0, and the number in words."""
    firsts = np.flatnonzero(labels)
    for length in random.integers(2, 6, count):
        chosen = [random.choice(firsts), *random.integers(len(images), size=length - 1)]
        number = int("".join(str(labels[index]) for index in chosen))
        yield uri(np.hstack([images[index] for index in chosen])), in_words(number)


def main() -> None:
    """Write all corpora."""
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    training = int(sys.argv[3]) if len(sys.argv) > 3 else NUMBERS
    random = np.random.default_rng(1)
    shape = (-1, 28, 28)
    images = read_idx(data / "train-images-idx3-ubyte.gz", 16).reshape(shape)
    labels = read_idx(data / "train-labels-idx1-ubyte.gz", 8)
    splits = {
        "train": (images[:-VALID], labels[:-VALID]),
        "valid": (images[-VALID:], labels[-VALID:]),
        "test": (
            read_idx(data / "t10k-images-idx3-ubyte.gz", 16).reshape(shape),
            read_idx(data / "t10k-labels-idx1-ubyte.gz", 8),
        ),
    }

    def write(name: str, pairs: Iterator[tuple[str, str]]) -> None:
        lines = (f"{source}\t{target}\n" for source, target in pairs)
        with (out / f"{name}.tsv").open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)

    for split, (pictures, digits) in splits.items():
        copies = COPIES if split == "train" else 1
        words = [ONES[digit] for digit in digits]
        drawn = (
            uri((random.random(picture.shape) < picture / 255).astype(np.uint8) * 255)
            for _ in range(copies)
            for picture in pictures
        )
        write(f"likelihood.{split}", (("digit", picture) for picture in drawn))
        write(f"read.{split}", zip(map(uri, pictures), words, strict=True))
        if split != "test":
            black = ((picture >= 128).astype(np.uint8) * 255 for picture in pictures)
            write(f"write.{split}", zip(words, map(uri, black), strict=True))
        count = training if split == "train" else min(training, 2_000)
        write(f"numbers.{split}", numbers(pictures, digits, count, random))


if __name__ == "__main__":
    main()
