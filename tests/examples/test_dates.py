"""The embedded example: what its committed files promise, and that its script makes them."""

import datetime
import gzip
import importlib.util
import os
import subprocess
import sys
import unicodedata
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

from s2scli.config import load_recipe
from s2scli.training.schedule import CosineSettings

EXAMPLE = Path(__file__).parents[2] / "examples" / "dates"
SPLITS = ("train", "valid", "test")
LAST_DAY_OF_FEBRUARY_2024 = datetime.date(2024, 2, 29)


def read_rows(path: Path) -> list[tuple[str, str]]:
    lines = gzip.decompress(path.read_bytes()).decode().removesuffix("\n").split("\n")
    rows = [tuple(line.split("\t")) for line in lines]
    return [(source, target) for source, target in rows]


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[tuple[str, str]]]:
    return {split: read_rows(EXAMPLE / f"{split}.tsv.gz") for split in SPLITS}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    pytest.importorskip("babel", reason="needs Babel, which makes the dates")
    spec = importlib.util.spec_from_file_location("make_dates", EXAMPLE / "make_dates.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def days_of(rows: list[tuple[str, str]]) -> set[datetime.date]:
    return {datetime.date.fromisoformat(target) for _, target in rows}


def test_files_are_small_enough_to_be_committed() -> None:
    assert sum((EXAMPLE / f"{split}.tsv.gz").stat().st_size for split in SPLITS) < 600_000


def test_files_are_compressed_without_a_time_stamp() -> None:
    for split in SPLITS:
        assert (EXAMPLE / f"{split}.tsv.gz").read_bytes()[4:8] == bytes(4)


def test_every_target_is_an_iso_date(corpus: dict[str, list[tuple[str, str]]]) -> None:
    for _, target in (row for rows in corpus.values() for row in rows):
        assert datetime.date.fromisoformat(target).isoformat() == target
        assert 1900 <= int(target[:4]) <= 2099


def test_sources_are_clean_and_stand_once(corpus: dict[str, list[tuple[str, str]]]) -> None:
    sources = [source for rows in corpus.values() for source, _ in rows]
    assert len(sources) == len(set(sources))
    assert all(source == source.strip() and source for source in sources)
    assert all(unicodedata.is_normalized("NFC", source) for source in sources)


def test_capitals_and_punctuation_never_decide(corpus: dict[str, list[tuple[str, str]]]) -> None:
    targets: dict[str, set[str]] = defaultdict(set)
    for source, target in (row for rows in corpus.values() for row in rows):
        words = source.casefold().translate(dict.fromkeys(map(ord, ".,،፣/-()（）"), " "))
        targets[" ".join(words.split())].add(target)
    assert {text: found for text, found in targets.items() if len(found) > 1} == {}


def test_no_date_stands_in_two_splits(corpus: dict[str, list[tuple[str, str]]]) -> None:
    train, valid, test = (days_of(corpus[split]) for split in SPLITS)
    assert not train & valid and not train & test and not valid & test


def test_training_sees_the_parts_of_every_held_out_date(
    corpus: dict[str, list[tuple[str, str]]],
) -> None:
    train, held_out = days_of(corpus["train"]), days_of(corpus["valid"]) | days_of(corpus["test"])
    assert {day.year for day in held_out} <= {day.year for day in train}
    assert {(day.month, day.day) for day in held_out} <= {(day.month, day.day) for day in train}


def test_thirty_languages_or_more(script: ModuleType) -> None:
    assert len({locale.split("_")[0] for locale in script.LOCALES}) >= 30


@pytest.mark.parametrize("split", SPLITS)
def test_many_scripts(corpus: dict[str, list[tuple[str, str]]], split: str) -> None:
    letters = {letter for source, _ in corpus[split] for letter in source if letter.isalpha()}
    assert {unicodedata.name(letter).split()[0] for letter in letters} >= {
        *("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "GEORGIAN", "ARABIC", "HEBREW"),
        *("DEVANAGARI", "BENGALI", "GURMUKHI", "TAMIL", "TELUGU", "THAI", "KHMER"),
        *("ETHIOPIC", "CJK", "HANGUL"),
    }


def test_script_makes_the_committed_rows(script: ModuleType, tmp_path: Path) -> None:
    import babel

    if babel.__version__ != script.MADE_WITH_BABEL:
        pytest.skip(f"the files were made with the CLDR data of Babel {script.MADE_WITH_BABEL}")
    command = [sys.executable, str(EXAMPLE / "make_dates.py"), str(tmp_path)]
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONIOENCODING": "utf-8"}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    for split in SPLITS:  # rows, not bytes: another zlib may compress in its own way
        assert read_rows(tmp_path / f"{split}.tsv.gz") == read_rows(EXAMPLE / f"{split}.tsv.gz")


def test_days_are_split_by_their_hash(
    script: ModuleType, corpus: dict[str, list[tuple[str, str]]]
) -> None:
    for split in SPLITS:
        assert {script.split_of(day) for day in days_of(corpus[split])} == {split}


@pytest.mark.parametrize(
    ("pattern", "clear"),
    [
        ("d MMMM y", True),
        ("y-MM-dd", True),
        ("E, y/M/d", True),
        ("dd/MM/y", False),
        ("M/d/y", False),
        ("yy/M/d", False),
        ("d MMM yy", False),
    ],
)
def test_only_clear_patterns_are_used(script: ModuleType, pattern: str, clear: bool) -> None:
    assert script.is_clear(pattern) is clear


def test_a_text_for_two_days_is_refused(script: ModuleType) -> None:
    polish, croatian = script.Form("pl", "d MMMM y"), script.Form("hr", "EEEE, d. MMMM y.")
    script.check_unambiguous([polish])
    with pytest.raises(ValueError, match=r"1 listopada 2000.*2000-11-01.*2000-10-01"):
        script.check_unambiguous([polish, croatian])


@pytest.mark.parametrize(
    ("locale", "pattern", "expected"),
    [
        ("fr", "EEEE d MMMM y", "jeudi 29 février 2024"),
        ("en", "MMMM d'{th}', y", "February 29th, 2024"),
        ("ja", "y年M月d日(E)", "2024年2月29日(木)"),
    ],
)
def test_forms_write_dates(script: ModuleType, locale: str, pattern: str, expected: str) -> None:
    assert script.Form(locale, pattern).write(LAST_DAY_OF_FEBRUARY_2024) == expected


def test_own_digits(script: ModuleType) -> None:
    assert "2024".translate(script.digits_of("bn")) == "২০২৪"
    assert "2024".translate(script.digits_of("fr")) == "2024"


def test_the_recipe_is_one() -> None:
    recipe = load_recipe(str(EXAMPLE / "dates.toml"))
    assert recipe.training.metric == "exact_match"
    assert isinstance(recipe.training.schedule, CosineSettings)
    assert recipe.training.schedule.total_steps == recipe.training.limits.max_steps
