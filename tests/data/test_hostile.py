"""What `s2s prepare` does with every awkward corpus of the hostile manifest, by the manifest."""

import contextlib
import csv
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.data.example import Example
from s2scli.data.formats import ENDINGS, FORMATS
from s2scli.data.formats.folders import expand_folders
from s2scli.data.lines import open_text
from s2scli.data.store import SPLITS, Corpus
from s2scli.data.stream import LINE_BYTES
from s2scli.errors import MissingInputError, S2SError
from tests.data.formats.writers import EVERY, write

MANIFEST = "hostile/MANIFEST.tsv"
FILES = (
    "clean.tsv",
    "invalid_utf8.tsv",
    "latin1_whole_file.tsv",
    "cut_inside_a_character.tsv",
    "nul_bytes.tsv",
    "utf16le_bom.tsv",
    "utf8_bom.tsv",
    "crlf.tsv",
    "mixed_eol_no_final_newline.tsv",
    "lone_cr_in_line.tsv",
    "cr_only_line_ends.tsv",
    "unicode_line_breaks.tsv",
    "missing_tab.tsv",
    "three_tabs.tsv",
    "tab_at_ends.tsv",
    "empty_side.tsv",
    "whitespace_only.tsv",
    "header_row.tsv",
    "quotes_and_csv.tsv",
    "empty_file.tsv",
    "one_row.tsv",
    "one_mib_line.tsv.gz",
    "words_of_10k_characters.tsv",
    "ratio_100_to_1.tsv",
    "control_characters.tsv",
    "emoji_zwj.tsv",
    "rtl_and_bidi.tsv",
    "special_token_lookalikes.tsv",
    "nfc_vs_nfd.tsv",
    "odd_unicode.tsv",
    "numbers.tsv",
    "duplicate_rows.tsv",
    "source_equals_target.tsv",
    "pair_unequal.src",
    "pair_unequal.tgt",
    "truncated.tsv.gz",
    "not_gzip.tsv.gz",
    "two_members.tsv.gz",
    "directory_named.tsv",
    "no_read_permission.tsv",
    "no_such_file.tsv",
    "name with spaces and ü.tsv",
)
# the manifest's list of this file's lines is not what its bytes say: rows 1 to 5 have accents too
BAD_LINES = {"latin1_whole_file.tsv": (1, 2, 3, 4, 5, 11)}


@dataclass(frozen=True)
class Case:
    """One row of the manifest."""

    file: str
    rows: int
    bad_lines: tuple[int, ...]
    action: str


@dataclass(frozen=True)
class Prepared:
    """What came of one file: the program's end, and the corpus, if there is one."""

    result: Result
    workspace: Path

    @property
    def report(self) -> Any:
        return json.loads((self.workspace / "corpus" / "report.json").read_text())

    @property
    def account(self) -> Any:
        return self.report["files"][0]

    @property
    def rows(self) -> list[Example]:
        corpus = self.workspace / "corpus"
        names = [name for name in SPLITS if (corpus / f"{name}.arrow").exists()]
        rows = [row for name in names for row in Corpus.load(corpus).open_split(name)]
        return sorted(rows, key=lambda row: row.line)

    @property
    def complaint(self) -> str:
        lines = self.result.stderr.strip().split("\n")
        assert len(lines) == 1, lines
        return lines[0]


def read_manifest(data_folder: Path) -> dict[str, Case]:
    with (data_folder / MANIFEST).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {
        row["file"]: Case(
            row["file"],
            int(row["rows"]) if row["rows"].isdigit() else 0,
            BAD_LINES.get(row["file"])
            or tuple(int(line) for line in re.findall(r"\d+", row["bad_lines"])),
            row["action"],
        )
        for row in rows
    }


def prepare(data_folder: Path, workspace: Path, file: str, *options: str) -> Prepared:
    paths = [str(data_folder / "hostile" / file)]
    if file.startswith("pair_unequal"):
        paths = [str(data_folder / "hostile" / f"pair_unequal.{side}") for side in ("src", "tgt")]
    result = CliRunner().invoke(app, ["prepare", *paths, "-w", str(workspace), *options])
    return Prepared(result, workspace)


@pytest.fixture
def unreadable(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for a file of mode 000, which is not shipped and which root could read."""
    opened = Path.open

    def refuse(path: Path, *args: Any, **options: Any) -> Any:
        if path.name == "no_read_permission.tsv":
            raise PermissionError(13, os.strerror(13), str(path))
        return opened(path, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)


def test_the_manifest_is_the_one_these_tests_know(data_folder: Path) -> None:
    assert sorted(read_manifest(data_folder)) == sorted(FILES)


@pytest.mark.usefixtures("unreadable")
@pytest.mark.parametrize("file", FILES)
def test_it_is_treated_as_the_manifest_says(data_folder: Path, tmp_path: Path, file: str) -> None:
    case = read_manifest(data_folder)[file]
    prepared = prepare(data_folder, tmp_path / "w", file)
    if case.action == "error":
        _check_refused(case, prepared)
    else:
        _check_accepted(case, prepared)


def _check_refused(case: Case, prepared: Prepared) -> None:
    missing = case.file.startswith("no_")
    assert prepared.result.exit_code == (66 if missing else 65)
    assert prepared.complaint.startswith("error: ")
    assert prepared.complaint.count(case.file) == 1
    assert "Traceback" not in prepared.complaint
    assert not prepared.result.stdout
    assert not (prepared.workspace / "corpus").exists()
    assert not list(prepared.workspace.glob(".tmp-*"))
    if case.bad_lines and case.file not in ("whitespace_only.tsv", "utf16le_bom.tsv"):
        assert f"{case.file}, line {case.bad_lines[0]}: " in prepared.complaint


def _check_accepted(case: Case, prepared: Prepared) -> None:
    assert prepared.result.exit_code == 0, prepared.result.stderr
    account = prepared.account
    assert account["read"] == case.rows
    assert account["kept"] + sum(account["dropped"].values()) == account["read"]
    assert account["kept"] == len(prepared.rows)
    assert account["dropped"] == DROPS.get(case.file, {})
    assert DROPS.get(case.file) or case.action != "drop"
    assert "\x1b" not in prepared.result.output


DROPS = {
    "empty_side.tsv": {"empty_source": 1, "empty_target": 1, "empty_both": 2},
    "one_mib_line.tsv.gz": {"over_long": 1},
    "words_of_10k_characters.tsv": {"over_long": 2},
    "ratio_100_to_1.tsv": {"length_ratio": 2},
    "duplicate_rows.tsv": {"duplicate": 13},
    "header_row.tsv": {"header": 1},
}


@pytest.mark.parametrize(
    ("file", "bad", "kind"),
    [
        ("invalid_utf8.tsv", 3, "not_utf8"),
        ("latin1_whole_file.tsv", 6, "not_utf8"),
        ("cut_inside_a_character.tsv", 1, "not_utf8"),
        ("nul_bytes.tsv", 2, "nul_byte"),
        ("missing_tab.tsv", 2, "columns"),
        ("three_tabs.tsv", 2, "columns"),
        ("tab_at_ends.tsv", 2, "columns"),
    ],
)
def test_bad_lines_are_dropped_and_counted_where_asked_for(
    data_folder: Path, tmp_path: Path, file: str, bad: int, kind: str
) -> None:
    prepared = prepare(data_folder, tmp_path, file, "--skip-bad-lines", "--test-size", "0")
    case = read_manifest(data_folder)[file]
    assert len(case.bad_lines) == bad
    assert prepared.account["dropped"][kind] == bad
    assert not {row.line for row in prepared.rows} & set(case.bad_lines)


Check = Callable[[list[Example]], bool]


@pytest.mark.parametrize(
    ("file", "check"),
    [
        ("utf8_bom.tsv", lambda rows: not rows[0].source.startswith("\ufeff")),
        ("utf8_bom.tsv", lambda rows: "\ufeff" in rows[-1].source + rows[-1].target),
        ("crlf.tsv", lambda rows: not any("\r" in row.target for row in rows)),
        ("lone_cr_in_line.tsv", lambda rows: rows[3].source == "First half second half"),
        ("lone_cr_in_line.tsv", lambda rows: [row.line for row in rows] == list(range(1, 10))),
        ("unicode_line_breaks.tsv", lambda rows: rows[1].target == "Eins\u2028zwei"),
        ("unicode_line_breaks.tsv", lambda rows: rows[7].source == "Para\u2029graph\vend"),
        ("duplicate_rows.tsv", lambda rows: rows[-1].line == 17),
        ("two_members.tsv.gz", lambda rows: [row.line for row in rows] == list(range(1, 11))),
    ],
)
def test_rows_are_what_they_should_be(
    data_folder: Path, tmp_path: Path, file: str, check: Check
) -> None:
    assert check(prepare(data_folder, tmp_path, file).rows)


@pytest.mark.parametrize(
    "file",
    [
        *("quotes_and_csv.tsv", "numbers.tsv", "emoji_zwj.tsv", "rtl_and_bidi.tsv"),
        *("special_token_lookalikes.tsv", "nfc_vs_nfd.tsv", "odd_unicode.tsv"),
        *("control_characters.tsv", "source_equals_target.tsv"),
    ],
)
def test_every_character_is_as_it_was(data_folder: Path, tmp_path: Path, file: str) -> None:
    text = (data_folder / "hostile" / file).read_bytes().decode()
    lines = [f"{row.source}\t{row.target}" for row in prepare(data_folder, tmp_path, file).rows]
    assert lines == text.removesuffix("\n").split("\n")


def test_normalised_look_alikes_are_duplicates(data_folder: Path, tmp_path: Path) -> None:
    plain = prepare(data_folder, tmp_path / "plain", "nfc_vs_nfd.tsv")
    assert "--normalization nfc" in plain.result.stderr
    prepared = prepare(data_folder, tmp_path, "nfc_vs_nfd.tsv", "--normalization", "nfc")
    assert prepared.account["dropped"] == {"duplicate": 4}
    manifest = json.loads((tmp_path / "corpus" / "manifest.json").read_text())
    assert manifest["facts"]["normalization"] == "nfc"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("clean.tsv", ""),
        ("header_row.tsv", "line 1: skipped as a header"),
        ("one_row.tsv", "no valid split"),
        ("pair_unequal.src", "has 10 lines but"),
        ("pair_unequal.src", "pair_unequal.tgt has 9;"),
        ("utf16le_bom.tsv", "looks like UTF-16"),
        ("latin1_whole_file.tsv", "iconv -f latin1"),
        ("cr_only_line_ends.tsv", "old Mac line ends"),
        ("whitespace_only.tsv", "no usable rows: 6 read, all dropped (6 empty_both)"),
        ("truncated.tsv.gz", "damaged gzip file"),
        ("not_gzip.tsv.gz", "not a gzip file"),
        ("directory_named.tsv", "is a directory"),
        ("empty_file.tsv", "empty"),
        ("no_such_file.tsv", "no such file"),
        ("no_read_permission.tsv", "permission denied"),
    ],
)
@pytest.mark.usefixtures("unreadable")
def test_what_is_said_tells_the_fault(
    data_folder: Path, tmp_path: Path, file: str, words: str
) -> None:
    stderr = prepare(data_folder, tmp_path, file).result.stderr
    assert words in stderr
    assert words or "warning" not in stderr


@pytest.mark.parametrize("file", ["no_such_file.tsv", "directory_named.tsv", "not_gzip.tsv.gz"])
def test_no_workspace_is_made_for_a_file_that_cannot_be_opened(
    data_folder: Path, tmp_path: Path, file: str
) -> None:
    prepare(data_folder, tmp_path / "w", file)
    assert not (tmp_path / "w").exists()


def test_samples_never_send_escapes_to_the_terminal(data_folder: Path, tmp_path: Path) -> None:
    prepare(data_folder, tmp_path, "control_characters.tsv")
    words = ["inspect", "corpus", "-w", str(tmp_path), "-n", "100"]
    shown = CliRunner().invoke(app, words).stdout
    assert "␛[31mred␛[0m" in shown
    assert not set(shown) & {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160))}


def test_the_bad_lines_corrected_here_are_those_of_the_bytes(data_folder: Path) -> None:
    for file, expected in BAD_LINES.items():
        lines = (data_folder / "hostile" / file).read_bytes().split(b"\n")
        bad = [number for number, line in enumerate(lines, 1) if b"\xef\xbf\xbd" in _mended(line)]
        assert tuple(bad) == expected


def _mended(line: bytes) -> bytes:
    return line.decode(errors="replace").encode()


def test_no_split_is_missing_silently(data_folder: Path, tmp_path: Path) -> None:
    prepare(data_folder, tmp_path, "one_row.tsv")
    with pytest.raises(MissingInputError, match="no valid split"):
        Corpus.load(tmp_path / "corpus").open_split("valid")


@pytest.mark.parametrize("name", EVERY)
def test_hostile_rows_are_the_same_in_every_format(
    data_folder: Path, tmp_path: Path, name: str
) -> None:
    """All rows that TSV can read, of all files, are read from the other formats, too."""
    rows = [row for file in FILES for row in _readable(data_folder / "hostile" / file)]
    pairs = [pair for pair in rows if not (name in XML and CONTROLS.search("".join(pair)))]
    assert len(pairs) > 200
    files = expand_folders(write(tmp_path, name, pairs))
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(open_text(file)) for file in files]
        found = list(FORMATS[ENDINGS[files[0].suffix]].read(opened, LINE_BYTES))
    sources = [(row.source, row.target) for row in found if isinstance(row, Example)]
    stripped = name == "a.sgm"
    expected = [tuple(map(_as_read, pair)) for pair in pairs]
    if stripped:
        expected = [(source.strip(), target.strip()) for source, target in expected]
    assert sources == expected


XML = ("a.tmx",)
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # which XML 1.0 cannot express


def _as_read(cell: str) -> str:
    return re.sub("\r\n|\r|\n", " ", cell)


def _readable(path: Path) -> list[tuple[str, str]]:
    """Return the pairs of a hostile file that TSV can read; none of one that cannot be opened."""
    try:
        with open_text(path) as file:
            rows = list(FORMATS["tsv"].read([file], 100_000))
    except S2SError:
        return []
    return [(row.source, row.target) for row in rows if isinstance(row, Example)]
