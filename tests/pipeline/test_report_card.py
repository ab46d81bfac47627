import random
from pathlib import Path

import pytest

from s2scli.data.cleaning import language
from s2scli.data.settings import PrepareSettings
from s2scli.data.store import Corpus
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.inspect_corpus import inspect_corpus
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.report_card import Card, _growth, spaced
from s2scli.pipeline.train_tokenizer import train_tokenizer
from s2scli.report.console import Talk
from s2scli.tokenizer.settings import Kind, TokenizerSettings
from s2scli.workspace import Workspace

pytestmark = pytest.mark.usefixtures("quick_fsync")
TEXT = "dog cat bird house river runs sleeps sings slowly today never green old"
WORDS = TEXT.split()


def rows_of(count: int) -> list[tuple[str, str]]:
    words = random.Random(3)
    texts = [" ".join(words.choices(WORDS, k=words.randint(8, 14))) for _ in range(count)]
    return [(text, text.upper()) for text in texts]


def card_of(
    folder: Path,
    rows: list[tuple[str, str]],
    held: list[tuple[str, str]],
    tags: tuple[str, ...] = (),
) -> Card:
    for name, part in (("c.tsv", rows), ("v.tsv", held)):
        lines = "".join(f"{source}\t{target}\n" for source, target in part)
        (folder / name).write_text(lines, "utf-8")
    workspace = Workspace(folder / "w")
    inputs = Inputs((folder / "c.tsv",), valid=(folder / "v.tsv",), tags=tags)
    prepare(workspace, inputs, PrepareSettings(test_size=0), Talk(quiet=True))
    card = inspect_corpus(workspace, "train", 0).card
    assert card is not None
    return card


@pytest.fixture(autouse=True)
def _without_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "is_installed", lambda: False)


def test_leaks_are_found_exact_and_near(tmp_path: Path) -> None:
    rows = rows_of(200)
    near = (f"{rows[7][0]} x", rows[7][1])
    card = card_of(tmp_path, rows, [rows[0], near, ("something else entirely", "quite new")])
    (leak,) = card.leaks
    assert (leak.split, leak.rows, leak.equal_sources, leak.near) == ("valid", 3, 1, 2)
    assert leak.train_rows == 200
    assert [sample.source for sample in leak.samples] == [rows[0][0], near[0]]
    assert leak.samples[1].source_before == rows[7][0]
    told = [finding.what for finding in card.findings]
    assert any("2 of 3 valid rows resemble one of 200 train rows" in what for what in told)
    advice = " ".join(finding.do for finding in card.findings if "resemble" in finding.what)
    assert "take these rows out of the valid files, or out of the corpus" in advice


def test_near_duplicates_and_what_rules_find_are_counted(tmp_path: Path) -> None:
    rows = rows_of(100)
    rows += [(source, f"{target} x") for source, target in rows[:20]]
    rows += [("mail me at a@example.org", "at a@example.org"), ("a &lt; b or so", "A &lt; B OR SO")]
    card = card_of(tmp_path, rows, rows_of(1))
    assert card.near_duplicates == (20, 122)
    found = {view.rule: view.rows for view in card.rules if view.rows}
    assert found == {"redacted": 1, "html_entities": 1}
    (sample,) = next(view.samples for view in card.rules if view.rule == "redacted")
    assert (sample.source, sample.source_before) == ("mail me at [EMAIL]", "")
    told = "; ".join(f"{finding.what}: {finding.do}" for finding in card.findings)
    for text in (
        "--redact replaces",
        "--unescape-html",
        "20 of 122 train rows resemble an earlier",
    ):
        assert text in told
    weights = [finding.weight for finding in card.findings]
    assert weights == sorted(weights, reverse=True)


def test_scripts_ratios_and_growth_are_counted(tmp_path: Path) -> None:
    card = card_of(tmp_path, [*rows_of(50), ("ab cd", "да нет собака")], rows_of(1))
    source, target = card.sides
    assert [share.name for share in source.scripts] == ["Latin"]
    assert [share.name for share in target.scripts] == ["Latin", "Cyrillic"]
    assert sum(share.share for share in target.scripts) == pytest.approx(1, abs=1e-3)
    assert sum(one.rows for one in card.ratios) == card.sample == 51
    assert source.types[-1] == len(WORDS) + 2
    assert source.pieces_per_word is None


def test_tags_are_no_text(tmp_path: Path) -> None:
    cards = []
    for name, tags in (("plain", ()), ("tagged", ("x2",))):
        (tmp_path / name).mkdir()
        cards.append(card_of(tmp_path / name, rows_of(50), rows_of(1), tags))
    plain, tagged = cards
    assert (tagged.sides, tagged.ratios, tagged.rules) == (plain.sides, plain.ratios, plain.rules)


@pytest.mark.parametrize(
    ("kind", "source", "advised"),
    [
        ("bpe", "abcdefghij", True),
        ("char", "abcdefghij", False),
        ("bpe", "中国人学大天水火", False),
    ],
)
def test_more_pieces_are_advised_only_where_they_cut_words(
    tmp_path: Path, kind: Kind, source: str, advised: bool
) -> None:
    letters = random.Random(3)
    rows = [("".join(letters.choices(source, k=12)), f"{number}") for number in range(300)]
    card_of(tmp_path, rows, rows[:3])
    settings = TokenizerSettings(kind=kind, vocab_size=40)
    train_tokenizer(Workspace(tmp_path / "w"), settings, Talk(quiet=True))
    card = inspect_corpus(Workspace(tmp_path / "w"), "train", 0).card
    assert card is not None
    told = [one for one in card.findings if one.what.startswith("a source word has")]
    assert bool(told) is advised
    assert (card.sides[0].pieces_per_word is not None) is advised


def test_what_most_rows_have_is_the_task_and_no_finding(tmp_path: Path) -> None:
    card = card_of(tmp_path, [(source, source) for source, _ in rows_of(40)], rows_of(1))
    assert {view.rule: view.rows for view in card.rules}["same_text"] == 40
    assert not any("same text" in finding.what for finding in card.findings)


def test_growth_counts_words_and_different_words() -> None:
    tokens, types = _growth(["a b a", "c", "a b c d"])
    assert (tokens[-1], types[-1]) == (8, 4)
    assert list(tokens) == sorted(set(tokens))
    assert _growth(["我们我"])[0][-1] == 3


def test_spaced_rows_are_in_order_and_not_too_many(tmp_path: Path) -> None:
    card_of(tmp_path, rows_of(100), rows_of(1))
    split = Corpus.load(tmp_path / "w" / "corpus").open_split("train")
    lines = [row.line for row in spaced(split, 30)]
    assert len(lines) == 25 and lines == sorted(lines) and lines[0] == 1
