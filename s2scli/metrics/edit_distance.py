"""Edit distance (Levenshtein 1966) of symbols, and the search for the closest reference."""

from collections.abc import Sequence

from s2scli.scripts import units_of


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the minimum number of insertions, deletions and substitutions between sequences.

    One integer holds a bit for each symbol of `one` (Hyyrö 2003, figure 3), so that a step handles
    a whole column of the table of distances. Neighbours in the table differ by at most 1: `plus`
    and `minus` hold where the distance grows or shrinks from one row to the next.
    """
    matches: dict[str, int] = {}
    for index, symbol in enumerate(one):
        matches[symbol] = matches.get(symbol, 0) | 1 << index
    full = (1 << len(one)) - 1
    last = full & ~(full >> 1)
    plus, minus, distance = full, 0, len(one)
    for symbol in other:
        match = matches.get(symbol, 0)
        diagonal = (((match & plus) + plus) ^ plus) | match | minus
        grown, shrunk = minus | full & ~(diagonal | plus), diagonal & plus
        distance += 1 if grown & last or not full else -1 if shrunk & last else 0
        grown, shrunk = grown << 1 | 1, shrunk << 1
        plus, minus = full & (shrunk | ~(diagonal | grown)), full & grown & diagonal
    return distance


def closest(hypothesis: str, references: Sequence[str]) -> str:
    """Return the reference with the fewest edits of words, the first on ties.

    Texts that are written without spaces are compared by characters.
    """
    if len(references) == 1:
        return references[0]
    units = units_of(hypothesis)
    return min(references, key=lambda reference: edit_distance(units, units_of(reference)))
