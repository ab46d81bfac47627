"""The example of augmentation: what its script asks of s2s, with nothing trained."""

import gzip
import subprocess
from pathlib import Path

import pytest

from s2scli.config import load_recipe
from tests.examples.scripts import EXAMPLES, asked_of_s2s

EXAMPLE = EXAMPLES / "augment"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    for split, count in (("train", 5003), ("val", 2)):
        for side in ("en", "de"):
            text = "".join(f"{side}\t{number}\n" for number in range(count))
            (folder / f"{split}.{side}.gz").write_bytes(gzip.compress(text.encode()))
    return folder


def commands(raw: Path, mode: str) -> list[list[str]]:
    return asked_of_s2s(EXAMPLE / "run.sh", raw, mode, raw.parent / "work", folder=raw.parent)


def test_the_reverse_model_reads_the_other_sentences_alone(raw: Path) -> None:
    found = commands(raw, "translation")
    text = raw.parent / "work" / "text"
    assert (text / "more.de").read_text() == "de 5000\nde 5001\nde 5002\n"
    assert (text / "some.tsv").read_text().splitlines()[-1] == "en 4999\tde 4999"
    (augment,) = [words for words in found if words[0] == "augment"]
    assert str(text / "more.de") in augment
    prepared = [words for words in found if words[0] == "prepare"]
    assert [words.count("--swap") for words in prepared] == [0, 1, 0]
    assert all(words[-1] == str(text / "val.tsv") for words in prepared), "never the test split"
    scored = [words for words in found if words[0] == "evaluate"]
    assert len(scored) == 3 and all("valid" in words for words in scored)


def test_both_models_are_scored_with_every_kind_of_noise(raw: Path) -> None:
    found = commands(raw, "noise")
    scored = [words for words in found if words[0] == "evaluate"]
    assert [words[-1] for words in scored] == ["typos,case,drop,swap,unknown"] * 2
    (train,) = [words for words in found if words[0] == "train"]
    changes = [words for words in train if words.startswith("training.noise.")]
    assert len(changes) == 5
    assert load_recipe(str(EXAMPLE / "small.toml"), changes).training.noise.is_noisy


def test_another_word_is_refused(raw: Path) -> None:
    script = ["sh", str(EXAMPLE / "run.sh"), str(raw), "everything", str(raw.parent / "work")]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "found everything" in done.stderr
