"""Documents made of sentences: join lines, and compare translations of the two.

python documents.py join N < LINES > DOCUMENTS   N sentences on each line, a space between them
python documents.py count ONE OTHER              how many lines of two files are equal
"""

import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path


def join(lines: Iterable[str], size: int) -> Iterator[str]:
    """Yield each `size` lines as one."""
    rest = (line.strip() for line in lines)
    while some := list(itertools.islice(rest, size)):
        yield " ".join(some)


def main() -> None:
    """Join or count."""
    what, *given = sys.argv[1:]
    if what == "join":
        for document in join(sys.stdin, int(given[0])):
            print(document)
        return
    one, other = (Path(name).read_text(encoding="utf-8").split("\n") for name in given)
    equal = sum(a == b for a, b in zip(one[:-1], other[:-1], strict=False))
    print(f"{equal} of {len(one) - 1} lines are equal")


if __name__ == "__main__":
    main()
