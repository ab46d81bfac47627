"""The example of lengths: what its sequences promise, what its plot shows, and that it runs."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from s2scli.config import Recipe, load_recipe
from s2scli.data.settings import PrepareSettings
from s2scli.data.store import Corpus
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.report.console import Talk
from s2scli.workspace import Workspace
from tests.examples.scripts import EXAMPLES, load_script

EXAMPLE = EXAMPLES / "length"
NAMES = ("attention", "fixed", "transformer")
SVG = "{http://www.w3.org/2000/svg}"

copies = load_script(EXAMPLE / "make_copies.py")
plot = load_script(EXAMPLE / "plot.py")


@pytest.fixture(scope="module")
def splits() -> dict[str, list[str]]:
    found: dict[str, list[str]] = copies.make_splits()
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace whose test split has two sequences of 1, 2, 3 and 4 letters."""
    tests = [" ".join(letter * length) for length in (1, 2, 3, 4) for letter in "ab"]
    train = [" ".join(letter * length) for length in (5, 6, 7, 8, 9) for letter in "abcdefghijkl"]
    for name, rows in (("train", train), ("test", tests)):
        text = "".join(f"{sequence}\t{sequence}\n" for sequence in rows)
        (tmp_path / f"{name}.tsv").write_text(text)
    inputs = Inputs((tmp_path / "train.tsv",), test=(tmp_path / "test.tsv",))
    prepare(Workspace(tmp_path / "w"), inputs, PrepareSettings(valid_size=5), Talk(quiet=True))
    return Workspace(tmp_path / "w")


def keep_outputs(workspace: Workspace, name: str, outputs: list[str]) -> None:
    folder = workspace.of_run(name).outputs
    folder.mkdir(parents=True)
    (folder / "outputs.txt").write_text("".join(f"{output}\n" for output in outputs))


def test_no_sequence_stands_twice(splits: dict[str, list[str]]) -> None:
    sequences = [sequence for rows in splits.values() for sequence in rows]
    assert len(sequences) == len(set(sequences)) == 20_000 + 300 + 400


def test_lengths_of_training_are_even_and_cover_the_test(splits: dict[str, list[str]]) -> None:
    lengths = {split: Counter(len(row.split()) for row in rows) for split, rows in splits.items()}
    assert lengths["test"] == dict.fromkeys(range(2, 21, 2), 40)
    assert set(lengths["train"]) >= set(range(2, 21))
    assert min(lengths["train"][length] for length in range(3, 21)) > 800


def test_every_letter_is_as_frequent(splits: dict[str, list[str]]) -> None:
    counts = Counter(letter for row in splits["train"] for letter in row.split())
    assert sorted(counts) == list("abcdefghijklmnop")
    assert max(counts.values()) < 1.05 * min(counts.values())


def test_the_script_writes_the_same_rows_each_time(
    splits: dict[str, list[str]], tmp_path: Path
) -> None:
    command = [sys.executable, str(EXAMPLE / "make_copies.py"), str(tmp_path)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "1"})
    for split, rows in splits.items():
        lines = (tmp_path / f"{split}.tsv").read_text().splitlines()
        assert lines == [f"{sequence}\t{sequence}" for sequence in rows]


def test_the_recipes_differ_in_their_model_alone() -> None:
    recipes = {name: load_recipe(str(EXAMPLE / f"{name}.toml")) for name in NAMES}

    def without_optimizer(recipe: Recipe) -> object:
        return recipe.training.model_dump(exclude={"optimizer"})

    assert [name for name in NAMES if recipes[name].model.attention.kind == "none"] == ["fixed"]
    assert all(
        without_optimizer(recipe) == without_optimizer(recipes["fixed"])
        for recipe in recipes.values()
    )


def test_shares_are_exact_copies_by_length(workspace: Workspace) -> None:
    right = plot.read_split(Corpus.load(workspace.corpus), "test").references
    keep_outputs(workspace, "fixed", [*right[:5], "x", "", "a a a"])
    line = plot.read_line(workspace, "fixed")
    assert (line.name, line.shares) == ("fixed", {1: 100, 2: 100, 3: 50, 4: 0})


def test_the_picture_has_a_line_for_each_model(workspace: Workspace) -> None:
    right = list(plot.read_split(Corpus.load(workspace.corpus), "test").references)
    keep_outputs(workspace, "attention", right)
    keep_outputs(workspace, "<b>", right)
    keep_outputs(workspace, "fixed", [*right[:4], *[""] * 4])
    (workspace.of_run("unfinished").training).mkdir(parents=True)
    command = [sys.executable, str(EXAMPLE / "plot.py"), str(workspace.root)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    picture = ElementTree.fromstring(done.stdout)
    assert len(picture.findall(f"{SVG}polyline")) == 3
    titles = [title.text for title in picture.iter(f"{SVG}title")]
    assert len(titles) == 12
    assert "fixed, 4 letters: 0.0 %" in titles and "<b>, 4 letters: 100.0 %" in titles
    names = [text for text in picture.iter(f"{SVG}text") if text.text in ("attention", "<b>")]
    places = sorted(float(text.attrib["y"]) for text in names)
    assert places[1] - places[0] >= 16, "names at the same height are set apart"


def test_without_a_comparison_it_says_what_to_run(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLE / "plot.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "run examples/length/run.sh first" in done.stderr


def test_a_picture_that_is_shown_is_of_these_models() -> None:
    assert "length.svg)" in (EXAMPLE / "README.md").read_text()
    picture = ElementTree.parse(EXAMPLE / "length.svg").getroot()
    assert len(picture.findall(f"{SVG}polyline")) == len(NAMES)
    assert {text.text for text in picture.iter(f"{SVG}text")} >= set(NAMES)


@pytest.mark.slow
def test_the_whole_example_runs(tmp_path: Path) -> None:
    folder = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": folder, "OMP_NUM_THREADS": "1"}
    command = ["sh", str(EXAMPLE / "run.sh"), str(tmp_path / "w"), "2"]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    picture = ElementTree.parse(tmp_path / "w" / "length.svg").getroot()
    assert len(picture.findall(f"{SVG}polyline")) == len(NAMES)
