"""Divide text into sentences, by a rule or by the library sentencex; no white space is lost."""

import itertools
import re
from collections.abc import Callable, Iterator

from s2scli.errors import MissingExtraError
from s2scli.scripts import space_between

Splitter = Callable[[str], list[str]]
"""Divides a text into sentences, each with the white space after it; joined, they are the text."""

OPENING = "\"'([{«‹“‘„‚「『（¿¡"
CLOSING = "\"')\\]}»›”’“‘」』）］"
WIDE_CLOSING = "\"')\\]”’」』）］"
STOPS = ".!?…؟۔।॥։።"
WIDE_STOPS = "。！？｡！？။។"  # of scripts without spaces
# A match begins where a run of stops or of white space does, or a long run takes quadratic time.
END = re.compile(
    rf"(?<![{STOPS}])(?P<stop>[{STOPS}]+)[{CLOSING}]*(?:[ \u00a0\u202f]»)?\s+"
    rf"|[{WIDE_STOPS}]+(?:[{WIDE_CLOSING}]+\s+|\s*(?![{WIDE_CLOSING}{WIDE_STOPS}\s]))"
    r"|\n[^\S\n]*\n\s*"
)
LOOSE_END = re.compile(rf"[{STOPS}][{CLOSING}]*\s+|[{WIDE_STOPS}][{CLOSING}]*\s*")
CLAUSE_END = re.compile(rf"[,;:،؛–—][{CLOSING}]*\s+|[，、；：][{CLOSING}]*\s*")
LINE_BREAK = re.compile(r"(?<!\s)\s*\n\s*")
INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
LONGEST = 32  # an abbreviation, in characters
ORDINAL = re.compile(r"\d{1,2}")
TITLES = (
    "mr mrs ms dr prof rev hon st sr jr gen col capt lt sgt gov sen rep pres mme mlle mgr sra srta "
    "dra sig dott avv hr fr frl dipl ing"
)
COMMON = (
    "vs etc eg ie cf viz al approx est fig figs vol vols pp ed eds dept univ nos env av ave blvd "
    "rd mt ud uds pág núm ecc pag bzw usw ca evtl ggf vgl nr bd str tel geb gest inkl zzgl sog zb"
)
DATES = "jan feb apr jun jul aug sept sep oct okt nov dec dez mon tue wed thu fri"
ABBREVIATIONS = frozenset(f"{TITLES} {COMMON} {DATES}".split())


def choose_splitter(language: str | None) -> Splitter:
    """Return a function that divides a text into sentences.

    Args:
        language: the code of a language, such as `en`, chooses the library sentencex; None chooses
            the rule of `split_sentences`.

    Raises:
        MissingExtraError: a language is given, and sentencex is not installed.
    """
    if language is None:
        return split_sentences
    try:
        import sentencex
    except ImportError as error:
        raise MissingExtraError(
            "sentencex is not installed: pip install 's2scli[sentences]', or leave out --language"
        ) from error
    code = language
    return lambda text: list(sentencex.segment(code, text))


def split_sentences(text: str) -> list[str]:
    """Divide a text into sentences, each with the white space after it.

    A sentence ends at a blank line, at a full stop of a script without spaces (。！？), and at one
    of .!?… and their like if white space follows. Closing quotes and brackets belong to the
    sentence. It does not end there

    - before a letter in lower case, if the text has letters in upper case;
    - after a common abbreviation, an initial (J. or z. B.), or a number of one or two digits with a
      full stop (an ordinal, or the number of a list);
    - after 。 and a closing quote without white space, which often is a quotation inside a
      sentence.

    If in doubt, two sentences stay together. Joined, the sentences are the text.
    """
    cuts = [0, *_ends(text), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(cuts) if start < end]


def _ends(text: str) -> Iterator[int]:
    """Yield the ends of sentences, with the white space after them."""
    start, cased = 0, any(character.isupper() for character in text)
    for found in END.finditer(text):
        stop = found["stop"]
        following = text[found.end() : found.end() + 8].lstrip(OPENING)[:1]
        if stop and cased and following.islower():
            continue
        if stop == "." and _is_abbreviated(
            text[max(start, found.start() - LONGEST) : found.start()]
        ):
            continue
        start = found.end()
        yield start


def _is_abbreviated(before: str) -> bool:
    """Whether a full stop after this text belongs to its last word."""
    word = before.rsplit(maxsplit=1)[-1:] or [""]
    last = word[0].lstrip(OPENING)
    return bool(
        INITIALS.fullmatch(last) or ORDINAL.fullmatch(last) or last.lower() in ABBREVIATIONS
    )


def unwrap(text: str) -> str:
    """Return a text on one line: a line break becomes a space, or nothing between CJK letters."""

    def joint(found: re.Match[str]) -> str:
        start, end = found.span()
        return space_between(text[start - 1 : start], text[end : end + 1])

    return LINE_BREAK.sub(joint, text)
