"""Let one model write digits from words, and another read them.

    python read_samples.py MNIST WORK TEMPERATURE

WORK holds the workspaces `write` and `read`. 100 pictures of each digit are drawn.
Printed are the share that is read as the word it was written for, and the median distance to the
nearest training picture of that digit, beside that of real test pictures: a model that only
remembers has distances near 0. The distance of two pictures is the number of pixels that differ.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2scli import load
from s2scli.data.codecs.picture_files import pixels_of_uri

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
Bits = NDArray[np.float32]


def read_bits(folder: Path, name: str) -> tuple[Bits, NDArray[np.uint8]]:
    """Return black and white pictures [N, 784] and their labels [N]."""
    images = gzip.decompress((folder / f"{name}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{name}-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784)
    return (pixels >= 128).astype(np.float32), np.frombuffer(labels, np.uint8, offset=8)


def nearest(pictures: Bits, others: Bits) -> Bits:
    """Return how many pixels of each picture differ from the nearest of the others, [N]."""
    differing = pictures.sum(1)[:, None] + others.sum(1) - 2 * pictures @ others.T
    return np.asarray(differing.min(1), np.float32)


def main() -> None:
    """Draw, read and compare."""
    mnist, work = Path(sys.argv[1]), Path(sys.argv[2])
    temperature, count = float(sys.argv[3]), 100
    writer, reader = load(work / "write/model"), load(work / "read/model")
    train, labels = read_bits(mnist, "train")
    test, test_labels = read_bits(mnist, "t10k")
    right, ours, real = 0, [], []
    for digit, word in enumerate(WORDS):
        (record,) = writer.records([word], sample=True, n_best=count, temperature=temperature)
        uris = [one.text for one in record.hypotheses]
        right += sum(text == word for text in reader.translate(uris))
        drawn = np.stack([pixels_of_uri(uri).reshape(784) >= 128 for uri in uris])
        same = train[labels == digit]
        ours.append(nearest(drawn.astype(np.float32), same))
        real.append(nearest(test[test_labels == digit][:count], same))
    drawn_distance, real_distance = (float(np.median(np.concatenate(one))) for one in (ours, real))
    print(f"read as written: {right / (len(WORDS) * count):.1%} of {len(WORDS) * count}")
    print(
        f"median distance to the nearest training picture of the digit: {drawn_distance:g} pixels, "
        f"of real test pictures: {real_distance:g} ({drawn_distance / real_distance:.2f})"
    )


if __name__ == "__main__":
    main()
