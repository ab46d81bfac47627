"""The laws of cleaning rules, over all of them, and what each one drops or changes."""

import itertools
import random
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as few
from hypothesis import strategies as st

from s2scli.data.cleaning import encoding, language, redaction
from s2scli.data.cleaning.numbers import anchors
from s2scli.data.cleaning.own import load_rules, own_files
from s2scli.data.cleaning.pairs import Pairs, Texts
from s2scli.data.cleaning.rule import Context, Filter, Repair
from s2scli.data.cleaning.rules import (
    FILTERS,
    REPAIRS,
    RULES,
    Cleaner,
    corpus_cleaner,
    held_out_cleaner,
    require_usable,
)
from s2scli.data.cleaning.script import NAMES, SCRIPTS, expected_script, script_counts
from s2scli.data.cleaning.shifts import find_shifts, shifted_rows
from s2scli.data.example import Example
from s2scli.data.rows import Changed, Dropped, Notice, Row
from s2scli.data.settings import PrepareSettings
from s2scli.errors import (
    ConfigError,
    CorpusError,
    MissingExtraError,
    MissingInputError,
    UsageError,
)

ON = PrepareSettings(
    fix_encoding=True,
    unescape_html=True,
    remove_controls=True,
    redact=True,
    max_length=60,
    max_length_ratio=3,
    drop_same=True,
    max_repeats=10,
    max_other_script=0.5,
    source_script="Latin",
    target_script="Latin",
    max_unmatched=0.5,
    source_language="en",
    target_language="de",
)
CONTEXT = Context(ON, "Latin", "Latin")
# A pair that each filter drops when its setting is on, and no filter before it does.
DROPPED = {
    "over_long": ("word " * 13, "Wort " * 13),
    "length_ratio": ("one two three", "eins"),
    "same_text": ("equal", "equal"),
    "repeated_characters": ("Contents ............ 7", "Inhalt ............ 7"),
    "other_script": ("a good day", "добрый день"),
    "unmatched_numbers": ("in 1990 and 2000", "in 1991 und 2001"),
    "other_language": ("A sentence in good English.", "A sentence that is not in German."),
}
# Source before and after each repair.
CHANGED = {
    "encoding": ("eine MÃ¶glichkeit", "eine Möglichkeit"),
    "html_entities": ("R&amp;D &#8211; a &lt; b & c &notone;", "R&D – a < b & c &notone;"),
    "control_characters": ("a\x00b\x07 \x1b[31mred\x1b[0m c\x0bd\x9f", "ab red c d"),
    "redacted": ("Mail to a.b@example.org now", "Mail to [EMAIL] now"),
}
texts = st.text(st.sampled_from("aB 1.,&;ü\x07\u200bйあ字@"), max_size=12)
pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=6)


def cleaned(settings: PrepareSettings, *rows: Row) -> list[Row]:
    return list(corpus_cleaner(settings).rows(rows))


def fates(settings: PrepareSettings, *rows: Row) -> list[str]:
    return [row.reason for row in cleaned(settings, *rows) if isinstance(row, Dropped)]


@pytest.mark.parametrize("name", FILTERS)
@few(max_examples=30)
@given(batch=pairs)
def test_a_score_depends_on_its_row_alone(name: str, batch: list[tuple[str, str]]) -> None:
    def scores(rows: list[tuple[str, str]]) -> list[float]:
        both = Pairs.of([row[0] for row in rows], [row[1] for row in rows])
        return [float(score) for score in FILTERS[name].score(both, CONTEXT)]

    together = scores(batch)
    assert together == [scores([row])[0] for row in batch]
    assert together[::-1] == scores(batch[::-1])


@pytest.mark.parametrize("name", REPAIRS)
@few(max_examples=30)
@given(batch=st.lists(texts, min_size=1, max_size=6))
def test_a_repair_depends_on_its_text_alone_and_changes_nothing_twice(
    name: str, batch: list[str]
) -> None:
    def apply(some: list[str]) -> list[str]:
        return list(REPAIRS[name].apply(Texts(some), CONTEXT))

    together = apply(batch)
    assert together == [apply([text])[0] for text in batch]
    if name != "html_entities":  # &amp;amp; has two layers
        assert apply(together) == together


def test_every_rule_has_its_example() -> None:
    assert {*DROPPED} == {*FILTERS} and {*CHANGED} == {*REPAIRS}
    assert [*RULES] == [*REPAIRS, *FILTERS]


@pytest.mark.parametrize(("name", "pair"), DROPPED.items())
def test_a_filter_drops_when_it_is_on(name: str, pair: tuple[str, str]) -> None:
    row = Example(*pair, 1)
    assert fates(ON, row) == [name]
    assert cleaned(PrepareSettings(), row) == [row]


@pytest.mark.parametrize(("name", "texts"), CHANGED.items())
def test_a_repair_changes_both_sides_when_it_is_on(name: str, texts: tuple[str, str]) -> None:
    before, after = texts
    row = Example(before, before, 1)
    settings = ON.model_copy(
        update=dict.fromkeys(("source_language", "target_language", "max_unmatched"))
    )
    changes = {"drop_same": False, "fix_encoding": name == "encoding"}  # it removes controls, too
    settings = settings.model_copy(update=changes)
    change, last = cleaned(settings, row)
    shown = ("", "") if name == "redacted" else (before, before)
    assert change == Changed(1, name, shown, (after, after))
    assert last == Example(after, after, 1)
    assert cleaned(PrepareSettings(), row) == [row]


@few(max_examples=30)
@given(batch=pairs)
def test_without_rules_every_row_stays_as_it_is(batch: list[tuple[str, str]]) -> None:
    rows = [Example(*pair, line) for line, pair in enumerate(batch, start=1)]
    assert cleaned(PrepareSettings(max_length_ratio=1e6), *rows) == rows


@few(max_examples=30)
@given(batch=pairs)
def test_every_row_is_kept_or_dropped_once(batch: list[tuple[str, str]]) -> None:
    rows = [Example(*pair, line) for line, pair in enumerate(batch, start=1)]
    found = cleaned(ON, *rows, Notice("x"), Dropped(99, "columns"))
    lines = [row.line for row in found if isinstance(row, Example | Dropped)]
    assert lines == [*range(1, len(batch) + 1), 99]
    assert [row for row in found if isinstance(row, Notice)] == [Notice("x")]


def test_a_row_that_a_repair_empties_is_dropped_as_empty() -> None:
    settings = PrepareSettings(remove_controls=True)
    assert fates(settings, Example("\x07", "b", 1), Example("a", "\x07", 2)) == [
        *("empty_source", "empty_target")
    ]


def test_length_limits_hold_at_the_limit_and_not_before() -> None:
    settings = PrepareSettings(max_length=10, max_length_ratio=3)
    rows: list[Row] = [
        Example("x" * 10, "y" * 4, 1),
        Example("x" * 11, "y" * 11, 2),
        Example("x" * 3, "y" * 9, 3),
        Example("x" * 10, "y" * 3, 4),
        Dropped(5, "columns"),
        Notice("as it is"),
    ]
    found = [rows[0], Dropped(2, "over_long"), rows[2], Dropped(4, "length_ratio"), *rows[4:]]
    assert cleaned(settings, *rows) == found


def test_names_of_files_are_measured_only() -> None:
    settings = PrepareSettings(source_kind="audio", max_length=10, max_length_ratio=1)
    rows = [Example("a.wav", "x", 1), Example("b.wav", "x" * 11, 2)]
    assert cleaned(settings, *rows) == [rows[0], Dropped(2, "over_long")]


@given(texts)
def test_runs_are_those_of_groupby(text: str) -> None:
    runs = [len([*group]) for key, group in itertools.groupby(text) if key not in " \n"]
    score = FILTERS["repeated_characters"].score(Pairs.of([text], [""]), CONTEXT)
    assert score.tolist() == [max(runs, default=0)]


def test_control_characters_are_those_of_unicode() -> None:
    every = "".join(map(chr, range(0x3000)))
    (found,) = REPAIRS["control_characters"].apply(Texts([every.replace("\n", "")]), CONTEXT)
    white = "\t\v\f\r\x1c\x1d\x1e\x1f\x85"
    kept = (
        " " if c in white else c for c in every if unicodedata.category(c) != "Cc" or c in white
    )
    assert found == "".join(kept)


@pytest.mark.parametrize("name", NAMES)
def test_scripts_are_those_of_unicode(name: str) -> None:
    """Every letter of a script is in no other, and most letters have its name."""
    spelled = {"Han": "CJK", "Burmese": "MYANMAR", "Kana": "(HIRAGANA|KATAKANA)"}
    word = spelled.get(name, name.upper())
    letters = [chr(code) for first, last in SCRIPTS[name] for code in range(first, last + 1)]
    counts = script_counts(Texts(["".join(letters)]))[0]
    assert counts[NAMES.index(name)] == counts.sum() == len(letters)
    named = [unicodedata.name(letter, "") for letter in letters]
    known = [one for one in named if one]
    own = sum(part in one for one in known for part in word.strip("()").split("|"))
    assert own >= 0.97 * len(known)


@pytest.mark.parametrize(
    ("sample", "script"),
    [
        (["A dog.", "42", "Ein Hund"], "Latin"),
        (["собака", "a"], "Cyrillic"),
        (["犬が走っている。", "東京都庁"], "Kana"),
        (["狗在跑。"], "Han"),
        (["1 2 3"], ""),
        ([], ""),
    ],
)
def test_the_expected_script_is_the_commonest_of_a_sample(sample: list[str], script: str) -> None:
    assert expected_script(sample) == script


def test_a_script_that_is_written_with_another_is_not_refused_for_it() -> None:
    both = Pairs.of(["東京へ行く"], ["東京へ行く"])
    assert FILTERS["other_script"].score(both, Context(ON, "Kana", "Kana")).tolist() == [0]
    assert FILTERS["other_script"].score(both, Context(ON, "Kana", "Han"))[0] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1,000.5 km", "1.000,5 km", True),
        ("page 7", "Seite 07", True),
        ("٤٢", "42", True),
        ("2 and 2", "2", False),
        ("see https://a.org/x7.", "siehe https://a.org/x7", True),
        ("see https://a.org/x7", "siehe https://a.org/x8", False),
        ("none", "keine", True),
    ],
)
def test_numbers_are_compared_without_their_separators(one: str, other: str, same: bool) -> None:
    assert (anchors(one) == anchors(other)) is same
    (score,) = FILTERS["unmatched_numbers"].score(Pairs.of([one], [other]), CONTEXT).tolist()
    assert (score == 0) is same


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("a.b+c@mail.example.co.uk, x", "[EMAIL], x"),
        ("at @home or a@b", "at @home or a@b"),
        ("+49 30 1234567 or (030) 123 45 67", "[PHONE] or [PHONE]"),
        ("call 212-555-0123.", "call [PHONE]."),
        ("030/1234567", "[PHONE]"),
        ("01.02.2020, 2020-01-02, 1990-2000", "01.02.2020, 2020-01-02, 1990-2000"),
        ("1,234,567.89 or 12345678 or 3.1415926535", "1,234,567.89 or 12345678 or 3.1415926535"),
        ("card 4111 1111 1111 1111 ok", "card [CARD] ok"),
        ("card 4111 1111 1111 1112 no", "card 4111 1111 1111 1112 no"),
        ("0000000000000000", "0000000000000000"),
        ("DE89 3704 0044 0532 0130 00", "[ACCOUNT]"),
        ("GB82WEST12345698765432 AND MORE", "[ACCOUNT] AND MORE"),
        ("DE88 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"),
        # beside letters that need no space
        ("请联系john@example.com或致电", "请联系[EMAIL]或致电"),
        ("메일은 john@example.com으로", "메일은 [EMAIL]으로"),
        ("info@例子.中国", "[EMAIL]"),
        ("電話03-1234-5678まで、ＴＥＬ０３－１２３４－５６７８", "電話[PHONE]まで、ＴＥＬ[PHONE]"),
        ("โทร02-123-4567ครับ", "โทร[PHONE]ครับ"),
        ("口座DE89 3704 0044 0532 0130 00です", "口座[ACCOUNT]です"),
        ("no030-1234567 or v212-555-0123x", "no030-1234567 or v212-555-0123x"),
        # with spaces and hyphens that do not break
        ("01\u00a023\u00a045\u00a067\u00a089 ou 212\u2011555\u20110123", "[PHONE] ou [PHONE]"),
        ("4111\u202f1111\u202f1111\u202f1111", "[CARD]"),
        ("01.23.45.67.89, 1-800-555-0199", "[PHONE], [PHONE]"),
        ("01.02.20, 01.02.2020 10:00", "01.02.20, 01.02.2020 10:00"),
    ],
)
def test_personal_data_is_redacted_and_other_numbers_are_not(text: str, redacted: str) -> None:
    assert redaction.redacted(text, Context(PrepareSettings(redact=True))) == redacted
    assert list(REPAIRS["redacted"].apply(Texts([text]), CONTEXT)) == [redacted]


def test_check_digits_find_every_wrong_digit() -> None:
    for number, check in (
        ("79927398713", redaction.luhn),
        ("DE89370400440532013000", redaction.iban),
    ):
        assert check(number)
        for index, wrong in itertools.product(range(4, len(number)), "0123456789"):
            changed = number[:index] + wrong + number[index + 1 :]
            assert check(changed) is (changed == number)


@pytest.mark.parametrize(
    "unit", ["a", "1", "a.", "1 ", "a@", "a@a.", "+1 ", "(1)", "A1", "&#", "中a@"]
)
def test_no_text_makes_a_search_slow(unit: str) -> None:
    side, start = Texts([unit * (50_000 // len(unit))]), time.process_time()
    for name in ("redacted", "html_entities", "control_characters"):
        REPAIRS[name].apply(side, CONTEXT)
    anchors(side.texts[0])
    assert time.process_time() - start < 1


def test_a_list_is_redacted_by_whole_words_without_regard_to_case(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("Anna Schmidt\n\nO'Brien\n+49 30\n王小明\n", encoding="utf-8-sig")
    context = Context(PrepareSettings(redact_list=str(path)))
    texts = ["ANNA  SCHMIDT and Anna Schmidts", "o'brien: +49 30", "我是王小明。", "none"]
    assert list(REPAIRS["redacted"].apply(Texts(texts), context)) == [
        *("[REDACTED] and Anna Schmidts", "[REDACTED]: [REDACTED]", "我是[REDACTED]。", "none")
    ]


@pytest.mark.parametrize(
    ("entries", "text", "redacted"),
    [
        ("Anna Maria\nMaria Schmidt", "Anna Maria Schmidt, Maria", "[REDACTED], Maria"),
        ("Smith", "john.smith@example.org and smith@a.b", "[EMAIL] and [REDACTED]@a.b"),
        ("Smith", "请联系Smith先生", "请联系[REDACTED]先生"),
        ("김철수", "김철수는 갔다", "[REDACTED]는 갔다"),
        ("राज", "राजा और राज, महाराज", "राजा और [REDACTED], महाराज"),
        ("Jos\u00e9", "Jose\u0301 und Jos\u00e9", "[REDACTED] und [REDACTED]"),
        ("Jose", "Jose\u0301 und Jose", "Jose\u0301 und [REDACTED]"),
        ("redacted", "a redacted line", "a [REDACTED] line"),
    ],
)
def test_a_list_and_personal_data_are_redacted_together(
    tmp_path: Path, entries: str, text: str, redacted: str
) -> None:
    path = tmp_path / "list.txt"
    path.write_text(entries, encoding="utf-8")
    context = Context(PrepareSettings(redact_list=str(path), redact=True))
    assert list(REPAIRS["redacted"].apply(Texts([text, "none"]), context)) == [redacted, "none"]
    assert redaction.redacted(text, context) == redacted


def test_a_long_list_is_read_quickly(tmp_path: Path) -> None:
    path, start = tmp_path / "list.txt", time.process_time()
    path.write_text("".join(f"name{number} surname\n" for number in range(2000)))
    assert redaction.read_list(str(path)).spans("a Name7 surname") == [(2, 15, "[REDACTED]")]
    assert time.process_time() - start < 2


def test_nothing_that_is_redacted_is_shown_anywhere(tmp_path: Path) -> None:
    settings = PrepareSettings(redact=True, remove_controls=True, max_length=30)
    rows: list[Row] = [
        Example("a@example.org\x07", "b", 1),
        Example("c@example.org", "x" * 40, 2),
        Dropped(3, "empty_target", "d@example.org", ""),
    ]
    for cleaner in (corpus_cleaner(settings), held_out_cleaner(settings)):
        found = list(cleaner.rows(rows))
        assert "example.org" not in repr(found)
        assert "[EMAIL]" in repr(found)


def test_held_out_rows_are_only_redacted() -> None:
    rows = [Example("same &amp; \x07", "same &amp; \x07", 1)]
    assert list(held_out_cleaner(ON).rows(rows)) == rows


def aligned(count: int) -> tuple[list[str], list[str]]:
    """Sentences of varying lengths and translations that are about as long."""
    numbers = random.Random(1)
    lengths = [numbers.randint(5, 90) for _ in range(count)]
    return (
        ["s" * length for length in lengths],
        ["t" * max(1, length + numbers.randint(-3, 3)) for length in lengths],
    )


@pytest.mark.parametrize("offset", [1, -1])
def test_a_stretch_that_is_shifted_is_found_at_its_line(offset: int) -> None:
    sources, targets = aligned(1000)
    moved = [*targets]
    for row in range(400, 500):
        moved[row] = targets[row - offset]
    (shift,) = find_shifts(Pairs.of(sources, moved))
    assert shift.offset == offset and shift.correlation > 0.9
    assert abs(shift.start - 400) <= 3 and abs(shift.end - 500) <= 3
    settings = PrepareSettings(max_length_ratio=100)
    rows = [Example(*pair, line) for line, pair in enumerate(zip(sources, moved, strict=True), 1)]
    *same, notice = Cleaner(settings, "a.tsv").rows(rows)
    assert same == rows and isinstance(notice, Notice)
    assert notice.text.startswith("a.tsv, about line 40") and "--drop-shifted" in notice.text
    dropping = settings.model_copy(update={"drop_shifted": True})
    assert fates(dropping, *rows) == ["shifted"] * int(shifted_rows(1000, [shift]).sum())


def test_aligned_shuffled_and_constant_lengths_are_not_shifted() -> None:
    sources, targets = aligned(1000)
    assert find_shifts(Pairs.of(sources, targets)) == []
    random.Random(2).shuffle(targets)
    assert find_shifts(Pairs.of(sources, targets)) == []
    assert find_shifts(Pairs.of(["same"] * 100, ["same"] * 100)) == []
    assert find_shifts(Pairs.of(["a"], ["b"])) == []


def test_a_dialogue_is_not_shifted() -> None:
    turns = [f"{text}{n}" for n, text in enumerate(aligned(500)[0])]
    assert find_shifts(Pairs.of(turns[:-1], turns[1:])) == []


def test_numbers_that_agree_row_by_row_refute_a_shift() -> None:
    sources, targets = aligned(300)
    moved = [targets[0], *targets[:-1]]
    assert find_shifts(Pairs.of(sources, moved))
    numbered = [f"{n} {text}" for n, text in enumerate(sources)]
    refuting = [f"{n} {text}" for n, text in enumerate(moved)]
    assert find_shifts(Pairs.of(numbered, refuting)) == []


RULES_FILE = '[rules.mine]\npython = "mine.py:judge"\n'


def rules_file(folder: Path, code: str, rules: str = RULES_FILE) -> str:
    (folder / "mine.py").write_text(code)
    path = folder / "rules.toml"
    path.write_text(rules)
    return str(path)


def test_a_users_own_rule_drops_what_it_says(tmp_path: Path) -> None:
    path = rules_file(tmp_path, "def judge(source, target):\n    return source == 'bad'\n")
    assert own_files(path) == [tmp_path / "mine.py"]
    own = {name: rule.filter for name, rule in load_rules(path).items()}
    rows = [Example("bad", "x", 1), Example("good", "x", 2)]
    assert list(corpus_cleaner(PrepareSettings(), own=own).rows(rows)) == [
        *(Dropped(1, "mine"), rows[1])
    ]


def test_another_function_of_the_same_file_is_another_rule(tmp_path: Path) -> None:
    code = "def judge(s, t):\n    return True\n\n\ndef spare(s, t):\n    return False\n"
    (one,) = load_rules(rules_file(tmp_path, code)).values()
    (other,) = load_rules(rules_file(tmp_path, code, RULES_FILE.replace("judge", "spare"))).values()
    assert one.sha256 != other.sha256


@pytest.mark.parametrize(
    ("code", "rules", "message"),
    [
        ("def judge(:", RULES_FILE, "mine.py fails: SyntaxError"),
        ("raise SystemExit(0)", RULES_FILE, "mine.py fails: SystemExit: 0"),
        ("x = 1", RULES_FILE, "has no function judge"),
        ("", "[rules]", "no rules; expected [rules.NAME]"),
        ("", '[rules.a]\npython = "mine.py"', "expected file.py:function, found 'mine.py'"),
        ("", '[rules."a b"]\npython = "mine.py:x"', "expected a name of letters, digits and _"),
        ("", "[filters.a]", "rules"),
        ("", '[rules.over_long]\npython = "mine.py:x"', "s2s has a rule over_long: give yours"),
        ("", '[rules.duplicate]\npython = "mine.py:x"', "s2s has a rule duplicate: give yours"),
    ],
)
def test_a_file_of_rules_that_is_wrong_is_refused(
    tmp_path: Path, code: str, rules: str, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        load_rules(rules_file(tmp_path, code, rules))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def judge(s, t):\n    return 1 / 0", "fails for the source 'a': ZeroDivisionError"),
        ("def judge(s, t):\n    return 'no'", "returned 'no' for a pair, expected True or False"),
    ],
)
def test_a_rule_that_fails_is_one_line(tmp_path: Path, code: str, message: str) -> None:
    own = {"mine": load_rules(rules_file(tmp_path, code))["mine"].filter}
    with pytest.raises(CorpusError, match="rule mine: ") as error:
        list(corpus_cleaner(PrepareSettings(), own=own).rows([Example("a", "b", 1)]))
    assert message in str(error.value)


def test_a_file_of_rules_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no such file"):
        load_rules(str(tmp_path / "rules.toml"))
    path = rules_file(tmp_path, "")
    (tmp_path / "mine.py").unlink()
    with pytest.raises(MissingInputError, match="cannot be read"):
        load_rules(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"one_column": True, "drop_same": True}, "--drop-same needs two columns"),
        ({"source_kind": "audio", "redact": True}, "--redact is for text on both sides"),
        ({"source_kind": "audio", "max_unmatched": 0.5}, "--max-unmatched is for text on both"),
        ({"target_kind": "image", "near_duplicates": 0.8}, "--near-duplicates is for text on both"),
        ({"target_kind": "image", "drop_shifted": True}, "--drop-shifted is for text on both"),
        ({"source_kind": "audio", "remove_controls": True}, "--remove-controls is for text on"),
        ({"source_kind": "audio", "max_repeats": 9}, "--max-repeats is for text on both sides"),
        (
            {"max_other_script": 0.5, "target_script": "latin"},
            "--target-script latin: expected one",
        ),
        ({"source_language": "xx"}, "--source-language xx: unknown language; expected a code"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as error:
        require_usable(PrepareSettings.model_validate(changes))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, MissingInputError, "cannot be read"),
        (b"\xff", CorpusError, "byte 1: not UTF-8"),
        (b"a\n--\n", CorpusError, "line 2: no letter or digit, found '--'"),
        (b"\n", UsageError, "the file is empty"),
    ],
)
def test_a_list_that_is_wrong_is_refused(
    tmp_path: Path, content: bytes | None, error: type[Exception], message: str
) -> None:
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=message):
        require_usable(PrepareSettings(redact_list=str(path)))


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ftfy", "py3langid", "py3langid.langid"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(encoding, "fixer", encoding.fixer.__wrapped__)
    monkeypatch.setattr("s2scli.data.cleaning.rules.fixer", encoding.fixer)
    monkeypatch.setattr(language, "identifier", language.identifier.__wrapped__)
    with pytest.raises(MissingExtraError, match=r"ftfy is not installed: pip install 's2scli\["):
        require_usable(PrepareSettings(fix_encoding=True))
    with pytest.raises(MissingExtraError, match="py3langid is not installed"):
        require_usable(PrepareSettings(source_language="en"))
    assert not language.is_installed()


def test_all_rules_are_filters_or_repairs_with_a_flag() -> None:
    for rule in RULES.values():
        assert isinstance(rule, Filter | Repair)
        assert rule.flag.startswith("--")


def test_a_batch_of_any_size_gives_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Example(*pair, line) for line, pair in enumerate([*DROPPED.values()] * 3, start=1)]
    expected = cleaned(ON, *rows)
    monkeypatch.setattr("s2scli.data.cleaning.rules.BATCH_ROWS", 2)
    assert cleaned(ON, *rows) == expected
    assert np.unique([row.line for row in expected if isinstance(row, Dropped)]).tolist() == [
        *range(1, 22)
    ]


def test_the_entity_of_a_line_break_is_a_space() -> None:
    cleaner = Cleaner(PrepareSettings(unescape_html=True))
    rows = cleaner.rows([Example("a&#10;b&NewLine;c", "d", 1)])
    assert [row for row in rows if isinstance(row, Example)] == [Example("a b c", "d", 1)]


def test_sounds_and_pictures_in_uris_are_not_measured() -> None:
    cleaner = corpus_cleaner(PrepareSettings(source_kind="audio"))
    uri = "data:audio/wav;base64," + "A" * 9000
    rows = [Example(uri, "yes", 1), Example("n" * 9000, "yes", 2), Example(uri, "y" * 9000, 3)]
    assert list(cleaner.rows(rows)) == [
        rows[0],
        *(Dropped(line, "over_long") for line in (2, 3)),
    ]
