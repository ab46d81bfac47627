"""What is released: one version everywhere, workflows that pin what they use, paths that exist."""

import re
import tomllib
from pathlib import Path

import s2scli
from s2scli.manifest import FORMATS

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = {path.name: path.read_text(encoding="utf-8") for path in GITHUB.glob("workflows/*.yml")}
CONTAINER = (GITHUB / "Containerfile").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def newest_change() -> str:
    """The part of the changelog that is about the newest version."""
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")[1]


def test_the_changelog_begins_with_this_version() -> None:
    assert newest_change().startswith(f"[{s2scli.__version__}]")


def test_the_changelog_says_what_becomes_of_older_folders() -> None:
    (text,) = re.findall(r"### Folders that older versions made\n(.*?)\n###", newest_change(), re.S)
    assert {f"format {number}" for number in FORMATS.values()} <= set(
        re.findall(r"format \d+", " ".join(text.split()))
    )


def test_every_system_and_python_is_tested() -> None:
    text = WORKFLOWS["test.yml"]
    for system in ("ubuntu", "macos", "windows"):
        assert f"{system}-latest" in text
    oldest = PROJECT["requires-python"].removeprefix(">=")
    pythons = re.findall(r'"(3\.\d+)"', text.partition("python: [")[2].partition("]")[0])
    assert pythons == ["3.11", "3.12", "3.13", "3.14"] and pythons[0] == oldest


def test_actions_are_pinned_by_their_hashes() -> None:
    for name, text in WORKFLOWS.items():
        used = re.findall(r"uses: (\S+)", text)
        assert used and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each) for each in used), name
        assert re.search(r"^permissions:\n  contents: read$", text, re.MULTILINE), name


def test_extras_that_are_installed_exist() -> None:
    for text in (CI, CONTAINER, *WORKFLOWS.values()):
        for extras in re.findall(r"\.\[([\w,]+)\]", text):
            assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"]), extras


def test_the_container_copies_what_there_is() -> None:
    for line in re.findall(r"^COPY (?!--from)(.*)$", CONTAINER, re.MULTILINE):
        *sources, _ = line.split()
        assert all((ROOT / source).exists() for source in sources), line
    assert "\nUSER s2s\n" in CONTAINER and 'ENTRYPOINT ["s2s"]' in CONTAINER


def test_ci_builds_the_guide_and_tries_the_wheel() -> None:
    for step in ("sphinx-build -W", "python -m build", "twine check --strict", "s2s translate"):
        assert step in CI, step


def test_the_tests_are_in_the_source_archive() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    included = tomllib.loads(text)["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {"s2scli", "tests", "examples"} <= set(included)
    assert all((ROOT / path).exists() for path in included)
