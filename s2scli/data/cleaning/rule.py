"""What a cleaning rule is: a filter that drops rows, or a repair that changes their text.

Both are pure functions of a batch and of a context that is fixed before the first batch, so that
batches can be cleaned in any process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from s2scli.data.cleaning.pairs import Pairs, Scores, Texts
from s2scli.data.settings import PrepareSettings


@dataclass(frozen=True)
class Context:
    """What rules know besides the batch.

    Attributes:
        settings: the settings of preparation.
        source_script: the expected script of sources, such as Latin; "" accepts all.
        target_script: that of targets.
    """

    settings: PrepareSettings
    source_script: str = ""
    target_script: str = ""


@dataclass(frozen=True)
class Filter:
    """A rule that drops rows.

    Attributes:
        measures: what its score is, in a few words.
        score: gives each pair a score, [rows]; the higher, the worse.
        limit: the highest score to keep; None if the rule is off.
        flag: the flag that sets the limit.
        costly: it sees only the rows that the other filters keep.
        any_kind: it also judges names of sound files and pictures.
    """

    measures: str
    score: Callable[[Pairs, Context], Scores]
    limit: Callable[[PrepareSettings], float | None]
    flag: str
    costly: bool = False
    any_kind: bool = False


@dataclass(frozen=True)
class Repair:
    """A rule that changes the text of rows.

    Attributes:
        does: what it does, in a few words.
        apply: returns the texts of one side; the same list if it changes none.
        is_on: whether the rule is on.
        flag: the flag that turns it on.
        hides: what it replaces must not be shown, so no sample is kept of the text before.
    """

    does: str
    apply: Callable[[Texts, Context], Sequence[str]]
    is_on: Callable[[PrepareSettings], bool]
    flag: str
    hides: bool = False
