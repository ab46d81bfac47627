import json
from pathlib import Path

import pytest

from s2scli.metrics.score import Score
from s2scli.pipeline.evaluation import Evaluation, read_test_scores
from s2scli.translation.model_card import HeldOut


def kept(folder: Path, **changes: object) -> Path:
    """Write the saved scores beside a model folder, and return the model folder."""
    score = Score("BLEU", 12.5, "nrefs:1", (10.0, 15.0))
    found = Evaluation("test split", 3, (score,), command="s2s evaluate --split test --bleu")
    document = {"model": "mine", **found.as_json(), **changes}
    (folder / "evaluation.json").write_text(json.dumps(document))
    return folder / "model"


def test_saved_scores_on_the_test_split_are_read(tmp_path: Path) -> None:
    assert read_test_scores(kept(tmp_path), "mine") == HeldOut(
        3, (Score("BLEU", 12.5, "nrefs:1", (10.0, 15.0)),), "s2s evaluate --split test --bleu"
    )
    bare = {"name": "BLEU", "value": 1, "signature": "s", "interval": None}
    found = read_test_scores(kept(tmp_path, scores=[bare]), "mine")
    assert found is not None and found.scores == (Score("BLEU", 1.0, "s"),)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "another"},
        {"scored": "valid split"},
        {"scores": [{"name": "BLEU"}]},
        {"scores": 3},
        {"sentences": None},
    ],
)
def test_other_scores_are_not_those_of_the_model_on_the_test_split(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    assert read_test_scores(kept(tmp_path, **changes), "mine") is None


def test_where_nothing_is_saved_there_are_no_scores(tmp_path: Path) -> None:
    assert read_test_scores(tmp_path / "model", "mine") is None
    for content in (b"", b"[]", b"\xff"):
        (tmp_path / "evaluation.json").write_bytes(content)
        assert read_test_scores(tmp_path / "model", "mine") is None
