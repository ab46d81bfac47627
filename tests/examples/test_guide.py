"""The guide: its commands can be given and do run, its links lead on, its reference is whole."""

import gzip
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from s2scli.cli.app import COMMANDS, INSPECTIONS, app
from s2scli.config import list_recipe_settings, recipe_names, recipe_path
from s2scli.errors import S2SError
from s2scli.metrics import METRICS
from tests.examples.scripts import EXAMPLES, load_script
from tests.toy import write_corpus

GUIDE = EXAMPLES / "guide"
PAGES = sorted(GUIDE.rglob("*.md"))
DOCUMENTS = [EXAMPLES.parent / "README.md", *sorted(EXAMPLES.rglob("*.md"))]
SETTINGS = {re.sub(r"\[[^]]*\]", "", row.path) for row in list_recipe_settings()}
SIZES = {"train": 400, "valid": 20, "test": 20}  # rows of dates
ENDS = {"|", "||", "&", "&&", ";", "(", ")"}
# `s2s` with trainings of a few updates, whatever limit is given
SHORT = """
import subprocess, sys
words = sys.argv[1:]
if words[0] in ("train", "compare") and "--rehearse" not in words:
    for flag in ("--budget", "--max-minutes", "--max-steps"):
        while flag in words:
            at = words.index(flag)
            del words[at : at + 2]
    words += ["--max-steps", "8"]
sys.exit(subprocess.call([sys.executable, "-m", "s2scli", *words]))
"""
reference = load_script(GUIDE / "reference.py")


def blocks(text: str, *languages: str) -> list[str]:
    """The fenced blocks in these languages."""
    named = "|".join(languages)
    return re.findall(rf"^```(?:{named})\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def calls(line: str) -> Iterator[list[str]]:
    """The arguments of each call of s2s in a line of shell."""
    words: list[str] = []
    found = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
    found.whitespace_split = True
    for word in [*found, ";"]:
        if word not in ENDS:
            words.append(word)
            continue
        words = words[1:] if words[:1] == ["do"] else words
        if "<" in words or ">" in words:
            words = words[: min(words.index(each) for each in "<>" if each in words)]
        if words[:1] == ["s2s"]:
            yield words[1:]
        elif "s2scli" in words:
            yield words[words.index("s2scli") + 1 :]
        words = []


def documented(pattern: str) -> Iterator[tuple[Path, list[str]]]:
    """Every call of s2s in the pieces of the documents that match, with its page."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for piece in re.findall(pattern, text, re.MULTILINE | re.DOTALL):
            for line in piece.splitlines():
                yield from ((path.relative_to(EXAMPLES.parent), words) for words in calls(line))


PROGRAM: Any = typer.main.get_command(app)


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that a call is for, and the call's other words."""
    command, rest = PROGRAM, list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    assert command is not PROGRAM, f"no command {words[0]}"
    return command, rest


def require_call(words: list[str]) -> None:
    """Parse the arguments of a call as the program does, without calling it."""
    command, rest = command_of(words)
    context = command.make_context("s2s", [], resilient_parsing=True)
    context.resilient_parsing = False
    given, _, order = command.make_parser(context).parse_args(rest)
    for parameter in dict.fromkeys(order):
        parameter.process_value(context, given[parameter.name])
    for assignment in given.get("assignments") or ():
        path = assignment.partition("=")[0]
        assert path == "model.size" or path in SETTINGS, path
    if recipe := given.get("recipe"):
        assert recipe_path(recipe).suffix == ".toml"


def test_every_call_can_be_given() -> None:
    found = [*documented(r"^```(?:sh|shell)?\n(.*?)^```"), *documented(r"^    (s2s [^\n]*)$")]
    assert len(found) > 100
    for path, words in found:
        try:
            require_call(words)
        except Exception as error:  # noqa: BLE001 - names the page
            pytest.fail(f"{path}: s2s {shlex.join(words)}: {error}")


def test_every_option_that_is_mentioned_is_one_of_its_command() -> None:
    for path, words in documented(r"`(s2s [a-z][^`\n]*)`"):
        command, rest = command_of(words)
        known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
        asked = {word for word in rest if word.startswith("--")}
        assert asked <= known | {"--help"}, f"{path}: {words}"


@pytest.mark.parametrize(
    "words", ["train --beams 3", "nothing", "translate --nbest three", "train --set model.x=1"]
)
def test_a_wrong_call_is_found(words: str) -> None:
    with pytest.raises(Exception, match=r"No such option|no command|valid integer|model\.x"):
        require_call(words.split())


@pytest.fixture(scope="module")
def commands() -> str:
    """The reference of all commands."""
    text: str = reference.commands()
    return text


def test_the_others_flags_have_ours_beside_them(commands: str) -> None:
    flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", commands))
    text = (GUIDE / "migration.md").read_text(encoding="utf-8")
    rows = [
        re.split(r"(?<!\\) \| ", row.strip("| ")) for row in text.splitlines() if row[:1] == "|"
    ]
    ours = " ".join(cells[-1] for cells in rows if len(cells) == 2)
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]+", ours)) <= flags
    assert set(re.findall(r"`((?:model|training|search)\.[\w.]+)`", text)) <= SETTINGS
    assert set(re.findall(r"--recipe ([\w-]+)", ours)) <= set(recipe_names())


def test_every_link_leads_to_a_file() -> None:
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for link in re.findall(r"(?:\]\(|src=\")([^)\s:#\"]+)(?:#[^)]*)?[)\"]", text):
            assert (path.parent / link).exists(), f"{path}: {link}"


def test_every_page_is_in_the_index() -> None:
    index = (GUIDE / "README.md").read_text(encoding="utf-8")
    own = [page for page in PAGES if page.name != "README.md"]
    assert [page for page in own if f"({page.relative_to(GUIDE)})" not in index] == []


def test_every_part_of_the_reference_is_on_a_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert sorted(reference.MARK.findall(text)) == sorted(reference.PARTS)


def test_the_reference_has_every_command_option_and_setting(commands: str) -> None:
    settings = reference.settings()
    for name in (*COMMANDS, *(f"inspect {each}" for each in INSPECTIONS)):
        assert f"## s2s {name}\n" in commands, name
    for each in ("--beam-size", "--workspace", "--max-minutes", "RECIPE..."):
        assert each in commands
    for row in list_recipe_settings():
        section, _, name = row.path.rpartition(".")
        part = settings.partition(f"## {reference.plain(section or 'recipe')}\n")[2]
        (cells,) = re.findall(rf"^[|] `{name}` [|] (.*)$", part.partition("\n## ")[0], re.MULTILINE)
        assert cells.endswith(
            reference.table("", [[reference.plain(row.help)]]).splitlines()[2][2:]
        )
    flags = {flag for option in PROGRAM.commands["evaluate"].params for flag in option.opts}
    named = [line.split("`")[1] for line in reference.metrics().splitlines() if "`--" in line]
    assert len(named) == len(METRICS) and set(named) <= flags
    assert all(f"| `{name}` |" in reference.recipes() for name in recipe_names())
    for error in S2SError.__subclasses__():
        assert f"| {error.exit_status} |" in reference.statuses(), error


def test_every_file_of_a_workspace_is_described(tmp_path: Path) -> None:
    corpus, workspace = write_corpus(tmp_path / "corpus.tsv", 60), tmp_path / "workspace"
    for words in (
        ["prepare", str(corpus)],
        ["train", "-r", "tiny", "--max-steps", "2", "--log-samples", "1"],
        ["evaluate"],
        ["report"],
    ):
        result = CliRunner().invoke(app, [*words, "-q", "-w", str(workspace)])
        assert result.exit_code == 0, result.stderr
    text = (GUIDE / "reference" / "files.md").read_text(encoding="utf-8")
    described = text + reference.folders()
    for path in workspace.rglob("*"):
        if path.is_file() or path.parent == workspace:
            assert f"`{path.name}`" in described, path


def test_cells_are_escaped_and_code_is_not() -> None:
    assert (
        reference.table(("a",), [("x | y",), (r"x \| y",)]).splitlines()[2:] == [r"| x \| y |"] * 2
    )
    assert reference.plain("a_b `c_d` <e>\n  *f*") == r"a\_b `c_d` \<e\> \*f\*"


def test_a_page_of_the_site_has_its_contents_and_whole_links() -> None:
    text = reference.page("# The guide\n[a](a.md) [b](../dates/)\n", GUIDE)
    assert "[b](../dates/README.md)" in text
    assert text.endswith("```{toctree}\n:hidden:\n\n../README\na\n```\n")
    assert reference.page("# A page\n[a](a.md)\n", GUIDE) == "# A page\n[a](a.md)\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder like the repository, with a few rows of dates and an s2s that trains briefly."""
    dates = tmp_path / "examples" / "dates"
    dates.mkdir(parents=True)
    for split, rows in SIZES.items():
        lines = gzip.decompress((EXAMPLES / "dates" / f"{split}.tsv.gz").read_bytes()).splitlines()
        few = lines[:: len(lines) // rows][:rows]
        (dates / f"{split}.tsv.gz").write_bytes(gzip.compress(b"\n".join(few) + b"\n"))
    (dates / "dates.toml").write_bytes((EXAMPLES / "dates" / "dates.toml").read_bytes())
    (tmp_path / "examples" / "guide").symlink_to(GUIDE)
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "short.py").write_text(SHORT)
    for name, script in (("s2s", f'"{tools}/short.py"'), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {script} "$@"\n')
        (tools / name).chmod(0o755)
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page.read_text(encoding="utf-8"), "sh")],
    ids=lambda page: page.stem,
)
def test_the_commands_of_a_page_run(page: Path, repository: Path) -> None:
    script = "\n".join(blocks(page.read_text(encoding="utf-8"), "sh"))
    environment = {
        **os.environ,
        "PATH": f"{repository / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(EXAMPLES.parent),
    }
    done = subprocess.run(
        ["sh", "-eux"],
        input=script,
        cwd=repository,
        env=environment,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="Sphinx is not installed")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-c", str(GUIDE), str(EXAMPLES)]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "guide/README.html" in (tmp_path / "index.html").read_text()
