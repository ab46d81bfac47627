"""Averages of weights against plain sums."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from s2scli.data.encoded import EncodedSplit
from s2scli.errors import CheckpointError
from s2scli.model.weights import model_weights
from s2scli.training.averaging import Mean, MovingAverage, decay_at, wearing
from s2scli.training.epochs import TrainingBatches
from s2scli.training.loop import Run, train
from tests.training.runs import make_run, training_settings, write_split


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return write_split(tmp_path_factory.mktemp("split"))


def set_to(model: nn.Module, value: float) -> None:
    for weight in model.parameters():
        nn.init.constant_(weight, value)


def values(weights: Mapping[str, Tensor]) -> set[float]:
    """Return the different numbers in some weights."""
    numbers = torch.cat([weight.detach().flatten() for weight in weights.values()])
    return {round(number, 5) for number in numbers.tolist()}


def test_the_decay_warms_up() -> None:
    assert [decay_at(0.9, step) for step in (1, 2, 8, 80, 81, 10**6)] == pytest.approx(
        [2 / 11, 3 / 12, 9 / 18, 81 / 90, 0.9, 0.9]
    )
    assert decay_at(0.1, 1) == 0.1


@pytest.mark.parametrize("decay", [0.1, 0.5, 0.999])
def test_a_moving_average_is_its_recurrence(decay: float) -> None:
    """a_1 = w_1, a_n = d_n a_{n-1} + (1 - d_n) w_n; update 4 was skipped and counts for nothing."""
    model = nn.Linear(3, 2)
    average = MovingAverage(model, decay)
    assert average.weights == {}
    expected = 0.0
    for step, weight in ((1, 5.0), (2, -1.0), (3, 2.0), (5, 7.0), (6, 7.5)):
        set_to(model, weight)
        average.follow(step)
        now = min(decay, (1 + step) / (10 + step))
        expected = weight if step == 1 else now * expected + (1 - now) * weight
        assert values(average.weights) == {round(expected, 5)}
        assert values(model_weights(model)) == {weight}, "the model keeps its own"


def test_no_decay_is_no_average() -> None:
    average = MovingAverage(nn.Linear(3, 2), 0.0)
    average.follow(1)
    assert average.weights == {}


def test_an_average_goes_on_where_it_was_and_shares_no_memory() -> None:
    model = nn.Linear(3, 2)
    average, again = MovingAverage(model, 0.9), MovingAverage(model, 0.9)
    average.follow(1)
    saved = {name: weight.clone() for name, weight in average.weights.items()}
    again.load(saved, "here")
    set_to(model, 2.0)
    average.follow(2)
    again.follow(2)
    for name, weight in average.weights.items():
        assert torch.equal(weight, again.weights[name])
        assert not torch.equal(weight, saved[name])
    again.load({}, "a checkpoint of before the first update")
    assert not again.weights, "as before the first update"


def test_an_average_of_another_model_is_refused() -> None:
    average = MovingAverage(nn.Linear(3, 2), 0.9)
    with pytest.raises(CheckpointError, match=r"here: weight is torch.float32 \(2, 4\), expected"):
        average.load(model_weights(nn.Linear(4, 2)), "here")


def test_a_model_gets_its_own_weights_back_to_the_bit() -> None:
    model = nn.Linear(3, 2)
    own = {name: weight.detach().clone() for name, weight in model_weights(model).items()}
    with pytest.raises(KeyError), wearing(model, {name: w + 1 for name, w in own.items()}):
        assert torch.equal(model.bias, own["bias"] + 1)
        raise KeyError
    with wearing(model, {}):
        assert torch.equal(model.bias, own["bias"])
    assert all(torch.equal(weight, own[name]) for name, weight in model_weights(model).items())


def test_tied_weights_are_worn_once() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    with wearing(model, {name: torch.full_like(w, 3.0) for name, w in model.named_parameters()}):
        assert values(model_weights(model)) == {3.0}


def test_the_mean_of_weights_is_their_mean() -> None:
    several = [
        {"a": torch.full((2,), value), "b": torch.tensor(value)} for value in (1.0, 2.0, 6.0)
    ]
    mean = Mean()
    for weights in several:
        mean.add(weights)
    assert mean.weights.keys() == {"a", "b"} and values(mean.weights) == {3.0}
    assert mean.weights["a"].dtype == torch.float32
    assert [float(weights["b"]) for weights in several] == [1.0, 2.0, 6.0]


def judged_by_validation(run: Run, split: EncodedSplit) -> list[dict[str, Tensor]]:
    """Train to the end; return the weights at each validation, which are those to be published."""
    judged = []

    def validate() -> Mapping[str, float]:
        weights = model_weights(run.model)
        assert all(torch.equal(weights[name], weight) for name, weight in run.judged.items())
        judged.append({name: weight.detach().clone() for name, weight in weights.items()})
        return {"loss": 1.0}

    batches = TrainingBatches(split, run.settings)
    list(train(run, batches, validate, lambda progress: None, lambda: 0))
    return judged


def test_validation_and_what_is_published_are_averaged_and_training_is_not(
    split: EncodedSplit,
) -> None:
    """The weights that are validated are the average; those that learn are those of no average."""
    limits = {"max_steps": 8}
    plain = make_run(training_settings(limits=limits))
    averaged = make_run(training_settings(limits=limits, ema_decay=0.9))
    seen = [judged_by_validation(run, split) for run in (plain, averaged)]
    (first, *later), (same, *others) = seen
    name = "output.weight"
    assert torch.equal(first[name], same[name]), "before the first update there is no average"
    assert not any(torch.equal(a[name], b[name]) for a, b in zip(later, others, strict=True))
    for name, weight in model_weights(plain.model).items():
        assert torch.equal(weight, model_weights(averaged.model)[name])
