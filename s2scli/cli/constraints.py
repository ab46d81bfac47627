"""The options that say what outputs must contain and what they must not."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s2scli.cli.flags import Options
from s2scli.cli.options import utf8
from s2scli.errors import UsageError

if TYPE_CHECKING:
    from s2scli.search.settings import SearchSettings
    from s2scli.translation.constraints import Constraints

_option: Any = functools.partial(typer.Option, rich_help_panel="Constraints")


@dataclass(frozen=True)
class ConstraintFlags:
    """The given options.

    Attributes:
        prefix: whether each line has the beginning of its output.
        glossary: the file of terms.
        protect: whether numbers, addresses and tags stay as they are.
        ban: the banned words.
        ban_from: a file of banned words.
    """

    prefix: bool
    glossary: Path | None
    protect: bool
    ban: tuple[str, ...]
    ban_from: Path | None

    def read(self) -> "Constraints":
        """Read the files, and return what is demanded and forbidden.

        Raises:
            MissingInputError: a file does not exist.
            CorpusError: a file is damaged, or the glossary has a line without two terms.
            UsageError: a banned word is blank.
        """
        from s2scli.data.cleaning import is_blank
        from s2scli.translation.constraints import Constraints
        from s2scli.translation.glossary import NO_TERMS, read_glossary, read_words

        banned = [*self.ban, *(read_words(self.ban_from) if self.ban_from else ())]
        if any(map(is_blank, banned)):
            raise UsageError("--ban needs a word, found only white space")
        terms = read_glossary(self.glossary) if self.glossary else NO_TERMS
        return Constraints(self.prefix, terms, self.protect, tuple(banned))

    @property
    def flags(self) -> list[str]:
        """The flags that are given."""
        given = {
            "--prefix": self.prefix,
            "--glossary": self.glossary,
            "--protect": self.protect,
            "--ban": self.ban,
            "--ban-from": self.ban_from,
        }
        return [flag for flag, value in given.items() if value]

    def refuse_unsearched(self, settings: "SearchSettings") -> None:
        """Refuse phrases with a search that is not constrained beam search.

        Raises:
            UsageError: phrases are demanded with --sample or --beam-groups.
        """
        phrases = [flag for flag in self.flags if flag in ("--glossary", "--protect")]
        others = {"--sample": settings.sample, "--beam-groups": settings.beam_groups > 1}
        for other, given in others.items():
            if phrases and given:
                raise UsageError(f"{phrases[0]} has no effect with {other}; leave one of them out")


def _constraints(
    *,
    prefix: Annotated[
        bool,
        _option(
            "--prefix",
            help="Each line is source TAB prefix, and its outputs begin with the prefix. The "
            "prefix may be empty.",
        ),
    ] = False,
    glossary: Annotated[
        Path | None,
        _option(
            "--glossary",
            metavar="FILE",
            help="A TSV file of terms (source term TAB target term). For each source term in a "
            "line, every output contains the target term as a whole word, as often as the source "
            "has the source term, even if that needs more than --max-length. Upper and lower case "
            "differ. The search is constrained beam search with dynamic beam allocation (Post & "
            "Vilar 2018, Hu et al. 2019); it is used for a line only if the model does not write "
            "the terms by itself.",
        ),
    ] = None,
    protect: Annotated[
        bool,
        _option(
            "--protect",
            help="Numbers, URLs, e-mail addresses and tags come out as they went in. The model "
            "must write each number, as with --glossary. In the place of everything else it reads "
            "and must write a letter that the line does not have.",
        ),
    ] = False,
    ban: Annotated[
        list[str] | None,
        _option(
            "--ban",
            metavar="WORD",
            callback=utf8,
            help="No output contains this word or phrase, however the tokens spell it; repeatable. "
            "Longer words that contain it remain possible. Upper and lower case differ.",
        ),
    ] = None,
    ban_from: Annotated[
        Path | None,
        _option(
            "--ban-from",
            metavar="FILE",
            help="A file of banned words or phrases, one per line.",
        ),
    ] = None,
) -> ConstraintFlags:
    return ConstraintFlags(prefix, glossary, protect, tuple(ban or ()), ban_from)


ConstraintOptions = Annotated[ConstraintFlags, Options(_constraints)]
