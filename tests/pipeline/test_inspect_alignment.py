"""Links of two directions: as the models see them, word by word or piece by piece."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from s2scli.errors import CorpusError, LockedError
from s2scli.metrics.links import Links
from s2scli.pipeline.inspect_alignment import _both, inspect_alignment, keep_reading
from s2scli.report.attention import END, AttentionMap
from s2scli.report.console import Talk
from s2scli.report.readings import Reading
from s2scli.workspace import Workspace


def linked(
    source: tuple[str, ...], target: tuple[str, ...], *pairs: tuple[int, int]
) -> AttentionMap:
    weights = np.zeros((len(target), len(source)), np.float32)
    for s, t in pairs:
        weights[t, s] = 1.0
    return AttentionMap(source, target, weights)


ENGLISH, FRENCH = ("▁a", "▁do", "g", END), ("▁un", "▁chien", END)


@pytest.mark.parametrize(
    ("english", "links"),
    [
        (ENGLISH, frozenset({(0, 0), (1, 1), (2, 1)})),  # the same pieces
        (("▁a", "▁d", "og", END), frozenset({(0, 0), (1, 1)})),  # other pieces, so words
    ],
)
def test_links_are_compared_in_the_direction_of_the_model(
    english: tuple[str, ...], links: Links
) -> None:
    forward = linked(ENGLISH, FRENCH, (0, 0), (1, 1), (3, 2))
    backward = linked(FRENCH, english, (0, 0), (1, 1), (1, 2), (2, 3))
    ours, theirs = _both(forward, backward)
    assert ours == {(0, 0), (1, 1)}
    assert theirs == links


def test_a_busy_workspace_is_left_alone(trained_workspace: Path) -> None:
    workspace = Workspace(trained_workspace)
    with workspace.locked("train"), pytest.raises(LockedError):
        keep_reading(workspace, None, Reading(later=True))


def test_a_model_beside_a_folder_of_the_user_is_in_no_workspace(
    trained_workspace: Path, tmp_path: Path
) -> None:
    model, mine = tmp_path / "model", tmp_path / "corpus" / "mine.tsv"
    shutil.copytree(trained_workspace / "model", model)
    mine.parent.mkdir()
    mine.write_bytes(b"a\tb\n")
    keep_reading(Workspace(trained_workspace), model, Reading(later=True))
    assert mine.exists() and not (tmp_path / ".lock").exists()


def test_a_model_that_can_align_nothing_says_so(
    trained_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2scli.pipeline.inspect_alignment.is_blank", lambda text: True)
    with pytest.raises(CorpusError, match="can align no pair"):
        inspect_alignment(Workspace(trained_workspace), None, None, 9, "cpu", Talk())
