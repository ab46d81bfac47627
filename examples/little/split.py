"""Shuffle the rows of a corpus (seed 1) and set some apart, whose sources no other row has.

    gzip -dc corpus.tsv.gz | python split.py ROWS TRAIN.tsv VALID.tsv

reads source TAB target from stdin; further columns are left out. ROWS go to VALID.tsv.
"""

import random
import sys
from collections.abc import Iterable
from pathlib import Path


def split(lines: Iterable[str], count: int) -> tuple[list[str], list[str]]:
    """Return the rows to learn and the rows to score.

    Args:
        lines: source TAB target, and further columns.
        count: the number of rows to score.
    """
    rows = ["\t".join(line.rstrip("\n").split("\t")[:2]) for line in lines]
    random.Random(1).shuffle(rows)
    scored = rows[:count]
    sources = {row.partition("\t")[0] for row in scored}
    return [row for row in rows[count:] if row.partition("\t")[0] not in sources], scored


def main() -> None:
    """Write both files."""
    count, *paths = sys.argv[1:]
    for path, rows in zip(paths, split(sys.stdin, int(count)), strict=True):
        Path(path).write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
