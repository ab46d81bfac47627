from pathlib import Path

import pytest

from s2scli.data.settings import PrepareSettings
from s2scli.errors import UsageError
from s2scli.pipeline.explaining import Explanation, explain
from s2scli.pipeline.inputs import Inputs
from s2scli.report.console import Talk

ROWS = [
    ("A dog runs in the park.", "Ein Hund rennt im Park."),
    ("", "leer"),
    ("The same.", "The same."),
    ("A dog runs in the park.", "Ein Hund rennt im Park."),
    ("R&amp;D in 1999 for a@example.org", "F&amp;E in 1998 für a@example.org"),
]


def explained(folder: Path, line: int, settings: PrepareSettings) -> Explanation:
    paths = []
    for name, rows in (("a.tsv", ROWS[:3]), ("b.tsv", ROWS[3:])):
        text = "".join(f"{source}\t{target}\n" for source, target in rows)
        (folder / name).write_text(text, encoding="utf-8")
        paths.append(folder / name)
    return explain(Inputs(tuple(paths)), settings, line, Talk(quiet=True))


def test_every_rule_has_its_say_and_the_first_that_drops_decides(tmp_path: Path) -> None:
    settings = PrepareSettings(drop_same=True, max_length=5)
    found = explained(tmp_path, 3, settings)
    assert (found.source, found.fate) == ("The same.", "over_long")
    by_rule = {one.rule: one for one in found.opinions}
    assert [rule for rule, one in by_rule.items() if one.verdict == "drops"] == [
        *("over_long", "same_text")
    ]
    assert by_rule["over_long"].why == "characters of the longer side: 9, limit 5"
    assert not by_rule["other_script"].on and by_rule["other_script"].verdict == ""


def test_lines_are_counted_on_over_files_and_rules_that_are_off_say_what_they_would_do(
    tmp_path: Path,
) -> None:
    found = explained(tmp_path, 5, PrepareSettings())
    assert (found.source, found.fate) == (ROWS[4][0], "kept")
    by_rule = {one.rule: one for one in found.opinions}
    assert not by_rule["html_entities"].on
    assert by_rule["html_entities"].verdict == "changes"
    assert by_rule["html_entities"].why.startswith("source: R&D in 1999")
    assert "[EMAIL]" in by_rule["redacted"].why
    assert by_rule["unmatched_numbers"].why.endswith("only one side has: 1")


def test_a_rule_sees_what_the_repairs_before_it_have_left(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a&#7; &amp; b\ta & b\nx&#64;example.org\ty\n")
    inputs, talk = Inputs((tmp_path / "a.tsv",)), Talk(quiet=True)
    settings = {"remove_controls": True, "drop_same": True, "redact": True, "max_length": 10}
    raw = explain(inputs, PrepareSettings.model_validate(settings), 1, talk)
    assert raw.fate == "over_long"
    known = PrepareSettings.model_validate({**settings, "unescape_html": True})
    for line, fate, drops in ((1, "same_text", ["same_text"]), (2, "kept", [])):
        found = explain(inputs, known, line, talk)
        assert found.fate == fate
        assert [one.rule for one in found.opinions if one.verdict == "drops"] == drops
    by_rule = {one.rule: one for one in found.opinions}
    assert by_rule["redacted"].why == "source: [EMAIL]"


def test_a_copy_names_the_line_it_copies(tmp_path: Path) -> None:
    text = "".join(f"{source}\t{target}\n" for source, target in ROWS)
    (tmp_path / "c.tsv").write_text(text, encoding="utf-8")
    found = explain(Inputs((tmp_path / "c.tsv",)), PrepareSettings(), 4, Talk(quiet=True))
    assert found.fate == "duplicate"
    assert found.opinions[-1].why == "equal to line 1"


@pytest.mark.parametrize(
    ("files", "settings", "line", "fate"),
    [
        (["x\ty\n", "a\tb\nx\ty\n"], {}, 3, "duplicate"),  # of a row in another file
        (["R & D\ty\nR &amp; D\ty\n"], {"unescape_html": True}, 2, "duplicate"),
        (["R & D\ty\nR &amp; D\ty\n"], {}, 2, "kept"),
        (["x\ty\tde\nx\ty\tfr\n"], {"tag_column": 3}, 2, "kept"),
        (["x\ty\tde\nx\ty\tde\n"], {"tag_column": 3}, 2, "duplicate"),
        (["x\ty\n" * 9000 + "a\tb\n"], {}, 9001, "kept"),  # after some batches
    ],
)
def test_a_fate_is_that_of_prepare(
    tmp_path: Path, files: list[str], settings: dict[str, object], line: int, fate: str
) -> None:
    paths = [tmp_path / f"{number}.tsv" for number in range(len(files))]
    for path, text in zip(paths, files, strict=True):
        path.write_text(text)
    known = PrepareSettings.model_validate(settings)
    found = explain(Inputs(tuple(paths)), known, line, Talk(quiet=True))
    assert (found.line, found.fate) == (line, fate)
    if fate == "duplicate":
        assert found.opinions[-1].why == "equal to line 1"


@pytest.mark.parametrize(
    ("setting", "flag"), [({"history": 2}, "--history"), ({"near_duplicates": 0.8}, "--near-dup")]
)
def test_what_joins_or_compares_rows_is_refused(
    tmp_path: Path, setting: dict[str, object], flag: str
) -> None:
    with pytest.raises(UsageError, match=f"{flag}.*leave one out"):
        explained(tmp_path, 1, PrepareSettings.model_validate(setting))


def test_a_row_that_was_dropped_while_it_was_read_has_its_reason(tmp_path: Path) -> None:
    found = explained(tmp_path, 2, PrepareSettings())
    assert (found.fate, found.target, found.opinions) == ("empty_source", "leer", ())


def test_a_row_in_a_shifted_stretch_says_where_its_target_is(tmp_path: Path) -> None:
    lengths = [7 * n * n % 83 + 5 for n in range(200)]
    rows = [f"{'s' * lengths[n]}\t{'t' * lengths[n - (50 < n < 150)]}\n" for n in range(200)]
    (tmp_path / "a.tsv").write_text("".join(rows))
    settings = PrepareSettings(drop_shifted=True, max_length_ratio=100)
    inputs, talk = Inputs((tmp_path / "a.tsv",)), Talk(quiet=True)
    found = explain(inputs, settings, 100, talk)
    assert found.fate == "shifted"
    shift = next(one for one in found.opinions if one.rule == "shifted")
    assert "on the line after it" in shift.why
    assert explain(inputs, settings, 20, talk).fate == "kept"


def test_what_cannot_be_explained_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--explain 6: there is no such line; the corpus has 5"):
        explained(tmp_path, 6, PrepareSettings())
    with pytest.raises(UsageError, match="are for text on both sides"):
        explained(tmp_path, 1, PrepareSettings(source_kind="audio"))
