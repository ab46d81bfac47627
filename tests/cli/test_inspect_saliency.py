"""`s2s inspect saliency` on untrained models with opinions."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.inspecting import LETTERS, refused, run, run_json
from tests.folders import write_model


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("saliency") / "model", LETTERS, scale=2.0)


WORDS = ("saliency", "A dog", "--target", "Ein Hund", "--no-test", "-m")


@pytest.mark.parametrize("method", ["gradient", "integrated", "erasure"])
def test_each_method_is_shown_as_shares_of_what_raised_the_value(
    method: str, decided: Path
) -> None:
    found = run_json(*WORDS, decided, "--method", method)
    values, shares = np.array(found["values"]), np.array(found["weights"])
    assert found["method"] == method
    assert values.shape == (len(found["target_pieces"]), len(found["source_pieces"]))
    raised = np.maximum(values, 0)
    np.testing.assert_allclose(shares * raised.sum(axis=1, keepdims=True), raised, atol=1e-5)
    assert (found["incompleteness"] is None) == (method != "integrated")
    assert found["deletion_test"] is None
    assert "log-probability" in found["note"]


def test_the_test_of_deletion_is_beside_the_map(decided: Path) -> None:
    words = ("saliency", "A dog", "--target", "Ein", "-m", decided)
    test = run_json(*words)["deletion_test"]
    assert set(test) == {"correlation", "most_first", "least_first"}
    shown = " ".join(run(*words).stdout.split())
    assert f"erasure · deletion test: correlation {test['correlation']:.2f}" in shown
    assert "saliency on the end token" in shown


def test_the_models_own_translation_is_explained(decided: Path) -> None:
    found = run_json("saliency", "dog", "--no-test", "-m", decided)
    attended = run_json("attention", "dog", "-m", decided)
    assert found["target_pieces"] == attended["target_pieces"]


def test_a_contrast_is_one_row(decided: Path) -> None:
    found = run_json(*WORDS, decided, "--instead", "dog")
    (row,) = found["target_pieces"]
    assert " not " in row
    assert found["token_scores"] is None
    whole = run_json(*WORDS, decided)
    assert len(whole["token_scores"]) == len(whole["target_pieces"])


@pytest.mark.parametrize(
    ("name", "begins"), [("a.html", "<!doctype html>"), ("a.svg", "<svg "), ("a.txt", "A dog\n")]
)
def test_every_format_of_maps_is_written(
    name: str, begins: str, decided: Path, tmp_path: Path
) -> None:
    assert run(*WORDS, decided, "-o", tmp_path / name).exit_code == 0
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert text.startswith(begins)
    assert "erasure" in text


def test_words_are_linked_as_pharaoh_writes_them(decided: Path) -> None:
    line = run(*WORDS, decided, "-f", "pharaoh").stdout
    assert line.count("-") == len(line.split()) <= 2


def test_what_cannot_be_explained_is_refused(decided: Path, tone_workspace: Path) -> None:
    assert "the text is empty" in refused(run("saliency", " ", "-m", decided), 2)
    assert "too long" in refused(run("saliency", "dog " * 999, "-m", decided), 65)
    words = ("saliency", "a", "--target", "dog " * 999, "-m", decided)
    assert "the target is too long" in refused(run(*words), 65)
    line = refused(run("saliency", "a.wav", "-w", tone_workspace), 2)
    assert "read and write text" in line
    same = run("saliency", "A dog", "--target", "Ein", "--instead", "Ein", "-m", decided)
    assert "all words of the target are this one or begin with it" in refused(same, 2)
