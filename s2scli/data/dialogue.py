"""Dialogues: the source of each reply is the turns before it, joined by a separator."""

from collections.abc import Iterable, Iterator, Sequence

from s2scli.data.example import Example
from s2scli.data.rows import Dropped, Row

SEPARATOR = "␞"  # the symbol for a record separator
FIRST_TURN = "first_turn"


def join_turns(turns: Sequence[str]) -> str:
    """Return turns as one source: oldest first, with ` ␞ ` between them."""
    return f" {SEPARATOR} ".join(turns)


def join_history(rows: Iterable[Row], size: int, *, one_column: bool) -> Iterator[Row]:
    """Replace the source of each example by the last turns before its target.

    With two columns, a row is a turn and its reply, and it continues the dialogue of the row before
    it if its source is that row's target. With one column, a row is a turn, and a blank line ends
    the dialogue; the first turn of a dialogue is dropped, as it replies to nothing. A dropped row
    ends a dialogue, too. Rows of one dialogue get the same group, so that they stay in one split.

    Args:
        rows: the rows of one file, in order.
        size: the maximum number of turns in a source.
        one_column: whether source and target of a row are the same turn.
    """
    turns: list[str] = []
    group = ""
    for row in rows:
        if not isinstance(row, Example):
            turns = [] if isinstance(row, Dropped) else turns
            yield row
            continue
        begins = not turns
        if not one_column and turns[-1:] != [row.source]:
            turns, begins = [row.source], True
        if begins and one_column:
            group = ""
            yield Dropped(row.line, FIRST_TURN)
        else:
            group = f"{turns[0]}\t{row.target}" if begins or not group else group
            yield Example(join_turns(turns), row.target, row.line, group)
        turns = [*turns, row.target][-size:]
