"""What a request demands of outputs and forbids in them, in token ids. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from s2scli.search.banned import BannedWords, Copies
from s2scli.search.spelling import Spelling

NO_SPELLING = Spelling(())


@dataclass(frozen=True)
class Phrase:
    """A text that an output must contain.

    It counts where no word continues at its edges: a number inside a longer number does not.

    Attributes:
        spellings: the ways to write it, in token ids. The first one can follow any output; if it
            begins a word, it begins with the space before it.
        times: how often the output must contain it.
        exact: whether the output may not contain it more often.
    """

    spellings: tuple[tuple[int, ...], ...]
    times: int = 1
    exact: bool = False


@dataclass(frozen=True)
class Demand:
    """What the outputs of one source must contain.

    Attributes:
        prefix: the tokens that they begin with.
        phrases: the phrases that they contain, in any order.
    """

    prefix: tuple[int, ...] = ()
    phrases: tuple[Phrase, ...] = ()

    @property
    def phrase_tokens(self) -> int:
        """The number of tokens of all phrases, in their first spelling."""
        return sum(len(each.spellings[0]) * each.times for each in self.phrases)


NO_DEMAND = Demand()


@dataclass(frozen=True)
class Rules:
    """What outputs must contain, and what they must not.

    Attributes:
        demands: what the outputs of each source must contain; empty if nothing is demanded.
        banned: the banned words; None if there are none.
        spelling: what each token writes; needed for demands.
        copies: what can be copied from each source; empty without banned words, and for a model
            that does not copy.
    """

    demands: Sequence[Demand] = ()
    banned: BannedWords | None = None
    spelling: Spelling = NO_SPELLING
    copies: Sequence[Copies] = ()

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return any(demand != NO_DEMAND for demand in self.demands) or self.banned is not None

    def of(self, indices: Sequence[int], *, phrases: bool = False) -> "Rules":
        """Return the rules for the sources at these indices, with or without their phrases."""
        some = [self.demands[index] for index in indices] if self.demands else []
        if not phrases:
            some = [Demand(demand.prefix) for demand in some]
        demands = some if any(demand != NO_DEMAND for demand in some) else ()
        copies = [self.copies[index] for index in indices] if self.copies else ()
        return Rules(demands, self.banned, self.spelling, copies)


NO_RULES = Rules()
