"""The options of a call that translates or scores."""

from collections.abc import Mapping
from dataclasses import dataclass

from s2scli.data.sentences import Splitter, choose_splitter
from s2scli.data.stream import Overlong, StreamSettings, Unit
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
        all_times: with `times`, return those of every hypothesis.
    """

    attention: bool = False
    scores: bool = True
    times: bool = False
    all_times: bool = False


@dataclass(frozen=True)
class Options:
    """How to translate lines.

    Attributes:
        settings: the search settings.
        overlong: what to do with a line that is too long for the model.
        wanted: what to return for each hypothesis.
        window: the maximum number of lines that are translated together.
        unit: whether a line is translated as a whole, or sentence by sentence; a line of a document
            is a paragraph.
        language: the language of the text, for the library that finds sentences; None uses a rule.
        speller: what outputs must contain or must not; None demands nothing.
        dictionary: translations of source tokens, with which unknown tokens are replaced by what
            they attend to, so `wanted.attention` is needed; None leaves unknown tokens.
        tag: the tag to put in front of each source; without one, a source may have its own.
    """

    settings: SearchSettings
    overlong: Overlong = "split"
    wanted: Wanted = Wanted()
    window: int = default_of(StreamSettings, "window")
    unit: Unit = "line"
    language: str | None = None
    speller: Speller | None = None
    dictionary: Mapping[str, str] | None = None
    tag: str = ""

    @property
    def splitter(self) -> Splitter | None:
        """Return what divides a line into sentences; None if lines are not divided.

        Raises:
            MissingExtraError: a language is given, and sentencex is not installed.
        """
        return None if self.unit == "line" else choose_splitter(self.language)
