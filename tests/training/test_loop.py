"""What the loop does, and when."""

import math
from collections.abc import Callable, Mapping
from itertools import count, pairwise
from typing import Any

import numpy as np
import pytest
import torch

from s2scli.data.batch import Batch, make_batch
from s2scli.data.encoded import EncodedSplit
from s2scli.errors import DivergedError, OutOfMemoryError, StorageError
from s2scli.model.seq2seq import Seq2Seq
from s2scli.training import update
from s2scli.training.epochs import TrainingBatches
from s2scli.training.events import (
    Event,
    Finished,
    RolledBack,
    Saved,
    Skipped,
    Split,
    Step,
    Update,
    Validation,
)
from s2scli.training.loop import (
    LONG_VALIDATION,
    MAX_SKIPPED_IN_A_ROW,
    Run,
    learning_rate,
    train,
)
from s2scli.training.objective import batch_objective
from s2scli.training.progress import Progress
from s2scli.training.schedule import PlateauState
from s2scli.training.settings import LimitSettings, TrainingSettings
from tests.models import ids
from tests.training.runs import CPU, Session, make_run, training_settings, write_split


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return write_split(tmp_path_factory.mktemp("split"))


def story(events: list[Event]) -> str:
    """Tell events in short: u2 an update's report, v4 a validation (v4! the best), s4 a save."""
    words = []
    for event in events:
        match event:
            case Update(step=step):
                words.append(f"u{step}")
            case Validation(step=step, best=best):
                words.append(f"v{step}!" if best else f"v{step}")
            case Saved(step=step, fault=fault):
                words.append(f"s{step}?" if fault else f"s{step}")
            case Finished(reason=reason):
                words.append(reason)
    return " ".join(words)


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in run.model.named_parameters()}


def same(some: Mapping[str, torch.Tensor], others: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(some[name], others[name]) for name in some)


def signal_at(call: int, number: int = 15) -> Callable[[], int]:
    """Return a `stop` that asks for an end from its call number `call` (0 is the first) on."""
    calls = count()
    return lambda: number if next(calls) >= call else 0


def test_validations_and_saves_stand_where_they_should(split: EncodedSplit) -> None:
    session = Session(make_run(training_settings(limits={"max_steps": 8})), split)
    assert story(session.events()) == ("v0! s0 u2 s3 u4 v4! s4 u6 s6 u8 v8! s8 max_steps 8 reached")
    assert session.saves == [0, 3, 4, 6, 8]
    assert session.run.progress.best_step == 8


def test_every_update_is_told_once_and_takes_no_report_s_place(split: EncodedSplit) -> None:
    session = Session(make_run(training_settings(limits={"max_steps": 8}, log_every=3)), split)
    made = [event for event in session.events() if isinstance(event, Step | Update)]
    assert [event.step for event in made] == list(range(1, 9))
    assert [event.step for event in made if isinstance(event, Update)] == [3, 6]
    assert all(a.seconds <= b.seconds and a.epoch < b.epoch for a, b in pairwise(made))


def test_the_last_step_is_validated_off_schedule(split: EncodedSplit) -> None:
    session = Session(make_run(training_settings(limits={"max_steps": 5})), split, [3, 2, 4])
    assert story(session.events()) == "v0! s0 u2 s3 u4 v4! s4 v5 s5 max_steps 5 reached"
    assert session.run.progress.bad_validations == 0, "one off schedule does not count"


def test_a_run_at_its_limit_does_nothing(split: EncodedSplit) -> None:
    run = make_run(training_settings(limits={"max_steps": 4}))
    Session(run, split).events()
    again = Session(run, split)
    assert story(again.events()) == "max_steps 4 reached"
    assert again.saves == []


def test_patience_ends_a_run(split: EncodedSplit) -> None:
    settings = training_settings(limits={"patience": 2}, log_every=100, save_every=100)
    session = Session(make_run(settings), split, [0.5, 3.0, 1.0, 1.0, 1.5, 0.5])
    assert story(session.events()) == (
        "v0! s0 v4! s4 v8! s8 v12 s12 v16 s16 no better score in 2 validations"
    ), "what chance reached at step 0 is no score to beat"
    assert session.run.progress.best_step == 8


def test_patience_0_is_never(split: EncodedSplit) -> None:
    limits = {"patience": 0, "max_steps": 60}
    session = Session(make_run(training_settings(limits=limits)), split, [1.0])
    assert session.events()[-1] == Finished(60, "max_steps 60 reached", limit="max_steps")
    assert session.run.progress.bad_validations == 14


class Scripted(Session):
    """A session whose validation loss is a function of the step."""

    losses_at: Mapping[int, float] = {0: 5.0, 4: 3.0, 6: 1.0, 8: 2.0, 12: 2.5, 16: 2.5}

    def _validate(self) -> Mapping[str, float]:
        return {"loss": self.losses_at[self.run.progress.step]}


def test_a_limit_that_is_raised_leaves_no_trace(split: EncodedSplit) -> None:
    """The best score of all, seen off schedule at 6, is nothing to the schedule or patience."""

    def settings_to(steps: int) -> TrainingSettings:
        limits = {"max_steps": steps, "patience": 3}
        return training_settings(schedule={"kind": "plateau"}, limits=limits)

    whole = Scripted(make_run(settings_to(16)), split)
    whole.events()
    resumed = Scripted(make_run(settings_to(6)), split)
    resumed.events()
    resumed.run.settings = settings_to(16)
    resumed.events()
    assert same(weights_of(whole.run), weights_of(resumed.run))
    assert (whole.run.progress.best_step, resumed.run.progress.best_step) == (8, 6)
    assert whole.run.progress.bad_validations == resumed.run.progress.bad_validations == 2
    assert whole.run.progress.plateau == resumed.run.progress.plateau == PlateauState(0.25)


def test_epochs_end_a_run(split: EncodedSplit) -> None:
    session = Session(make_run(training_settings(limits={"max_epochs": 2})), split)
    *_, last = session.events()
    updates = TrainingBatches(split, session.run.settings).updates_per_epoch
    assert last == Finished(2 * updates, "max_epochs 2 reached", limit="max_epochs")
    assert (session.run.progress.epoch, session.run.progress.batch) == (2, 0)


def test_minutes_end_a_run(split: EncodedSplit) -> None:
    run = make_run(training_settings(limits={"max_minutes": 2.5}))
    run.progress = Progress(step=1, seconds=150.0)
    assert story(Session(run, split).events()) == "v1! s1 max_minutes 2.5 reached"


@pytest.mark.parametrize(
    ("call", "expected"),
    [(0, "s0 "), (1, "v0! s0 "), (2, "v0! s0 s1 "), (5, "v0! s0 u2 s3 u4 s4 ")],
)
def test_a_signal_saves_and_ends_a_run(split: EncodedSplit, call: int, expected: str) -> None:
    """Asked for before each update, and once more after the validation at step 0."""
    session = Session(make_run(training_settings()), split, stop=signal_at(call))
    events = session.events()
    assert story(events) == f"{expected}stopped by a signal"
    last = events[-1]
    assert isinstance(last, Finished) and last.signal == 15


class Timed(Session):
    """A session whose validations take some time, of a clock that stands still otherwise."""

    seconds = 0.0
    now = 0.0

    def _validate(self) -> Mapping[str, float]:
        self.now += self.seconds
        return super()._validate()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (LONG_VALIDATION, "v0! s0 u2 s3 u4 v4! s4 v5! s5"),
        (LONG_VALIDATION + 1, "v0! s0 u2 s3 u4 s4 v4! s4 s5 v5! s5"),
    ],
)
def test_updates_are_saved_before_a_long_validation(
    split: EncodedSplit, monkeypatch: pytest.MonkeyPatch, seconds: float, expected: str
) -> None:
    session = Timed(make_run(training_settings(limits={"max_steps": 5})), split)
    session.seconds = seconds
    monkeypatch.setattr("s2scli.training.loop.time.monotonic", lambda: session.now)
    assert story(session.events()) == f"{expected} max_steps 5 reached"
    again = Timed(session.run, split, [4.0])
    session.run.settings = training_settings(limits={"max_steps": 9}, save_every=100)
    assert story(again.events()).startswith("u6 u8 s8 v8 s8 "), "it may be as long"


def test_a_checkpoint_before_a_validation_need_not_succeed(
    split: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2scli.training.loop.LONG_VALIDATION", -1.0)
    session = FullDisk(make_run(training_settings(limits={"max_steps": 5})), split)
    expected = "v0! s0 u2 s3? u4 s4? v4! s4? s5 v5! s5 max_steps 5 reached"
    assert story(session.events()) == expected


def test_plateau_follows_the_validations(split: EncodedSplit) -> None:
    settings = training_settings(
        schedule={"kind": "plateau", "decay": 0.5}, limits={"max_steps": 14}, log_every=1
    )
    session = Session(make_run(settings), split, [9.0, 2.0, 3.0, 1.0])
    rates = {e.step: e.learning_rate for e in session.events() if isinstance(e, Update)}
    assert [rates[step] for step in (4, 5, 8, 9, 12, 13)] == pytest.approx(
        [0.01, 0.01, 0.01, 0.005, 0.005, 0.005]
    )


def test_the_schedule_sets_the_rate() -> None:
    settings = training_settings(schedule={"kind": "inverse_sqrt", "warmup_steps": 10})
    progress = Progress(plateau=PlateauState(scale=0.5))  # of an earlier schedule
    assert learning_rate(settings, progress, 5) == pytest.approx(0.01 * 0.5)
    assert learning_rate(settings, progress, 40) == pytest.approx(0.01 * 0.5)
    plateau = training_settings(schedule={"kind": "plateau", "warmup_steps": 10})
    assert learning_rate(plateau, progress, 5) == pytest.approx(0.01 * 0.5 * 0.5)
    assert learning_rate(plateau, progress, 40) == pytest.approx(0.01 * 0.5)


def test_a_run_that_is_slower_than_planned_ends_with_the_lowest_rate(
    split: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 25 updates in 200 seconds, each takes 10."""
    cosine = {"kind": "cosine", "warmup_steps": 2, "total_steps": 25, "floor": 0.0}
    settings = training_settings(
        schedule=cosine | {"in_time": True}, limits={"max_minutes": 200 / 60}, log_every=1
    )
    clock = count(step=10.0)  # read once in an update
    monkeypatch.setattr("s2scli.training.loop.time.monotonic", lambda: next(clock))
    session = Session(make_run(settings), split, [1.0] * 99)
    rates = [event.learning_rate for event in session.events() if isinstance(event, Update)]
    assert 10 < len(rates) <= 20
    assert all(later < rate for rate, later in pairwise(rates[1:]))
    by_step = learning_rate(settings, Progress(), len(rates))
    assert rates[-1] < 0.1 * max(rates) < by_step
    more = settings.model_copy(update={"limits": LimitSettings(max_minutes=10)})
    assert learning_rate(more, session.run.progress, len(rates)) == by_step, "it may go on"


def test_reports_are_means_over_the_tokens_since_the_last(split: EncodedSplit) -> None:
    settings = training_settings(limits={"max_steps": 6}, log_every=3, label_smoothing=0)
    run = make_run(settings)
    with torch.no_grad():
        run.model.output.weight.zero_()
        run.model.output.bias.zero_()
    settings_of_no_rate = run.optimizer.param_groups[0]
    assert settings_of_no_rate["lr"] == 0.01
    batches, progress = TrainingBatches(split, settings), Progress()
    tokens = 0
    for _ in range(3):
        (batch,), progress = batches.next(progress)
        tokens += int(batch.target_mask.sum())
    first, second = (e for e in Session(run, split).events() if isinstance(e, Update))
    assert first.tokens == tokens
    assert first.loss == pytest.approx(math.log(11), rel=0.05), "as good as a die of 11 sides"
    assert second.loss < first.loss
    assert first.tokens_per_second > 0 and second.seconds > first.seconds > 0


def test_accumulated_batches_equal_one_batch_of_all(split: EncodedSplit) -> None:
    """The change of one step of SGD at a rate of 1 is the gradient."""
    sgd = {"kind": "sgd", "learning_rate": 1.0}
    limits = {"max_steps": 1}
    settings = training_settings(accumulate=100, max_gradient_norm=0, optimizer=sgd, limits=limits)
    run, whole = make_run(settings), make_run(settings)
    before = weights_of(run)
    Session(run, split).events()
    batch = make_batch(*split.gather(np.arange(len(split))))
    objective = batch_objective(whole.model, batch, settings, 1)
    torch.autograd.backward(objective / batch.target_mask.sum())
    for name, weight in whole.model.named_parameters():
        assert weight.grad is not None and weight.grad.abs().max() > 0
        moved = before[name] - weights_of(run)[name]
        torch.testing.assert_close(moved, weight.grad, atol=1e-6, rtol=0)


def test_gradients_are_clipped(split: EncodedSplit) -> None:
    sgd = {"kind": "sgd", "learning_rate": 1.0}
    settings = training_settings(
        max_gradient_norm=0.001, optimizer=sgd, limits={"max_steps": 1}, log_every=1
    )
    run = make_run(settings)
    before = weights_of(run)
    (update,) = (e for e in Session(run, split).events() if isinstance(e, Update))
    moved = torch.cat([(w - before[name]).flatten() for name, w in weights_of(run).items()])
    assert float(moved.norm()) == pytest.approx(0.001, rel=0.01)
    assert update.gradient_norm > 0.01, "reported before clipping"


def poison(run: Run, steps: range) -> None:
    """Make the gradient of some updates NaN."""
    weight = next(run.model.parameters())

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        return gradient * math.nan if run.progress.step + 1 in steps else gradient

    weight.register_hook(spoil)  # type: ignore[no-untyped-call]


def test_an_update_that_is_not_finite_is_skipped(split: EncodedSplit) -> None:
    run = make_run(training_settings(limits={"max_steps": 4}))
    poison(run, range(2, 4))
    batches = TrainingBatches(split, run.settings)
    seen: dict[int, dict[str, torch.Tensor]] = {}

    def stop() -> int:
        seen[run.progress.step] = weights_of(run)
        return 0

    list(train(run, batches, lambda: {"loss": 1.0}, lambda progress: None, stop))
    assert not same(seen[0], seen[1])
    assert same(seen[1], seen[3]), "neither weights nor the optimizer moved"
    assert not same(seen[3], seen[4])
    assert (run.progress.skipped, run.progress.skipped_in_a_row) == (2, 0)


def test_a_report_on_skipped_updates_alone_has_no_loss(split: EncodedSplit) -> None:
    session = Session(make_run(training_settings(limits={"max_steps": 6})), split)
    poison(session.run, range(3, 5))
    reports = [event for event in session.events() if isinstance(event, Update)]
    assert [math.isnan(report.loss) for report in reports] == [False, True, False]
    assert [report.tokens > 0 for report in reports] == [True, False, True]


def test_skipped_updates_are_told_with_their_rows(split: EncodedSplit) -> None:
    session = Session(make_run(training_settings(limits={"max_steps": 6}, accumulate=2)), split)
    poison(session.run, range(3, 5))
    batches = TrainingBatches(split, session.run.settings)
    skipped = [event for event in session.events() if isinstance(event, Skipped)]
    progress, rows = Progress(), []
    for _ in range(4):
        group, progress = batches.next(progress)
        rows.append(tuple(row for batch in group for row in batch.rows))
    assert [(event.step, event.rows) for event in skipped] == [(3, rows[2]), (4, rows[3])]
    assert len(rows[2]) > 2


def no_gradient(run: Run, steps: range) -> None:
    """Make some updates fail until the run goes back to other weights."""
    weight = next(run.model.parameters())

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        fails = run.progress.step + 1 in steps and not run.progress.rolled_back
        return gradient * math.nan if fails else gradient

    weight.register_hook(spoil)  # type: ignore[no-untyped-call]


def test_a_run_rolls_back_once_and_goes_on(split: EncodedSplit) -> None:
    run = make_run(training_settings(limits={"max_steps": 24}, save_every=4))
    saved: dict[int, dict[str, torch.Tensor]] = {}
    asked: list[int] = []

    def save(progress: Progress) -> None:
        saved[progress.step] = weights_of(run)

    def roll_back(step: int) -> int:
        asked.append(step)
        with torch.no_grad():
            for name, weight in run.model.named_parameters():
                weight.copy_(saved[step][name])
        return step

    no_gradient(run, range(9, 1000))
    batches = TrainingBatches(split, run.settings)
    told = []
    for event in train(run, batches, lambda: {"loss": 1.0}, save, lambda: 0, roll_back):
        if isinstance(event, RolledBack):
            told.append(event)
            assert same(weights_of(run), saved[4])
            assert not same(saved[4], saved[8])
    (event,) = told
    assert (event.step, event.checkpoint, asked) == (18, 4, [4]), "8 has the weights that fail"
    progress = run.progress
    assert (progress.step, progress.skipped, progress.skipped_in_a_row) == (24, 10, 0)
    assert progress.rolled_back == 18
    assert not same(weights_of(run), saved[4])


def test_what_fails_again_after_rolling_back_ends_the_run(split: EncodedSplit) -> None:
    run = make_run(training_settings())
    poison(run, range(3, 1000))
    batches = TrainingBatches(split, run.settings)
    with pytest.raises(DivergedError) as refusal:
        list(train(run, batches, lambda: {"loss": 1.0}, lambda _: None, lambda: 0, lambda _: 0))
    assert str(refusal.value) == (
        "training diverged: 10 updates in a row, up to update 22, had a loss or gradient that is "
        "not finite, also after rolling back at update 12; the checkpoints are untouched; start "
        "again with --restart and a lower training.optimizer.learning_rate"
    )
    assert refusal.value.exit_status == 70


def test_too_many_in_a_row_end_the_run(split: EncodedSplit) -> None:
    session = Session(make_run(training_settings()), split)
    poison(session.run, range(3, 1000))
    with pytest.raises(
        DivergedError, match=f"{MAX_SKIPPED_IN_A_ROW} updates in a row, up to update 12"
    ):
        session.events()
    assert all(weight.isfinite().all() for weight in weights_of(session.run).values())


def test_nine_in_a_row_do_not(split: EncodedSplit) -> None:
    session = Session(make_run(training_settings(limits={"max_steps": 14})), split)
    poison(session.run, range(3, 12))
    session.events()
    assert session.run.progress.skipped == MAX_SKIPPED_IN_A_ROW - 1


@pytest.mark.parametrize(
    "complaint",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
    ],
)
def test_what_does_not_fit_is_told_with_half_the_batch(
    split: EncodedSplit, complaint: RuntimeError
) -> None:
    session = Session(make_run(training_settings()), split)

    def complain(gradient: torch.Tensor) -> torch.Tensor:
        if session.run.progress.step == 4:
            raise complaint
        return gradient

    next(session.run.model.parameters()).register_hook(complain)  # type: ignore[no-untyped-call]
    with pytest.raises(OutOfMemoryError) as refusal:
        session.events()
    assert str(refusal.value) == (
        "update 5 does not fit into the memory of cpu with batches of 16 tokens; the last "
        "checkpoint is untouched; start again with --restart --set training.batch_tokens=8"
    )
    assert refusal.value.exit_status == 70
    assert session.saves[-1] == 4


def test_a_batch_that_does_not_fit_is_split_and_the_run_goes_on(
    split: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights become those of a run with enough memory, but for rounding."""
    sgd = {"kind": "sgd", "learning_rate": 1.0}
    settings = training_settings(batch_tokens=60, limits={"max_steps": 4}, optimizer=sgd)
    whole, short = Session(make_run(settings), split), Session(make_run(settings), split)
    assert not [event for event in whole.events() if isinstance(event, Split)]

    def limited(model: Seq2Seq, batch: Batch, *rest: Any) -> torch.Tensor:
        if len(batch.source) > 5:
            raise MemoryError
        return batch_objective(model, batch, *rest)

    monkeypatch.setattr(update, "batch_objective", limited)
    monkeypatch.setattr(update, "give_back_freed_memory", lambda: None)
    splits = [event for event in short.events() if isinstance(event, Split)]
    assert splits and all(event.splits and not event.rows for event in splits)
    for name, weight in weights_of(short.run).items():
        torch.testing.assert_close(weight, weights_of(whole.run)[name], atol=1e-6, rtol=0)


def test_an_example_that_does_not_fit_is_told(
    split: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(model: Seq2Seq, batch: Batch, *rest: Any) -> torch.Tensor:
        if 7 in batch.rows:
            raise MemoryError
        return batch_objective(model, batch, *rest)

    monkeypatch.setattr(update, "batch_objective", limited)
    monkeypatch.setattr(update, "give_back_freed_memory", lambda: None)
    session = Session(make_run(training_settings(limits={"max_epochs": 2})), split)
    events = session.events()
    rows = [event.rows for event in events if isinstance(event, Split) and event.rows]
    assert rows == [(7,), (7,)], "once in each epoch"
    assert session.run.progress.skipped == 0


def test_an_update_of_nothing_that_fits_is_skipped_and_no_divergence(
    split: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of one token's length hold one example each; the longest never fit."""

    def limited(model: Seq2Seq, batch: Batch, *rest: Any) -> torch.Tensor:
        if len(batch.real) > 4:
            raise MemoryError
        return batch_objective(model, batch, *rest)

    monkeypatch.setattr(update, "batch_objective", limited)
    monkeypatch.setattr(update, "give_back_freed_memory", lambda: None)
    settings = training_settings(batch_tokens=1, limits={"max_epochs": 1}, save_every=100)
    session = Session(make_run(settings), split)
    events = session.events()
    left_out = [event.rows for event in events if isinstance(event, Split)]
    assert left_out and all(len(rows) == 1 for rows in left_out)
    assert not [event for event in events if isinstance(event, Skipped | RolledBack)]
    progress = session.run.progress
    assert (progress.skipped, progress.skipped_in_a_row) == (len(left_out), 0)


def test_other_complaints_of_torch_stay_bugs(split: EncodedSplit) -> None:
    session = Session(make_run(training_settings()), split)

    def complain(gradient: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    next(session.run.model.parameters()).register_hook(complain)  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="shapes do not match"):
        session.events()


def test_scores_that_are_not_finite_are_never_the_best(split: EncodedSplit) -> None:
    session = Session(make_run(training_settings(limits={"max_steps": 4})), split, [math.nan, 5.0])
    assert story(session.events()).startswith("v0 s0 u2 s3 u4 v4!")


class FullDisk(Session):
    """A session whose disk is full at some steps."""

    full: tuple[int, ...] = (3, 4)

    def save(self, progress: Progress) -> None:
        super().save(progress)
        if progress.step in self.full:
            raise StorageError("cannot write it: No space left on device")


def test_a_full_disk_is_tried_again_later(split: EncodedSplit) -> None:
    session = FullDisk(make_run(training_settings(limits={"max_steps": 8})), split)
    events = session.events()
    assert story(events) == "v0! s0 u2 s3? u4 v4! s4? u6 s6 u8 v8! s8 max_steps 8 reached"
    assert [event.fault for event in events if isinstance(event, Saved) and event.fault] == [
        "cannot write it: No space left on device"
    ] * 2


def test_the_last_save_must_succeed(split: EncodedSplit) -> None:
    session = FullDisk(make_run(training_settings(limits={"max_steps": 4})), split)
    with pytest.raises(StorageError, match="No space left"):
        session.events()


def test_it_trains_in_bfloat16(split: EncodedSplit) -> None:
    settings = training_settings(precision="bfloat16", limits={"max_steps": 12}, log_every=6)
    first, last = (e for e in Session(make_run(settings), split).events() if isinstance(e, Update))
    assert last.loss < first.loss


def test_the_batch_is_moved_to_the_run_s_device() -> None:
    batch = make_batch([ids(4)], [ids(5)])
    assert isinstance(batch.to(CPU), Batch)
    assert batch.to(torch.device("meta")).source.device.type == "meta"


def test_a_skipped_update_leaves_running_statistics_as_they_are(split: EncodedSplit) -> None:
    run = make_run(training_settings(limits={"max_steps": 4}))
    statistic = torch.zeros(1)
    run.statistics = [statistic]
    run.model.encoder.register_forward_hook(lambda *given: (statistic.add_(1), None)[1])
    poison(run, range(2, 4))
    batches, seen = TrainingBatches(split, run.settings), {}

    def stop() -> int:
        seen[run.progress.step] = float(statistic)
        return 0

    list(train(run, batches, lambda: {"loss": 1.0}, lambda progress: None, stop))
    assert seen == {0: 0, 1: 1, 2: 1, 3: 1, 4: 2}
