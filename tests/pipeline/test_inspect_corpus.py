from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from s2scli.data.settings import PrepareSettings
from s2scli.data.store import Corpus
from s2scli.errors import MissingInputError
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.inspect_corpus import inspect_corpus
from s2scli.pipeline.prepare import prepare
from s2scli.report.console import Talk
from s2scli.workspace import Workspace

pytestmark = pytest.mark.usefixtures("quick_fsync")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "w")
    lines = (f"{number:0{number % 9 + 1}}\t{'x' * (number % 70 + 1)}\n" for number in range(100))
    (tmp_path / "corpus.tsv").write_text("".join(lines))
    settings = PrepareSettings(test_size=0, max_length_ratio=100)
    prepare(workspace, Inputs((tmp_path / "corpus.tsv",)), settings, Talk(quiet=True))
    return workspace


def test_bins_hold_the_lengths_between_their_ends(workspace: Workspace) -> None:
    view = inspect_corpus(workspace, "train", 0)
    split = Corpus.load(workspace.corpus).open_split("train")
    sources = Counter(len(text) for text in split.sources())
    targets = Counter(len(text) for text in split.targets())
    for part in view.lengths:
        span = range(part.shortest, part.longest + 1)
        assert part.longest + 1 == 2 * part.shortest
        assert part.sources == sum(sources[length] for length in span)
        assert part.targets == sum(targets[length] for length in span)
    assert sum(part.sources for part in view.lengths) == len(split)
    assert sum(part.targets for part in view.lengths) == len(split)


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_samples_are_different_rows_in_order_from_the_first(
    workspace: Workspace, count: int
) -> None:
    view = inspect_corpus(workspace, "train", count)
    everything = list(Corpus.load(workspace.corpus).open_split("train"))
    indices = [everything.index(sample) for sample in view.samples]
    assert len(indices) == min(count, len(everything))
    assert indices == sorted(set(indices))
    assert indices[:1] == [0][:count]
    gaps = [after - before for before, after in pairwise(indices)]
    assert max(gaps, default=0) - min(gaps, default=0) <= 1


def test_a_split_that_is_not_there_is_missing(workspace: Workspace) -> None:
    with pytest.raises(MissingInputError, match="the corpus has no test split"):
        inspect_corpus(workspace, "test", 1)
