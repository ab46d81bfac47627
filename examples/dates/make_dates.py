"""Make the dates corpus: dates as people write them in many languages, and in ISO 8601.

    python examples/dates/make_dates.py [FOLDER]

writes train.tsv.gz, valid.tsv.gz and test.tsv.gz (source TAB target) into FOLDER, by default the
folder of this script. It needs Babel, whose CLDR data says how dates are written. The same version
of Babel gives the same rows.

Held-out dates: a hash of the ISO date assigns each day from 1900 to 2099 to one split before any
row is made. A day of the valid or test split is in no other split, in any language. Its year, its
month and its day of the month are, in other dates.

One correct target per source: years have four digits; the month is a name, or the order is year,
month, day; and no text means one day in one language and another day in another, which the script
checks for every form and every day of the year. (This is why Croatian is missing: "listopada" is
October in Croatian and November in Polish.)
"""

import argparse
import datetime
import functools
import gzip
import hashlib
import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from babel import Locale
from babel.dates import format_date, tokenize_pattern, untokenize_pattern

T = TypeVar("T")

MADE_WITH_BABEL = "2.18.0"  # what the committed files were made with
SEED = 20261121
ROWS = {"train": 24_000, "valid": 500, "test": 2_000}
FIRST_DAY, LAST_DAY = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)

LOCALES = (
    *("en", "en_GB", "de", "fr", "es", "it", "pt", "nl", "sv", "nb", "da", "fi", "et", "lv", "lt"),
    *("pl", "cs", "sk", "sl", "hu", "ro", "sq", "tr", "vi", "id", "sw", "eu", "ca", "is"),
    *("ru", "uk", "be", "bg", "sr", "kk", "el", "hy", "ka", "ar", "fa", "ur", "he"),
    *("hi", "mr", "bn", "pa", "ta", "te", "th", "km", "am", "zh", "ja", "ko"),
)
STYLES = ("full", "long", "medium", "short")
SKELETONS = ("yMMMd", "yMMMEd", "yMd", "yMEd", "yMMMMd", "yMMMMEEEEd")
# Ordinals, which people write but CLDR does not have.
ORDINAL_PATTERNS = {
    "en": ("MMMM d'{th}', y", "d'{th}' 'of' MMMM y", "EEEE, MMMM d'{th}', y"),
    "fr": ("d'{er}' MMMM y", "EEEE d'{er}' MMMM y"),
}
# The digit zero of each decimal numbering system; the other nine follow it in Unicode.
ZEROS = {
    **{"arab": "\u0660", "arabext": "\u06f0", "deva": "\u0966", "beng": "\u09e6"},
    **{"guru": "\u0a66", "tamldec": "\u0be6", "telu": "\u0c66", "thai": "\u0e50"},
    **{"khmr": "\u17e0"},
}
# The share of dates written with the digits of their own script, if it has some.
OWN_DIGITS = 0.35
# str.upper is wrong for Turkish, and nobody writes dates in Georgian capitals.
WITHOUT_CAPITALS = ("tr", "ka")
MARKS = re.compile("[\u061c\u200e\u200f]")
SPACES = re.compile(r"\s+")
LOOSE_PUNCTUATION = re.compile(r"[.,،፣](?=\s|$)")
PUNCTUATION = re.compile(r"[.,،፣/()（）\s-]+")


@dataclass(frozen=True)
class Form:
    """One way to write a date: a locale and a CLDR date pattern."""

    locale: str
    pattern: str

    def write(self, day: datetime.date) -> str:
        """Return `day` in this form, without direction marks and with plain spaces."""
        text = format_date(day, self.pattern, self.locale)
        text = text.replace("{th}", _english_suffix(day.day))
        text = text.replace("{er}", "er" if day.day == 1 else "")
        return SPACES.sub(" ", MARKS.sub("", text)).strip()

    def without_weekday(self) -> "Form":
        """Return the form with the weekday left out."""
        tokens = tokenize_pattern(self.pattern)
        kept = [token for token in tokens if token[0] != "field" or token[1][0] not in "Ec"]
        return Form(self.locale, untokenize_pattern(kept))


def main() -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(description="Make the dates corpus.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in make_corpus().items():
        text = "".join(f"{source}\t{target}\n" for source, target in rows.items())
        path = folder / f"{split}.tsv.gz"
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
        print(f"{path.name}: {len(rows)} rows, {path.stat().st_size} bytes")


def make_corpus() -> dict[str, dict[str, str]]:
    """Return the rows of each split, as a mapping from source to target.

    Raises:
        ValueError: two forms give the same text to different days.
    """
    days: dict[str, list[datetime.date]] = defaultdict(list)
    for number in range(FIRST_DAY.toordinal(), LAST_DAY.toordinal() + 1):
        day = datetime.date.fromordinal(number)
        days[split_of(day)].append(day)
    forms = {locale: forms_of(locale) for locale in LOCALES}
    check_unambiguous([form for group in forms.values() for form in group])
    return {split: make_rows(split, days[split], forms) for split in ROWS}


def split_of(day: datetime.date) -> str:
    """Return the split of `day`, chosen by a hash: 1 day in 20 is for test, 1 for validation."""
    bucket = int.from_bytes(hashlib.sha256(day.isoformat().encode()).digest()[:8]) % 20
    return {0: "test", 1: "valid"}.get(bucket, "train")


def forms_of(locale: str) -> tuple[Form, ...]:
    """Return the unambiguous ways to write a date in `locale`."""
    data = Locale.parse(locale)
    patterns = [data.date_formats[style].pattern for style in STYLES]
    patterns += [
        data.datetime_skeletons[name].pattern
        for name in SKELETONS
        if name in data.datetime_skeletons
    ]
    patterns += ORDINAL_PATTERNS.get(locale, ())
    return tuple(Form(locale, pattern) for pattern in dict.fromkeys(patterns) if is_clear(pattern))


def is_clear(pattern: str) -> bool:
    """Return whether `pattern` has a full year, and a month that cannot be read as a day."""
    widths = {
        str(value[0]): int(value[1]) for kind, value in tokenize_pattern(pattern) if kind == "field"
    }
    month = widths.get("M", widths.get("L", 0))
    year_comes_first = next(field for field in widths if field in "yMLd") == "y"
    return widths["y"] != 2 and (month >= 3 or year_comes_first)


def check_unambiguous(forms: Sequence[Form]) -> None:
    """Check that no text means two days; weekday, case and punctuation are ignored.

    Raises:
        ValueError: two forms give the same text to different days.
    """
    first_use: dict[str, tuple[datetime.date, Form]] = {}
    for form in forms:
        plain = form.without_weekday()
        for number in range(366):
            day = datetime.date(2000, 1, 1) + datetime.timedelta(number)
            text = PUNCTUATION.sub(" ", plain.write(day).casefold()).strip()
            other_day, other = first_use.setdefault(text, (day, form))
            if day != other_day:
                raise ValueError(f"{text!r} is {other_day} in {other} and {day} in {form}")


def make_rows(
    split: str, days: Sequence[datetime.date], forms: Mapping[str, Sequence[Form]]
) -> dict[str, str]:
    """Return `ROWS[split]` different rows, each of a random locale, form, day and variation.

    Raises:
        ValueError: a source has two targets.
    """
    chance = random.Random(f"{SEED} {split}")
    rows: dict[str, str] = {}
    while len(rows) < ROWS[split]:
        locale = _pick(chance, LOCALES)
        form, day = _pick(chance, forms[locale]), _pick(chance, days)
        source = _pick(chance, variations_of(locale))(form.write(day))
        if chance.random() < OWN_DIGITS:
            source = source.translate(digits_of(locale))
        source = unicodedata.normalize("NFC", source)
        if rows.setdefault(source, day.isoformat()) != day.isoformat():
            raise ValueError(f"{source!r} means both {rows[source]} and {day.isoformat()}")
    return rows


@functools.cache
def variations_of(locale: str) -> tuple[Callable[[str], str], ...]:
    """Return the changes that people make to a date in `locale`; common ones are repeated."""
    plain: tuple[Callable[[str], str], ...] = (str,) * 7
    loose = (lambda text: LOOSE_PUNCTUATION.sub("", text),) * 2
    return plain + loose + (() if locale in WITHOUT_CAPITALS else (str.lower, str.upper))


@functools.cache
def digits_of(locale: str) -> dict[int, int]:
    """Return a table from 0-9 to the digits of the locale's own script, empty if it has none."""
    zero = ZEROS.get(Locale.parse(locale).other_numbering_systems.get("native", ""))
    return {ord("0") + i: ord(zero) + i for i in range(10)} if zero else {}


def _pick(chance: random.Random, options: Sequence[T]) -> T:
    # Python keeps random() the same across versions, but not choice()
    return options[int(chance.random() * len(options))]


def _english_suffix(number: int) -> str:
    if number in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


if __name__ == "__main__":
    main()
