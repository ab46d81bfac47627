"""The example of Multi30k: what its script asks of s2s, with nothing trained."""

import gzip
import subprocess
from pathlib import Path

import pytest

from s2scli.config import recipe_names
from tests.examples.scripts import EXAMPLES, asked_of_s2s, load_script

EXAMPLE = EXAMPLES / "multi30k"
UNITS = ["line", "sentence", "document"]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    for split in ("train", "val", "test_2016_flickr"):
        for side in ("en", "de"):
            (folder / f"{split}.{side}.gz").write_bytes(gzip.compress(b"A dog.\nTwo dogs.\n"))
    return folder


def commands(raw: Path, mode: str) -> list[list[str]]:
    """What the script asks for, word by word."""
    work = raw.parent / "work"
    return asked_of_s2s(EXAMPLE / "run.sh", raw, mode, work, folder=raw.parent)


def test_scores_compare_two_recipes_and_then_both_together(raw: Path) -> None:
    prepare, compare, evaluate = commands(raw, "scores")
    assert (prepare[0], prepare.count("--valid"), prepare.count("--test")) == ("prepare", 2, 2)
    assert {"default", "transformer-tiny"} <= set(compare) & set(recipe_names())
    assert evaluate[0] == "evaluate" and evaluate.count("-m") == 2


def test_diversified_pairs_are_the_pairs_and_the_outputs_of_two_models(raw: Path) -> None:
    text = raw.parent / "work" / "text"
    text.mkdir(parents=True)
    (text / "forward.tsv").write_text("A dog.\tHund.\n")
    (text / "reverse.tsv").write_text("Dog.\tA dog.\n")
    found = commands(raw, "diversified")
    trainings = [words for words in found if words[0] == "train"]
    recipes = [words[words.index("-r") + 1] for words in trainings]
    assert recipes == ["default", "transformer-tiny", *3 * ["default"], "transformer-tiny"]
    assert [words[words.index("--seed") + 1] for words in trainings[2:]] == ["1", "2", "3", "1"]
    scored = [words for words in found if words[0] == "evaluate" and "--split" not in words]
    assert [words.count("-m") for words in scored] == [0, 0, 0, 3], "three seeds, and an ensemble"
    rows = (text / "diversified.tsv").read_text().splitlines()
    assert rows == ["A dog.\tA dog.", "Two dogs.\tTwo dogs.", "A dog.\tHund.", "Dog.\tA dog."]


def test_pretraining_begins_one_of_two_with_the_other_model(raw: Path) -> None:
    found = commands(raw, "pretraining")
    german, *trainings = [words for words in found if words[0] == "train"]
    assert "denoising" in german
    assert [words.count("--init-from") for words in trainings] == [0, 1]
    assert (raw.parent / "work/text/few.en").read_text() == "A dog.\nTwo dogs.\n"


def test_consistency_has_the_same_time_for_each_way(raw: Path) -> None:
    found = [words for words in commands(raw, "consistency") if words[0] == "train"]
    minutes = [words[words.index("--max-minutes") + 1] for words in found]
    assert minutes == ["5", "10", "10", "10", "5"]  # Bi-SimCut: both directions first, then one
    assert [words.count("--init-from") for words in found] == [0, 0, 0, 0, 1]
    assert all("training.label_smoothing=0.1" in words for words in found), "as measured"


def test_a_student_learns_from_its_teacher_and_is_scored_beside_it(raw: Path) -> None:
    folder = raw.parent / "work"
    found = commands(raw, "student")
    recipes = [words[words.index("-r") + 1] for words in found if words[0] == "train"]
    assert recipes == ["default", "tiny-student"]
    (augment,) = [words for words in found if words[0] == "augment"]
    assert {"distil", str(folder / "teacher" / "model")} <= set(augment)
    translations = [words for words in found if words[0] == "translate" and "-v" in words]
    assert [words[2].rpartition("/")[2] for words in translations] == ["teacher"] + 3 * ["student"]
    assert [words.count("--int8") for words in translations] == [0, 0, 1, 1]
    assert [words.count("--shortlist") for words in translations] == [0, 0, 0, 1]
    assert [words[0] for words in found].count("evaluate") == 4
    assert (folder / "text" / "test.tsv").read_text().splitlines()[0] == "A dog.\tA dog."


def test_another_word_is_refused(raw: Path) -> None:
    script = ["sh", str(EXAMPLE / "run.sh"), str(raw), "everything", str(raw.parent / "work")]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "found everything" in done.stderr


def test_tokenised_lines_are_lower_case_and_split(raw: Path) -> None:
    pytest.importorskip("sacremoses", reason="sacremoses is not installed")
    *_, evaluate = commands(raw, "tokenised")
    assert evaluate[-2:] == ["--tokenize", "none"]
    assert (raw.parent / "work/text/val.de").read_text() == "a dog .\ntwo dogs .\n"


def test_a_shortlist_is_measured_with_both_beams(raw: Path) -> None:
    pytest.importorskip("sacremoses", reason="sacremoses is not installed")
    found = commands(raw, "shortlist")
    assert [words[-1] for words in found if words[0] == "inspect"] == ["--shortlist"]
    searches = [words for words in found if words[0] == "translate"]
    assert [words.count("--shortlist") for words in searches] == [0, 1, 0, 1]
    assert [words[words.index("--beam-size") + 1] for words in searches] == ["5", "5", "1", "1"]
    scored = [words for words in found if words[0] == "evaluate"]
    assert len(scored) == 4 and all(words[-1].endswith("text/val.de") for words in scored)


def test_documents_are_translated_sentence_by_sentence_and_whole(raw: Path) -> None:
    text = raw.parent / "work" / "text"
    text.mkdir(parents=True)
    for name in ("test.out", *(f"{part}.{unit}" for part in ("all", "marked") for unit in UNITS)):
        (text / name).write_text("Ein Hund.\nZwei Hunde.\n" if name == "test.out" else "x\n")
    found = commands(raw, "documents")
    units = [words[words.index("--unit") + 1] for words in found if "--unit" in words]
    assert sorted(units) == sorted(2 * UNITS)
    assert [words[0] for words in found].count("evaluate") == 8
    assert (text / "marked.1").read_text() == "A dog. Two dogs.\n"


def test_lines_are_joined_to_documents() -> None:
    join = load_script(EXAMPLE / "documents.py").join
    assert list(join(["a\n", "b \n", "c\n"], 2)) == ["a b", "c"]
