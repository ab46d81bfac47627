"""Make a corpus of sequences to copy: random letters, and the same letters as the target.

    python examples/length/make_copies.py [FOLDER]

writes train.tsv, valid.tsv and test.tsv (source TAB target) into FOLDER, by default the folder of
this script. Training sequences have lengths from 1 to 20. Test sequences have lengths 2, 4, ... 20,
equally many of each. No sequence is in two files. Each run writes the same rows.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

SEED = 20261121
LETTERS = "abcdefghijklmnop"
LONGEST = 20
TRAINING, VALIDATION = 20_000, 300
TEST_LENGTHS = range(2, LONGEST + 1, 2)
PER_LENGTH = 40


def main() -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(description="Make sequences to copy.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for split, sequences in make_splits().items():
        text = "".join(f"{sequence}\t{sequence}\n" for sequence in sequences)
        (folder / f"{split}.tsv").write_text(text, encoding="utf-8")


def make_splits() -> dict[str, list[str]]:
    """Return the sequences of each split; no sequence is in two of them."""
    chance, taken = random.Random(SEED), set[str]()
    any_length = range(1, LONGEST + 1)
    test = [
        sequence
        for length in TEST_LENGTHS
        for sequence in draw(PER_LENGTH, [length], chance, taken)
    ]
    return {
        "test": test,
        "valid": draw(VALIDATION, any_length, chance, taken),
        "train": draw(TRAINING, any_length, chance, taken),
    }


def draw(count: int, lengths: Sequence[int], chance: random.Random, taken: set[str]) -> list[str]:
    """Return `count` new sequences of random lengths, and add them to `taken`."""
    found: list[str] = []
    while len(found) < count:
        length = lengths[int(chance.random() * len(lengths))]
        letters = (LETTERS[int(chance.random() * len(LETTERS))] for _ in range(length))
        sequence = " ".join(letters)
        if sequence not in taken:
            taken.add(sequence)
            found.append(sequence)
    return found


if __name__ == "__main__":
    main()
