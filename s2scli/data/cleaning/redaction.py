"""A repair that replaces personal data: addresses, numbers that name a person, and a user's list.

The same placeholder stands in source and target, so that a model can learn to copy it.
"""

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np

from s2scli.data.cleaning.pairs import Mask, Texts
from s2scli.data.cleaning.rule import Context, Repair
from s2scli.errors import CorpusError, MissingInputError, UsageError
from s2scli.scripts import HAN, OTHER_UNSPACED, WIDE

MIN_DIGITS = 7  # no number that names a person is shorter
MAX_LIST_BYTES = 100_000_000
ACCOUNT, CARD, MAIL, PHONE, LISTED = "[ACCOUNT]", "[CARD]", "[EMAIL]", "[PHONE]", "[REDACTED]"

# Letters that stand beside an address, a number or a name without a space: those of scripts
# without spaces, and Hangul, whose particles follow a name.
UNSPACED = HAN.pattern[1:-1] + OTHER_UNSPACED.pattern[1:-1]
GLUED = UNSPACED + WIDE.pattern[1:-1] + r"\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff"
LETTER = rf"[^\W{GLUED}]"  # or digit, of a word between spaces
# spaces and hyphens that do not break a line, and the wide forms of numbers
ALIKE = str.maketrans(
    "\u00a0\u2007\u202f\u2010\u2011\u2012－．／（）＋０１２３４５６７８９", "   ----./()+0123456789"
)

# Every repetition is bounded, or begins where the text before cannot continue it, so that the
# search is linear in the length of a text.
EMAIL = re.compile(
    rf"(?<![.%+-])(?<!{LETTER})(?:{LETTER}|[.%+-]){{1,64}}@"
    rf"(?:(?:[^\W_{GLUED}](?:(?:{LETTER}|-){{0,61}}[^\W_{GLUED}])?|[{UNSPACED}]{{1,63}})\.){{1,8}}"
    rf"(?:[^\W\d_{GLUED}]{{2,24}}(?!{LETTER}|-)|[{UNSPACED}]{{2,24}})"
)
IBAN = re.compile(
    rf"(?<!{LETTER})[A-Z]{{2}}\d{{2}}(?: ?[A-Z0-9]{{4}}){{2,7}}(?: ?[A-Z0-9]{{1,3}})?(?!{LETTER})"
)
CARD_NUMBER = re.compile(r"(?<![\d.,])\d(?:[ -]?\d){12,18}(?![\d]|[.,]\d)")
# +49 30 1234567, 00 49 ..., 030/123 45 67, (030) 1234567, 01.23.45.67.89, 1-212-555-0123
TELEPHONE = re.compile(
    rf"(?<!{LETTER})"
    r"""(?<![.,/+-])(?<!\d[ ])
    (?!\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?!\d|\.\d))   # a date
    (?: (?:\+|00)[ ]?\d{1,3}(?:[ ./-]{0,2}\(?\d{1,5}\)?){2,6}
      | \(0?\d{2,5}\)[ ]?[/-]?[ ]?\d{2,8}(?:[ ./-]\d{2,8}){0,4}
      | 0\d{1,4}[ ]?[ /-][ ]?\d{2,8}(?:[ -]\d{2,8}){0,4}
      | 0\d(?:\.\d{2}){4}
      | 0\d{8,12}
      | (?:1[-. ])?\d{3}[-. ]\d{3}[-. ]\d{4}
    )(?!\d|[.,:/-]\d)""",
    re.VERBOSE,
)
PHONE_DIGITS = range(MIN_DIGITS, 16)  # 15 is the most of E.164
WORD, GLUED_LETTER = re.compile(r"\w+"), re.compile(rf"(?!\s)[{GLUED}]")

Span: TypeAlias = tuple[int, int, str]
"""What is redacted in a text: its start, its end, and the placeholder."""
Find: TypeAlias = Callable[[str], list[Span]]


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    doubled = [2 * int(digit) for digit in digits[-2::-2]]
    plain = sum(int(digit) for digit in digits[-1::-2])
    return (sum(divmod(value, 10)[0] + value % 10 for value in doubled) + plain) % 10 == 0


def iban(text: str) -> bool:
    """Whether the check digits of an account number without spaces are right (ISO 7064, 97-10)."""
    moved = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def personal(text: str) -> list[Span]:
    """Return the spans of account and card numbers, e-mail addresses and telephone numbers.

    A number of one kind is not one of the next.
    """
    spans: list[Span] = []
    text = text.translate(ALIKE)
    for placeholder, (pattern, size_of) in KINDS.items():

        def note(found: re.Match[str], size_of: SizeOf = size_of, name: str = placeholder) -> str:
            if size := size_of(found[0]):
                spans.append((found.start(), found.start() + size, name))
            return "\n" * size + found[0][size:]

        text = pattern.sub(note, text)
    return spans


def _size_of_account(text: str) -> int:
    """Return the length of the number; words in capitals can run into it."""
    parts = text.split(" ")
    for end in range(len(parts), 0, -1):
        joined = "".join(parts[:end])
        if 15 <= len(joined) <= 34 and iban(joined):
            return len(" ".join(parts[:end]))
    return 0


def _size_of_card(text: str) -> int:
    digits = re.sub(r"\D", "", text)
    return len(text) if len(set(digits)) > 1 and luhn(digits) else 0


def _size_of_phone(text: str) -> int:
    return len(text) if len(re.sub(r"\D", "", text)) in PHONE_DIGITS else 0


SizeOf: TypeAlias = Callable[[str], int]
"""Returns how many characters of what a pattern has found name a person, from the first."""

KINDS: Mapping[str, tuple[re.Pattern[str], SizeOf]] = {
    ACCOUNT: (IBAN, _size_of_account),
    CARD: (CARD_NUMBER, _size_of_card),
    MAIL: (EMAIL, len),
    PHONE: (TELEPHONE, _size_of_phone),
}


def _replaced(text: str, spans: Iterable[Span]) -> str:
    """Replace the spans of a text; those that overlap by the placeholder of the longest."""
    parts, end, longest = [], 0, 0
    for start, stop, placeholder in sorted(spans):
        if start >= end:
            parts += [text[end:start], placeholder]
            longest = 0
        elif stop - start > longest:
            parts[-1] = placeholder
        longest, end = max(longest, stop - start), max(end, stop)
    return "".join([*parts, text[end:]])


@dataclass(frozen=True)
class Listed:
    """Finds the entries of a user's list in texts, without regard to case.

    An entry matches whole words; one of a script without spaces, or in Hangul, matches anywhere.
    Only the entries whose first word is in a text are looked for, so that the list can be long.

    Attributes:
        by_word: the pattern of the entries that begin with each word, in small letters.
        anywhere: the pattern of the entries that match anywhere; None without any.
    """

    by_word: dict[str, re.Pattern[str]]
    anywhere: re.Pattern[str] | None

    def spans(self, text: str) -> list[Span]:
        """Return the spans of the entries in a text, which may overlap."""
        spaced = GLUED_LETTER.sub("\0", text)  # in which words end beside such a letter
        words = {word.lower() for word in WORD.findall(spaced)}
        spans = [
            (*found.span(), LISTED)
            for word in sorted(words & self.by_word.keys())
            for found in self.by_word[word].finditer(spaced)
            if not (_has_mark(text, found.start() - 1) or _has_mark(text, found.end()))
        ]
        found_anywhere = self.anywhere.finditer(text) if self.anywhere else ()
        return spans + [(*found.span(), LISTED) for found in found_anywhere]


def _has_mark(text: str, index: int) -> bool:
    """Whether a character, if there is one, belongs to a letter before it: a vowel, an accent."""
    return 0 <= index < len(text) and unicodedata.category(text[index]).startswith("M")


@lru_cache(maxsize=1)
def read_list(path: str) -> Listed:
    """Read a list of texts to redact, one on each line; blank lines are skipped.

    Raises:
        MissingInputError: the file does not exist or cannot be read.
        CorpusError: it is too large or not UTF-8, or a line has no letter or digit.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise MissingInputError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > MAX_LIST_BYTES:
        raise CorpusError(f"{path}: too large (limit {MAX_LIST_BYTES} bytes)")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}, byte {error.start + 1}: not UTF-8") from error
    entries: defaultdict[str, list[str]] = defaultdict(list)
    anywhere = []
    for number, line in enumerate(lines, start=1):
        entry = " ".join(line.split())
        if entry and not WORD.search(entry):
            raise CorpusError(f"{path}, line {number}: no letter or digit, found {entry!r:.40}")
        # a text may write a letter and its accent as one character or as two
        for spelled in {unicodedata.normalize(form, entry) for form in ("NFC", "NFD")}:
            if GLUED_LETTER.search(spelled):
                anywhere.append(spelled)
            elif spelled:
                entries[WORD.findall(spelled)[0].lower()].append(spelled)
    patterns = {word: _pattern(several, r"(?<!\w)", r"(?!\w)") for word, several in entries.items()}
    return Listed(patterns, _pattern(anywhere) if anywhere else None)


def _pattern(entries: Iterable[str], before: str = "", after: str = "") -> re.Pattern[str]:
    """Return a pattern of any of some entries, the longest first; a space is any white space."""
    longest_first = sorted(set(entries), key=lambda entry: (-len(entry), entry))
    choices = "|".join(re.escape(entry).replace(r"\ ", r"\s+") for entry in longest_first)
    return re.compile(f"{before}(?:{choices}){after}", re.IGNORECASE)


def finders(context: Context) -> Iterator[tuple[Callable[[Texts], Mask], Find]]:
    """Yield what is redacted: which texts may have it, and a function that finds it in one."""
    if context.settings.redact_list is not None:
        listed = read_list(context.settings.redact_list)
        yield lambda side: np.ones(len(side.texts), np.bool_), listed.spans
    if context.settings.redact:
        yield _may_be_personal, personal


def redacted(text: str, context: Context) -> str:
    """Return a text as the rule changes it."""
    found = (find(text) for _, find in finders(context))
    return _replaced(text, itertools.chain.from_iterable(found))


def require_list(path: str | None) -> None:
    """Check a list of texts to redact before anything is read.

    Raises:
        MissingInputError: the file does not exist or cannot be read.
        CorpusError: the file is not such a list.
        UsageError: the list is empty.
    """
    if path is not None:
        listed = read_list(path)
        if not listed.by_word and listed.anywhere is None:
            raise UsageError(f"--redact-list {path}: the file is empty, expected one text a line")


def _may_be_personal(side: Texts) -> Mask:
    """Return which texts have an @ or as many digits as a telephone number, [rows]."""
    codes = side.codes
    digits = (codes >= ord("0")) & (codes <= ord("9")) | (codes >= 0x660)
    return (side.counts(digits) >= MIN_DIGITS) | (side.counts(codes == ord("@")) > 0)


def _apply(side: Texts, context: Context) -> Sequence[str]:
    spans: defaultdict[int, list[Span]] = defaultdict(list)
    for may_have, find in finders(context):
        for row in np.flatnonzero(may_have(side)).tolist():
            spans[row] += find(side.texts[row])
    found = {row: some for row, some in spans.items() if some}
    if not found:
        return side.texts
    texts = list(side.texts)
    for row, some in found.items():
        texts[row] = _replaced(texts[row], some)
    return texts


REDACTION = Repair(
    does="replace personal data by placeholders",
    apply=_apply,
    is_on=lambda settings: settings.redact or settings.redact_list is not None,
    flag="--redact",
    hides=True,
)
