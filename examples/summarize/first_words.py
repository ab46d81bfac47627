"""Write a baseline summary of each line of stdin to stdout.

python first_words.py sentence      the first sentence
python first_words.py characters 40 the first 40 characters
"""

import sys

from s2scli.data.sentences import split_sentences


def summarize(text: str, kind: str, size: int) -> str:
    """Return the first sentence of a text, or its first `size` characters."""
    if kind == "sentence":
        return next(iter(split_sentences(text)), "").strip()
    return text[:size]


def main() -> None:
    """Summarize stdin line by line."""
    kind, *size = sys.argv[1:]
    for line in sys.stdin:
        print(summarize(line.rstrip("\n"), kind, int(size[0]) if size else 0))


if __name__ == "__main__":
    main()
