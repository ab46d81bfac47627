"""Edit distance (Levenshtein 1966) of symbols, and what is nearest by it."""

from collections.abc import Sequence


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the fewest insertions, deletions and replacements that make one into the other."""
    above = list(range(len(other) + 1))  # distances of no symbols to the first ones of `other`
    for done, symbol in enumerate(one, 1):
        row = [done]
        for place, wanted in enumerate(other):
            replaced = above[place] + (symbol != wanted)
            row.append(min(replaced, above[place + 1] + 1, row[place] + 1))
        above = row
    return above[-1]


def closest(hypothesis: str, references: Sequence[str]) -> str:
    """Return the reference of fewest edits, in symbols between spaces; the first of several."""
    if len(references) == 1:
        return references[0]
    symbols = hypothesis.split()
    return min(references, key=lambda reference: edit_distance(symbols, reference.split()))
