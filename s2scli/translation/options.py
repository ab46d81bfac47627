"""What whoever asks for translations may choose."""

from dataclasses import dataclass
from typing import Literal

from s2scli.search.settings import SearchSettings

Overlong = Literal["split", "truncate", "empty", "error"]
WINDOW = 512


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a hypothesis beside its tokens; not asking saves time.

    Attributes:
        attention: the attention weights of each token.
        scores: the ranking score; without it the score may be 0.
    """

    attention: bool = False
    scores: bool = True


@dataclass(frozen=True)
class Options:
    """How lines are translated.

    Attributes:
        settings: of the search.
        overlong: what to do with a line that is too long for the model.
        wanted: what is wanted of each hypothesis.
        window: lines that are translated together.
    """

    settings: SearchSettings
    overlong: Overlong = "split"
    wanted: Wanted = Wanted()
    window: int = WINDOW
