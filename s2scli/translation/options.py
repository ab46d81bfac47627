"""The options of a call that translates or scores."""

from collections.abc import Mapping
from dataclasses import dataclass

from s2scli.data.stream import Overlong, StreamSettings
from s2scli.search.settings import SearchSettings
from s2scli.settings import default_of
from s2scli.translation.constraints import Speller


@dataclass(frozen=True)
class Wanted:
    """What to return for a hypothesis besides its tokens. Leaving something out saves time.

    Attributes:
        attention: return the attention weights of each token.
        scores: return the ranking score; if not, the score may be 0.
        times: return the token spans of the best hypothesis, if the model has a CTC layer.
    """

    attention: bool = False
    scores: bool = True
    times: bool = False


@dataclass(frozen=True)
class Options:
    """How to translate lines.

    Attributes:
        settings: the search settings.
        overlong: what to do with a line that is too long for the model.
        wanted: what to return for each hypothesis.
        window: the number of lines that are translated together.
        speller: what outputs must contain or must not; None demands nothing.
        dictionary: translations of source tokens, with which unknown tokens are replaced by what
            they attend to, so `wanted.attention` is needed; None leaves unknown tokens.
    """

    settings: SearchSettings
    overlong: Overlong = "split"
    wanted: Wanted = Wanted()
    window: int = default_of(StreamSettings, "window")
    speller: Speller | None = None
    dictionary: Mapping[str, str] | None = None
