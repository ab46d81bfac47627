"""Align pairs with eflomal (Östling & Tiedemann 2016), trained on a corpus and on these pairs.

    python align.py corpus.tsv test.tsv FOLDER

Writes the links of the test pairs to FOLDER/eflomal.forward, .backward and .both (the links in both
directions), counted from 0. Chinese is aligned character by character, as the corpus has no spaces;
a link of a character is one of its word. Needs eflomal (pip install eflomal).
"""

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HAN = re.compile("[\u3400-\u9fff]")


def units(text: str) -> tuple[list[str], list[int]]:
    """Return the words of a text, Chinese ones as characters, and the index of the word of each."""
    found, owners = [], []
    for number, word in enumerate(text.split()):
        parts = list(word) if HAN.search(word) else [word]
        found += parts
        owners += [number] * len(parts)
    return found, owners


def word_links(line: str, sources: Sequence[int], targets: Sequence[int]) -> set[tuple[int, int]]:
    """Return links between units as links between their words.

    Args:
        line: the links, as `0-0 1-2`.
        sources: the index of the word of each source unit.
        targets: the index of the word of each target unit.
    """
    pairs = (link.split("-") for link in line.split())
    return {(sources[int(s)], targets[int(t)]) for s, t in pairs}


def align(pairs: Sequence[Sequence[str]], folder: Path) -> tuple[list[str], list[str]]:
    """Return the links between the units of each pair in both directions."""
    from eflomal import Aligner

    sides = [
        [" ".join(units(text)[0]) + "\n" for text in side] for side in zip(*pairs, strict=True)
    ]
    files = [folder / name for name in ("forward", "backward")]
    Aligner().align(*sides, links_filename_fwd=str(files[0]), links_filename_rev=str(files[1]))
    forward, backward = (file.read_text().splitlines() for file in files)
    return forward, backward


def main(corpus: str, test: str, folder: str) -> None:
    """Align the pairs of `test`."""
    held = [line.split("\t")[:2] for line in Path(test).read_text("utf-8").splitlines()]
    known = [line.split("\t")[:2] for line in Path(corpus).read_text("utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as name:
        forward, backward = align([*held, *known], Path(name))
    with (
        (Path(folder) / "eflomal.forward").open("w") as one,
        (Path(folder) / "eflomal.backward").open("w") as other,
        (Path(folder) / "eflomal.both").open("w") as both,
    ):
        for pair, *lines in zip(held, forward, backward, strict=False):
            owners = [units(text)[1] for text in pair]
            ours, theirs = (word_links(line, *owners) for line in lines)
            for file, links in ((one, ours), (other, theirs), (both, ours & theirs)):
                file.write(" ".join(f"{s}-{t}" for s, t in sorted(links)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
