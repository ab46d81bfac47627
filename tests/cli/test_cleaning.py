"""Cleaning with `s2s prepare`: rules, redaction, `--explain` and `--suggest`."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.test_prepare import CORPUS, report, rows, run, written

DIRTY = "".join(
    f"source {n} for anna{n}@example.org &amp; co\ttarget {n} for anna{n}@example.org &amp; co\n"
    for n in range(30)
)


def test_rows_that_are_changed_are_counted_with_samples(tmp_path: Path) -> None:
    result = run(tmp_path, written(tmp_path, DIRTY), "--unescape-html", "--test-size", "0")
    assert re.search(r"changed: html entities +30", result.stdout)
    (account,) = report(tmp_path)["files"]
    assert account["changed"] == {"html_entities": 30}
    first = account["samples"]["html_entities"][0]
    assert first["source_before"].endswith("&amp; co") and first["source"].endswith("& co")
    assert len(account["samples"]["html_entities"]) == 3


def test_nothing_that_is_redacted_is_left_in_the_corpus(tmp_path: Path) -> None:
    names = written(tmp_path, "Anna\n", "names.txt")
    held = written(tmp_path, "hello anna1@example.org\tBob met Anna\n", "v.tsv")
    flags = ("--redact", "--redact-list", names, "--unescape-html", "--drop-same")
    doubled = DIRTY + "x a@example.org\tx a@example.org\n" + "c@example.org\t\n"
    result = run(tmp_path, written(tmp_path, doubled), *flags, "--valid", held)
    assert result.exit_code == 0
    assert re.search(r"changed: redacted +31 +1\n", result.stdout)
    for path in (tmp_path / "w" / "corpus").iterdir():
        assert b"example.org" not in path.read_bytes(), path
    assert rows(tmp_path, "valid")[0].target == "Bob met [REDACTED]"
    assert str(tmp_path).encode() not in (tmp_path / "w/corpus/manifest.json").read_bytes()


def test_own_rules_run_after_a_warning_and_are_recorded(tmp_path: Path) -> None:
    written(tmp_path, "def short(s, t):\n    return s.endswith('7')\n", "mine.py")
    rules = written(tmp_path, '[rules.sevens]\npython = "mine.py:short"\n', "rules.toml")
    result = run(tmp_path, written(tmp_path, CORPUS), "--rules", rules)
    assert "its rules are code, which runs now" in result.stderr
    assert re.search(r"- sevens +5\n", result.stdout)
    facts = json.loads((tmp_path / "w/corpus/manifest.json").read_text())["facts"]
    assert facts["rules"] == "rules.toml" and len(facts["own_rules"]["sevens"]) == 64


def test_near_duplicates_are_dropped_and_counted_apart(tmp_path: Path) -> None:
    text = "".join(
        f"{n * 7919} a long sentence {n * 104729} here\t{n * 31} target\n" for n in range(40)
    )
    near = text.splitlines()[3] + " x\n"
    flags = ("--near-duplicates", "0.8")
    result = run(tmp_path, written(tmp_path, text + near + text.splitlines()[5] + "\n"), *flags)
    (account,) = report(tmp_path)["files"]
    assert account["dropped"] == {"duplicate": 1, "near_duplicate": 1}, result.stderr
    assert [one["line"] for one in account["samples"]["near_duplicate"]] == [41]
    assert account["kept"] + 2 == account["read"] == 42


def test_a_row_is_explained_and_rules_are_suggested_without_writing(tmp_path: Path) -> None:
    path = written(tmp_path, DIRTY + "source\ttarget " + "x" * 300 + "\n")
    shown = run(tmp_path, path, "--explain", "31").stdout
    assert shown.startswith("line: 31\nsource: source\n")
    assert re.search(r"fate: dropped: length ratio\n", shown)
    opinions = json.loads(run(tmp_path, path, "--explain", "31", "--json").stdout)["opinions"]
    assert [one["rule"] for one in opinions if one["verdict"] == "drops"] == ["length_ratio"]
    shown = run(tmp_path, path, "--suggest").stdout
    assert "31 of 31 rows looked at" in shown and "█" in shown
    found = json.loads(run(tmp_path, path, "--suggest", "--json").stdout)
    assert "--unescape-html" in found["flags"] and found["flags"] in " ".join(shown.split())
    assert not (tmp_path / "w").exists()
    both = run(tmp_path, path, "--suggest", "--explain", "1")
    assert (both.exit_code, "give one of them" in both.stderr) == (2, True)


@pytest.mark.parametrize(
    ("flags", "status", "message"),
    [
        (("--source-script", "Latin"), 2, "--source-script has no effect without --max-other"),
        (("--one-column", "--drop-same"), 2, "--drop-same needs two columns"),
        (("--source-language", "xx"), 2, "--source-language xx: unknown language"),
        (("--rules", "none.toml"), 66, "none.toml: no such file"),
        (("--redact-list", "none.txt"), 66, "none.txt: cannot be read"),
        (("--explain", "99"), 2, "--explain 99: there is no such line; the corpus has 50"),
    ],
)
def test_a_rule_that_cannot_run_is_one_line(
    tmp_path: Path, flags: tuple[str, ...], status: int, message: str
) -> None:
    result = run(tmp_path, written(tmp_path, CORPUS), *flags)
    assert result.exit_code == status, result.stderr
    assert message in result.stderr and result.stderr.count("\n") == 1
    assert not (tmp_path / "w" / "corpus").exists()
