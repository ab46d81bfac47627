"""Edit distance (Levenshtein 1966) of symbols, and the search for the closest reference."""

from collections.abc import Sequence


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the minimum number of insertions, deletions and substitutions between sequences."""
    above = list(range(len(other) + 1))  # distances from an empty sequence
    for done, symbol in enumerate(one, 1):
        row = [done]
        for index, wanted in enumerate(other):
            replaced = above[index] + (symbol != wanted)
            row.append(min(replaced, above[index + 1] + 1, row[index] + 1))
        above = row
    return above[-1]


def closest(hypothesis: str, references: Sequence[str]) -> str:
    """Return the reference with the fewest edits of space-separated symbols, the first on ties."""
    if len(references) == 1:
        return references[0]
    symbols = hypothesis.split()
    return min(references, key=lambda reference: edit_distance(symbols, reference.split()))
