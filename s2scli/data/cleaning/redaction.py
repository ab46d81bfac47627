"""A repair that replaces personal data: addresses, numbers that name a person, and a user's list.

The same placeholder stands in source and target, so that a model can learn to copy it.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from s2scli.data.cleaning.pairs import Mask, Texts
from s2scli.data.cleaning.rule import Context, Repair
from s2scli.errors import CorpusError, MissingInputError, UsageError
from s2scli.scripts import is_unspaced

MIN_DIGITS = 7  # no number that names a person is shorter
MAX_LIST_BYTES = 100_000_000
ACCOUNT, CARD, MAIL, PHONE, LISTED = "[ACCOUNT]", "[CARD]", "[EMAIL]", "[PHONE]", "[REDACTED]"

# Every repetition is bounded, or begins where the text before cannot continue it, so that the
# search is linear in the length of a text.
EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])"
)
IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
CARD_NUMBER = re.compile(r"(?<![\d.,])\d(?:[ -]?\d){12,18}(?![\d]|[.,]\d)")
# +49 30 1234567, 00 49 ..., 030/123 45 67, (030) 1234567, 212-555-0123
TELEPHONE = re.compile(
    r"""(?<![\w.,/+-])(?<!\d[ ])
    (?!\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?!\d))   # a date
    (?: (?:\+|00)[ ]?\d{1,3}(?:[ ./-]{0,2}\(?\d{1,5}\)?){2,6}
      | \(0?\d{2,5}\)[ ]?[/-]?[ ]?\d{2,8}(?:[ ./-]\d{2,8}){0,4}
      | 0\d{1,4}[ ]?[ /-][ ]?\d{2,8}(?:[ -]\d{2,8}){0,4}
      | 0\d{8,12}
      | \d{3}[-. ]\d{3}[-. ]\d{4}
    )(?!\d|[.,:/-]\d)""",
    re.VERBOSE,
)
PHONE_DIGITS = range(MIN_DIGITS, 16)  # 15 is the most of E.164
WORD = re.compile(r"\w+")


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    doubled = [2 * int(digit) for digit in digits[-2::-2]]
    plain = sum(int(digit) for digit in digits[-1::-2])
    return (sum(divmod(value, 10)[0] + value % 10 for value in doubled) + plain) % 10 == 0


def iban(text: str) -> bool:
    """Whether the check digits of an account number without spaces are right (ISO 7064, 97-10)."""
    moved = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def redact(text: str) -> str:
    """Replace account numbers, card numbers, e-mail addresses and telephone numbers."""
    text = IBAN.sub(_account, text)
    text = CARD_NUMBER.sub(lambda found: CARD if _is_card(found[0]) else found[0], text)
    text = EMAIL.sub(MAIL, text)
    return TELEPHONE.sub(lambda found: PHONE if _is_phone(found[0]) else found[0], text)


def _account(found: re.Match[str]) -> str:
    """Return the placeholder and what follows the number; words in capitals can run into it."""
    parts = found[0].split(" ")
    for end in range(len(parts), 0, -1):
        joined = "".join(parts[:end])
        if 15 <= len(joined) <= 34 and iban(joined):
            return " ".join([ACCOUNT, *parts[end:]])
    return found[0]


def _is_card(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return len(set(digits)) > 1 and luhn(digits)


def _is_phone(text: str) -> bool:
    return len(re.sub(r"\D", "", text)) in PHONE_DIGITS


@dataclass(frozen=True)
class Listed:
    """Finds the entries of a user's list in texts, without regard to case.

    An entry matches whole words; one of a script without spaces matches anywhere. Only the entries
    whose first word is in a text are looked for, so that the list can be long.

    Attributes:
        by_word: the pattern of the entries that begin with each word, in small letters.
        anywhere: the pattern of the entries of scripts without spaces; None without any.
    """

    by_word: dict[str, re.Pattern[str]]
    anywhere: re.Pattern[str] | None

    def redact(self, text: str) -> str:
        """Replace every entry in a text."""
        words = {word.lower() for word in WORD.findall(text)}
        for word in sorted(words & self.by_word.keys()):
            text = self.by_word[word].sub(LISTED, text)
        return self.anywhere.sub(LISTED, text) if self.anywhere else text


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
        words = WORD.findall(entry)
        if entry and not words:
            raise CorpusError(f"{path}, line {number}: no letter or digit, found {entry!r:.40}")
        if is_unspaced(entry):
            anywhere.append(entry)
        elif entry:
            entries[words[0].lower()].append(entry)
    patterns = {word: _pattern(several, r"(?<!\w)", r"(?!\w)") for word, several in entries.items()}
    return Listed(patterns, _pattern(anywhere) if anywhere else None)


def _pattern(entries: Iterable[str], before: str = "", after: str = "") -> re.Pattern[str]:
    """Return a pattern of any of some entries, the longest first; a space is any white space."""
    longest_first = sorted(set(entries), key=lambda entry: (-len(entry), entry))
    choices = "|".join(re.escape(entry).replace(r"\ ", r"\s+") for entry in longest_first)
    return re.compile(f"{before}(?:{choices}){after}", re.IGNORECASE)


def redactors(context: Context) -> Iterator[tuple[Callable[[Texts], Mask], Callable[[str], str]]]:
    """Yield what is redacted: which texts may have it, and a function that replaces it."""
    if context.settings.redact_list is not None:
        listed = read_list(context.settings.redact_list)
        yield lambda side: np.ones(len(side.texts), np.bool_), listed.redact
    if context.settings.redact:
        yield _may_be_personal, redact


def redacted(text: str, context: Context) -> str:
    """Return a text as the rule changes it."""
    for _, change in redactors(context):
        text = change(text)
    return text


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
    texts = side.texts
    for may_have, change in redactors(context):
        rows = np.flatnonzero(may_have(Texts(texts))).tolist()
        if rows:
            texts = list(texts)
            for row in rows:
                texts[row] = change(texts[row])
    return texts


REDACTION = Repair(
    does="replace personal data by placeholders",
    apply=_apply,
    is_on=lambda settings: settings.redact or settings.redact_list is not None,
    flag="--redact",
    hides=True,
)
