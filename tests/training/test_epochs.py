"""The batches of a run: which come next is a function of where the run stands."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s2scli.data import shuffling
from s2scli.data.batch import Batch, make_batch
from s2scli.data.batching import PLAN, PLAN_OF_WINDOWS, plan_epoch
from s2scli.data.encoded import EncodedSplit
from s2scli.data.example import TokenIds
from s2scli.data.mixing import Mixture
from s2scli.errors import CorpusError
from s2scli.settings import Tree
from s2scli.special_ids import EOS_ID, UNK_ID
from s2scli.training.epochs import Segmenters, TrainingBatches
from s2scli.training.progress import Progress
from tests.training.runs import training_settings, write_split


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return write_split(tmp_path_factory.mktemp("split"))


def one_epoch(batches: TrainingBatches, progress: Progress) -> tuple[list[str], Progress]:
    """Read to the end of an epoch; return the sources as text, and the counters."""
    seen: list[str] = []
    epoch = progress.epoch
    while progress.epoch == epoch:
        group, progress = batches.next(progress)
        seen += [str(row) for batch in group for row in batch.source.tolist()]
    return seen, progress


def test_an_epoch_reads_every_pair_once(split: EncodedSplit) -> None:
    batches = TrainingBatches(split, training_settings(accumulate=2))
    first, progress = one_epoch(batches, Progress())
    second, progress = one_epoch(batches, progress)
    assert len(first) == len(second) == len(split) == batches.kept
    assert first != second
    assert (progress.epoch, progress.batch) == (2, 0)


@pytest.mark.parametrize("accumulate", [1, 2, 3, 100])
def test_updates_per_epoch(split: EncodedSplit, accumulate: int) -> None:
    batches = TrainingBatches(split, training_settings(accumulate=accumulate))
    progress, updates = Progress(), 0
    while progress.epoch == 0:
        group, progress = batches.next(progress)
        updates += 1
        assert len(group) <= accumulate
    assert updates == batches.updates_per_epoch
    batches.epochs_done(Progress(epoch=3))
    assert updates == batches.updates_per_epoch  # whatever epoch was looked at last


def test_batches_depend_on_the_counters_alone(split: EncodedSplit) -> None:
    settings = training_settings()
    batches, other = TrainingBatches(split, settings), TrainingBatches(split, settings)
    one_epoch(other, replace(Progress(), epoch=5))
    progress = replace(Progress(), epoch=3, batch=1)
    assert str(batches.next(progress)) == str(other.next(progress))
    assert str(batches.next(Progress())) == str(other.next(Progress()))


def test_a_batch_past_the_end_of_a_shorter_plan_is_its_last_batch(split: EncodedSplit) -> None:
    batches = TrainingBatches(split, training_settings())
    last = batches.updates_per_epoch - 1
    further = batches.next(Progress(epoch=0, batch=last + 3))
    assert str(further) == str(batches.next(Progress(epoch=0, batch=last)))
    assert (further[1].epoch, further[1].batch) == (1, 0)


def test_epochs_done_counts_the_share_of_the_current_one(split: EncodedSplit) -> None:
    batches = TrainingBatches(split, training_settings())
    count = batches.updates_per_epoch
    assert batches.epochs_done(Progress(epoch=2)) == 2
    assert batches.epochs_done(Progress(epoch=2, batch=1)) == pytest.approx(2 + 1 / count)


def test_a_small_corpus_has_many_small_batches(split: EncodedSplit) -> None:
    few = TrainingBatches(split, training_settings(batch_tokens=4096, min_batches=1))
    many = TrainingBatches(split, training_settings(batch_tokens=4096, min_batches=8))
    assert few.updates_per_epoch <= 2
    assert many.updates_per_epoch >= 8


def test_long_pairs_are_left_out_and_counted(split: EncodedSplit) -> None:
    batches = TrainingBatches(split, training_settings(max_length=2))
    lengths, _ = split.lengths(0, len(split))
    short = [row for row in range(len(split)) if lengths[row] <= 2]
    assert 0 < batches.kept == len(short)
    assert batches.too_long == len(split) - len(short)


def test_nothing_but_long_pairs_is_an_error(tmp_path: Path) -> None:
    split = write_split(tmp_path, longest=30, shortest=9)
    with pytest.raises(CorpusError, match=r"longer than training\.max_length 8 tokens; raise it"):
        TrainingBatches(split, training_settings(max_length=8))


def test_padding_is_the_share_of_empty_positions(split: EncodedSplit) -> None:
    batches = TrainingBatches(split, training_settings())
    padded = positions = 0
    progress = Progress()
    while progress.epoch == 0:
        (batch,), progress = batches.next(progress)
        positions += batch.source.numel()
        padded += batch.source.numel() - int(batch.source_lengths.sum())
    source, target = batches.padding
    assert source == pytest.approx(padded / positions)
    assert 0 <= target < 1
    assert TrainingBatches(split, training_settings(batch_tokens=1)).padding == (0, 0)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Divide the 24 rows into windows of two or three blocks of 2 rows."""
    monkeypatch.setattr(shuffling, "BLOCK", 2)
    monkeypatch.setattr(shuffling, "WINDOW", 5)


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("accumulate", [1, 2, 100])
def test_an_epoch_of_windows_reads_every_pair_once(split: EncodedSplit, accumulate: int) -> None:
    batches = TrainingBatches(split, training_settings(accumulate=accumulate))
    assert batches.windows == 5
    expected = sorted(ids.tolist() for ids in split.gather(np.arange(len(split)))[0])
    first, progress, places, done = [], Progress(), [], 0.0
    while progress.epoch == 0:
        places.append((progress.window, progress.batch))
        assert batches.epochs_done(progress) == pytest.approx(done)
        group, progress = batches.next(progress)
        first += [row for batch in group for row in rows_of(batch)]
        done = batches.epochs_done(progress)
        assert done > batches.epochs_done(replace(progress, epoch=0, window=0, batch=0))
    assert sorted(first) == expected
    assert (progress.epoch, progress.window, progress.batch, done) == (1, 0, 0, 1)
    assert {window for window, _ in places} == set(range(5)) and sorted(places) == places
    second = sources_of(batches, 1)
    assert second == expected


def rows_of(batch: Batch) -> list[list[int]]:
    rows = zip(batch.source.tolist(), batch.source_lengths.tolist(), strict=True)
    return [ids[: length - 1] for ids, length in rows]


@pytest.mark.usefixtures("windows")
def test_a_run_is_resumed_without_the_windows_before(
    split: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = training_settings(noise={"mask": 0.3})
    batches, progress = TrainingBatches(split, settings), Progress()
    while progress.window < 3:
        _, progress = batches.next(progress)
    _, progress = batches.next(progress)
    resumed, planned = TrainingBatches(split, settings), []
    make_plan = TrainingBatches._make_plan

    def count(self: TrainingBatches, epoch: int, window: int) -> Any:
        planned.append((epoch, window))
        return make_plan(self, epoch, window)

    monkeypatch.setattr(TrainingBatches, "_make_plan", count)
    assert str(resumed.next(progress)) == str(batches.next(progress))
    assert planned == [(0, progress.window)]


@pytest.mark.usefixtures("windows")
def test_windows_are_estimated_and_have_a_plan_of_their_own(split: EncodedSplit) -> None:
    batches = TrainingBatches(split, training_settings())
    first = len(batches._plan.batches)
    assert batches.updates_per_epoch == 5 * first
    assert batches.plan_version == PLAN_OF_WINDOWS != PLAN


def test_a_small_split_is_one_window(split: EncodedSplit) -> None:
    batches = TrainingBatches(split, training_settings())
    assert (batches.windows, batches.plan_version) == (1, PLAN)
    lengths = split.lengths(0, len(split))
    plan = plan_epoch(*lengths, max_tokens=16, max_length=200, seed=1, epoch=0)
    assert str(plan) == str(batches._plan.batches)


@pytest.mark.usefixtures("windows")
def test_a_window_past_the_last_one_is_the_last(split: EncodedSplit) -> None:
    batches = TrainingBatches(split, training_settings())
    further = batches.next(Progress(window=99, batch=99))
    last = batches.next(Progress(window=4, batch=99))
    assert str(further) == str(last)
    assert (further[1].epoch, further[1].window, further[1].batch) == (1, 0, 0)


def test_growth_is_measured_on_the_first_window(
    split: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = TrainingBatches(split, training_settings(), Segmenters(stutter, stutter))
    monkeypatch.setattr(shuffling, "BLOCK", 2)
    monkeypatch.setattr(shuffling, "WINDOW", 12)
    halves = TrainingBatches(split, training_settings(), Segmenters(stutter, stutter))
    assert halves.windows == 2
    assert 1 < halves.growth == pytest.approx(whole.growth, abs=0.2)


def stutter(rows: Sequence[TokenIds], seed: int) -> list[TokenIds]:
    """Say some tokens twice, by the seed alone."""
    random = np.random.default_rng(seed)
    return [np.repeat(ids, random.integers(1, 3, len(ids))) for ids in rows]


def sources_of(batches: TrainingBatches, epoch: int) -> list[list[int]]:
    """Return the sources of an epoch, in an order that does not depend on the batches."""
    progress, sources = Progress(epoch=epoch), []
    while progress.epoch == epoch:
        group, progress = batches.next(progress)
        sources += [row for batch in group for row in rows_of(batch)]
    return sorted(sources)


def test_texts_are_segmented_by_seed_epoch_and_batch_alone(split: EncodedSplit) -> None:
    segmenters = Segmenters(stutter, stutter)
    batches = TrainingBatches(split, training_settings(), segmenters)
    first = [sources_of(batches, epoch) for epoch in (0, 1, 2)]
    assert first[0] != first[1] != first[2]
    again = TrainingBatches(split, training_settings(), segmenters)
    assert sources_of(again, 2) == first[2]
    assert sources_of(TrainingBatches(split, training_settings(seed=2), segmenters), 0) != first[0]


def test_each_side_is_cut_by_its_own_segmenter(split: EncodedSplit) -> None:
    usual = TrainingBatches(split, training_settings())
    batches = TrainingBatches(split, training_settings(), Segmenters(target=stutter))
    batches.growth, batches.batch_tokens = 1.0, usual.batch_tokens
    batches._plan = batches._make_plan(0, 0)
    (plain,), _ = usual.next(Progress())
    (cut,), _ = batches.next(Progress())
    assert torch.equal(plain.source, cut.source)
    assert plain.target_output.numel() < cut.target_output.numel()


def test_nothing_is_segmented_again_without_a_segmenter(split: EncodedSplit) -> None:
    batches = TrainingBatches(split, training_settings())
    assert batches.growth == 1.0
    (batch,), _ = batches.next(Progress())
    rows = batches._plan.batches[0]
    assert str(batch) == str(replace(make_batch(*split.gather(rows)), rows=tuple(rows.tolist())))


def test_longer_texts_make_batches_of_fewer_pairs(split: EncodedSplit) -> None:
    settings = training_settings(batch_tokens=40)
    usual = TrainingBatches(split, settings)
    batches = TrainingBatches(split, settings, Segmenters(stutter, stutter))
    assert batches.growth == pytest.approx(1.4, abs=0.2)  # 1.5 but for the end token
    assert batches.updates_per_epoch > usual.updates_per_epoch
    assert batches.batch_tokens == usual.batch_tokens == 40


def test_a_text_that_would_grow_too_long_keeps_its_tokens(split: EncodedSplit) -> None:
    longest = int(split.lengths(0, len(split))[0].max())
    settings = training_settings(batch_tokens=10_000, max_length=longest)
    segmenters = Segmenters(source=lambda rows, seed: [np.repeat(ids, 2) for ids in rows])
    sources = sources_of(TrainingBatches(split, settings, segmenters), 0)
    assert max(map(len, sources)) == longest
    for number in range(len(split)):
        (ids,), _ = split.gather(np.array([number]))
        doubled = np.repeat(ids, 2)
        assert (doubled if len(doubled) <= longest else ids).tolist() in sources


def one_batch(split: EncodedSplit, epoch: int = 0, **changes: Any) -> Batch:
    """Return the whole split as one batch of an epoch."""
    settings = training_settings(batch_tokens=10_000, **changes)
    (batch,), _ = TrainingBatches(split, settings).next(Progress(epoch=epoch))
    return batch


NOISES: dict[str, Tree] = {
    "source tokens": {"source_token_dropout": 0.3},
    "target tokens": {"target_token_dropout": 0.3},
    "hidden": {"noise": {"mask": 0.3}},
    "restored": {"noise": {"permute": 3, "span": 0.3, "delete": 0.1, "mask": 0.1}},
}
each_noise = pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())


@each_noise
def test_noise_depends_on_seed_epoch_and_batch_alone(split: EncodedSplit, noise: Tree) -> None:
    settings = training_settings(batch_tokens=10_000, **noise)
    later = Progress(epoch=3)
    gone_on = TrainingBatches(split, settings)
    one_epoch(gone_on, Progress())
    expected = str(TrainingBatches(split, settings).next(later))
    assert str(gone_on.next(later)) == expected == str(gone_on.next(later))
    batches = [one_batch(split, epoch, **noise) for epoch in (3, 4)]
    batches.append(one_batch(split, 3, seed=2, **noise))
    unknown = {str(sorted(unknown_positions(batch))) for batch in batches}
    assert len(unknown) == 3, "other epochs and seeds have other noise"


def unknown_positions(batch: Batch) -> list[str]:
    """Return the rows of a batch, each as its target beside where something is unknown."""
    both = torch.cat([batch.source == UNK_ID, batch.target_input == UNK_ID], 1).int()
    return [str(row) for row in torch.cat([batch.target_output, both], 1).tolist()]


@each_noise
def test_noise_leaves_what_is_to_be_said_as_it_is(split: EncodedSplit, noise: Tree) -> None:
    plain, noisy = one_batch(split), one_batch(split, **noise)
    assert torch.equal(plain.target_output, noisy.target_output)
    other_input = not torch.equal(plain.target_input, noisy.target_input)
    other_source = str(plain.source) != str(noisy.source)
    assert other_input == ("target_token_dropout" in noise) != other_source


def test_dropped_tokens_are_unknown_and_the_others_stay(split: EncodedSplit) -> None:
    plain = one_batch(split)
    noisy = one_batch(split, source_token_dropout=0.3, target_token_dropout=0.3)
    assert torch.equal(plain.source_lengths, noisy.source_lengths)
    for before, after in (
        (plain.source, noisy.source),
        (plain.target_input, noisy.target_input),
    ):
        dropped = before != after
        assert set(after[dropped].tolist()) == {UNK_ID}
        assert float(dropped.sum() / (before > EOS_ID).sum()) == pytest.approx(0.3, abs=0.2)
        assert not bool((before[dropped] <= EOS_ID).any())


@pytest.mark.parametrize("several", [False, True])
def test_a_mixture_is_drawn_anew_in_each_epoch_and_the_same_for_a_seed(
    split: EncodedSplit, monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    if several:
        monkeypatch.setattr(shuffling, "BLOCK", 2)
        monkeypatch.setattr(shuffling, "WINDOW", 9)
    half = len(split) // 2
    mixture = Mixture((half, len(split) - half), (2.5, 0.5))
    settings = training_settings(accumulate=2)
    batches = TrainingBatches(split, settings, mixture=mixture)
    again = TrainingBatches(split, settings, mixture=mixture)
    assert (batches.windows > 1) is several
    progress, drawn = Progress(), []
    for epoch in range(20):
        counts = np.zeros(len(split), int)
        while progress.epoch == epoch:
            assert again.rows(progress).tolist() == batches.rows(progress).tolist()
            counts += np.bincount(batches.rows(progress), minlength=len(split))
            _, progress = batches.next(progress)
        assert set(counts[:half]) <= {2, 3}
        assert set(counts[half:]) <= {0, 1}
        drawn.append(counts)
    assert len({tuple(counts) for counts in drawn}) > 15
    means = np.mean(drawn, axis=0)
    assert means[:half].mean() == pytest.approx(2.5, abs=0.2)
    assert means[half:].mean() == pytest.approx(0.5, abs=0.2)


def test_a_mixture_that_sees_all_once_changes_nothing(split: EncodedSplit) -> None:
    settings = training_settings(accumulate=2)
    plain = one_epoch(TrainingBatches(split, settings), Progress())
    mixed = TrainingBatches(split, settings, mixture=Mixture((3, len(split) - 3), (1.0, 1.0)))
    assert one_epoch(mixed, Progress()) == plain
