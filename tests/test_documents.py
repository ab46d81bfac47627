"""What the documents say is true: commands, recipes, examples."""

import re
from pathlib import Path

from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.config import load_recipe, recipe_names

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEST_COMMAND = 'pip install -e ".[dev]" && pytest'
COMMANDS = (
    "prepare",
    "train-tokenizer",
    "train",
    "evaluate",
    "compare",
    "translate",
    "score",
    "generate",
    "inspect",
)
MAX_LINES = 150


def blocks(language: str) -> list[str]:
    """The README's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_readme_has_every_command() -> None:
    for command in COMMANDS:
        assert f"s2s {command}" in README, command


def test_every_command_of_the_readme_exists() -> None:
    for words in re.findall(r"^s2s ([a-z-]+)(?: (attention|corpus|recipe))?", README, re.MULTILINE):
        result = CliRunner().invoke(app, [*filter(None, words), "--help"])
        assert result.exit_code == 0, words


def test_every_recipe_is_in_the_readme_and_loads() -> None:
    for name in recipe_names():
        assert load_recipe(name).name == name
        assert f"`{name}`" in README, name


def test_every_recipe_cites_its_paper() -> None:
    for name in recipe_names():
        recipe = load_recipe(name)
        assert re.search(r"\b(19|20)\d\d\b", recipe.paper), name
        assert recipe.description.endswith("."), name


def test_the_test_command_is_the_one_that_is_run() -> None:
    assert TEST_COMMAND in README
    assert TEST_COMMAND in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_main_command_runs_the_example() -> None:
    assert "pip install . && sh examples/dates/run.sh" in README
    assert (ROOT / "examples" / "dates" / "run.sh").exists()


def test_no_document_waits_for_a_figure() -> None:
    for path in [ROOT / "README.md", *(ROOT / "examples").rglob("*.md")]:
        assert not re.search(r"@[A-Z]+@", path.read_text(encoding="utf-8")), path


def test_the_readme_stays_short() -> None:
    assert len(README.splitlines()) <= MAX_LINES


def test_the_python_of_the_readme_is_the_api() -> None:
    (code,) = blocks("python")
    assert code.startswith("from s2scli import load\n")
    compile(code, "README.md", "exec")


def test_every_example_is_in_the_index() -> None:
    index = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    for folder in sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir()):
        assert f"({folder.name}/)" in index, folder.name
        assert (folder / "README.md").exists(), folder.name


def test_the_hooks_run_what_every_change_must_pass() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"^ +entry: (.*)$", hooks, re.MULTILINE)
    assert {entry.split()[0] for entry in entries} == {"ruff", "mypy"}
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    for entry in entries:
        assert any(step.startswith(entry) for step in steps), entry
