"""What a request demands of outputs, as users say it (imports no torch, as flags need this)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from s2scli.data.cleaning import is_blank
from s2scli.errors import UsageError
from s2scli.search.settings import SearchSettings
from s2scli.settings import Settings, setting

if TYPE_CHECKING:
    from s2scli.data.stream import StreamSettings
    from s2scli.translation.constraints import Constraints
    from s2scli.translation.options import Options, Wanted
    from s2scli.translation.translator import Translator

Terms = Path | dict[str, str]  # a TSV file, or the terms themselves


class DemandSettings(Settings):
    """The tag of sources, what outputs must and must not contain, and what replaces the unknown."""

    panel = "Constraints"

    tag: str = setting(
        "",
        "Put this tag in front of each source, for a model trained with tags (s2s prepare --tag); "
        "s2s inspect model lists them. Without this, a line can begin with its own.",
        "tag",
    )
    prefix: bool = setting(
        False,
        "Each line is source TAB prefix, and its outputs begin with the prefix. The prefix may be "
        "empty.",
    )
    glossary: Terms | None = setting(
        None,
        "A TSV file of terms (source term TAB target term). For each source term in a line, every "
        "output contains the target term as a whole word, as often as the source has the source "
        "term, even if that needs more than --max-length. Upper and lower case differ. The search "
        "is constrained beam search with dynamic beam allocation (Post & Vilar 2018, Hu et al. "
        "2019); it is used for a line only if the model does not write the terms by itself.",
    )
    protect: bool = setting(
        False,
        "Copy numbers, URLs, e-mail addresses and tags unchanged. The output must contain each "
        "number, as with --glossary; a short placeholder, which the model must copy, stands in "
        "for everything else.",
    )
    ban: tuple[str, ...] = setting(
        (),
        "No output contains this word or phrase, however the tokens spell it; repeatable. Longer "
        "words that contain it remain possible. Upper and lower case differ.",
    )
    ban_from: Path | None = setting(None, "A file of banned words or phrases, one per line.")
    replace_unknown: bool = setting(
        False,
        "Replace each unknown token of an output by the source token that it attends to most "
        "(Luong et al. 2015).",
    )
    dictionary: Terms | None = setting(
        None,
        "With --replace-unknown: a TSV file (source word TAB target word). A source token that is "
        "in it is translated.",
    )

    @property
    def flags(self) -> list[str]:
        """The flags of the constraints that are given."""
        given = {
            "--prefix": self.prefix,
            "--glossary": self.glossary,
            "--protect": self.protect,
            "--ban": self.ban,
            "--ban-from": self.ban_from,
        }
        return [flag for flag, value in given.items() if value]

    def refuse_with_shortlist(self) -> None:
        """Refuse a shortlist with constraints: their tokens may not be on it.

        Raises:
            UsageError: there is a constraint on outputs.
        """
        if self.flags:
            raise UsageError(
                f"--shortlist has no search with {self.flags[0]}; leave one of them out"
            )

    def read(self) -> "Demands":
        """Read the files, and return what is demanded.

        Raises:
            MissingInputError: a file does not exist.
            CorpusError: a file is damaged, or has a line without two terms.
            UsageError: a banned word is blank, or a dictionary has no effect.
        """
        from s2scli.translation.constraints import Constraints
        from s2scli.translation.glossary import NO_TERMS, as_glossary, read_words
        from s2scli.translation.unknown import as_dictionary

        banned = [*self.ban, *(read_words(self.ban_from) if self.ban_from else ())]
        if any(map(is_blank, banned)):
            raise UsageError("--ban needs a word, found only white space")
        if self.dictionary and not self.replace_unknown:
            raise UsageError("--dictionary has no effect without --replace-unknown")
        terms = as_glossary(self.glossary) if self.glossary else NO_TERMS
        words = as_dictionary(self.dictionary or {}) if self.replace_unknown else None
        return Demands(self, Constraints(self.prefix, terms, self.protect, tuple(banned)), words)


@dataclass(frozen=True)
class Demands:
    """What is demanded of outputs, with the contents of the files.

    Attributes:
        given: how it was said.
        constraints: what outputs must contain, and what they must not.
        dictionary: translations with which unknown tokens are replaced; None leaves them.
    """

    given: DemandSettings
    constraints: "Constraints"
    dictionary: Mapping[str, str] | None = None

    def options(
        self,
        translator: "Translator",
        settings: SearchSettings,
        stream: "StreamSettings",
        wanted: "Wanted",
    ) -> "Options":
        """Return the options of a call that translates.

        Args:
            translator: translates with the model.
            settings: the search settings.
            stream: says which units of text are translated, and what happens to long ones.
            wanted: what to return for each hypothesis.

        Raises:
            UsageError: the model, or its search, cannot do what is demanded.
            CorpusError: the model cannot write a term of the glossary.
        """
        from s2scli.translation.options import Options

        self._refuse_unsearched(settings)
        translator.require_tag(self.given.tag)
        if stream.unit != "line":
            require_text(translator, f"--unit {stream.unit}")
        if self.dictionary is not None:
            require_attention(translator, ["--replace-unknown"])
            wanted = replace(wanted, attention=True)
        return Options(
            *(settings, stream.overlong, wanted, stream.window, stream.unit, stream.language),
            translator.speller(self.constraints),
            self.dictionary,
            self.given.tag,
        )

    def _refuse_unsearched(self, settings: SearchSettings) -> None:
        """Refuse phrases with a search that is not constrained beam search."""
        phrases = [flag for flag in self.given.flags if flag in ("--glossary", "--protect")]
        others = {"--sample": settings.sample, "--beam-groups": settings.beam_groups > 1}
        for other, given in others.items():
            if phrases and given:
                raise UsageError(f"{phrases[0]} has no effect with {other}; leave one of them out")


def require_text(translator: "Translator", flag: str) -> None:
    """Check that the model reads and writes text, which a flag needs.

    Raises:
        UsageError: it reads or writes sound or pictures.
    """
    if not translator.sides.are_text:
        raise UsageError(f"{flag} is for text, and the model reads or writes another kind")


def require_attention(translator: "Translator", flags: Sequence[str]) -> None:
    """Check that the model has what some flags need: attention from text to text.

    Raises:
        UsageError: the model, or the first model of an ensemble, has no attention; or
            --replace-unknown is given, and a side is not text.
    """
    if flags and not translator.has_attention:
        from s2scli.config import recipes_with_attention

        raise UsageError(
            f"{flags[0]} needs attention, which the (first) model does not have; "
            f"recipes that have it: {', '.join(recipes_with_attention())}"
        )
    if "--replace-unknown" in flags and not translator.sides.are_text:
        raise UsageError("--replace-unknown is for models from text to text; leave it out")
