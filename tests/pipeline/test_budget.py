"""A recipe fitted to a training time: durations, sizes, batches, and a schedule that ends in it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s2scli.config import Recipe, change_recipe, load_recipe, named_size
from s2scli.errors import ConfigError, UsageError
from s2scli.model.sizes import MODEL_SIZES
from s2scli.pipeline import budget
from s2scli.pipeline.budget import (
    MAX_EPOCHS,
    MIN_BATCH_TOKENS,
    VALIDATION_SHARE,
    VALIDATIONS,
    Speed,
    _say,
    choose_batch,
    choose_size,
    fitted_changes,
    minutes_of,
    plan_updates,
)
from s2scli.pipeline.train import TrainReport, TrainRequest, train
from s2scli.report.console import Talk
from s2scli.training.metrics_log import MetricsLog
from s2scli.training.schedule import CosineSettings
from s2scli.workspace import Workspace
from tests.toy import prepare_toy

pytestmark = pytest.mark.usefixtures("quick_fsync")
QUIET = Talk(quiet=True)
LARGE = load_recipe("lstm-attention", ["model.size=base"])


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("20m", 20), ("1h30m", 90), ("90s", 1.5), ("1.5h", 90), (" 1h1m30s ", 61.5)],
)
def test_a_duration(text: str, minutes: float) -> None:
    assert minutes_of(text) == minutes


@pytest.mark.parametrize("text", ["", "20", "m", "0m", "-5m", "20 minutes", "20m1h", "1e3m"])
def test_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="such as 20m, 1h30m or 90s"):
        minutes_of(text)


def speed_of(recipe: Recipe, seconds: dict[str, float]) -> Speed:
    """A speed that depends on the size, and on the size of the batch."""
    update = seconds[named_size(recipe) or ""]
    return Speed(recipe, 1000, update, 100, recipe.training.batch_tokens)


@pytest.mark.parametrize(
    ("tiny", "small", "base", "chosen"),
    [
        (1, 2, 3.3, "base"),  # 1000 seconds: 3 epochs of base
        (1, 2, 3.4, "small"),
        (1, 4, 6, "tiny"),
        (9, 9, 9, "tiny"),  # no size has enough epochs
    ],
)
def test_the_largest_size_that_sees_each_pair_often_enough(
    tiny: float, small: float, base: float, chosen: str
) -> None:
    seconds = {"tiny": tiny, "small": small, "base": base}

    def measure(recipe: Recipe) -> Speed:
        return speed_of(recipe, seconds)

    found = choose_size(measure(LARGE), 1000, measure)
    assert named_size(found.recipe) == chosen
    own = measure(load_recipe("lstm-attention", ["model.size=tiny"]))
    assert choose_size(own, 1000, measure) is own  # never larger


def test_a_model_without_a_named_size_keeps_its_own() -> None:
    speed = speed_of(load_recipe("tiny"), {"": 1e9})
    assert named_size(speed.recipe) is None
    assert choose_size(speed, 1, lambda recipe: pytest.fail()) is speed


def test_batches_are_halved_until_there_are_enough_updates() -> None:
    def measure(recipe: Recipe) -> Speed:
        tokens = recipe.training.batch_tokens
        return Speed(recipe, 1000, tokens / 1000, 100, tokens)

    own = measure(load_recipe("vaswani2017"))  # 4096 tokens
    assert choose_batch(own, 7500, measure) is own
    assert choose_batch(own, 3750, measure).batch_tokens == 2048
    assert choose_batch(own, 1, measure).batch_tokens == MIN_BATCH_TOKENS


@pytest.mark.parametrize("validation", [0.0, 1.0, 10.0, 30.0])
def test_updates_and_validations_fill_the_time(validation: float) -> None:
    speed = replace(speed_of(LARGE, {"base": 0.5}), validation_seconds=validation)
    fit = plan_updates(speed, 1000)
    validations = -(-fit.updates // fit.validate_every)
    spent = fit.updates * 0.5 + (1 + validations) * validation
    assert 1000 - 0.5 - validation <= spent <= 1000
    assert validations <= VALIDATIONS
    assert validations == 1 or validations * validation <= VALIDATION_SHARE * 1000
    assert 0 < fit.warmup_steps <= fit.updates / 4


def test_a_long_time_is_not_used_up() -> None:
    speed = speed_of(LARGE, {"base": 0.5})
    assert plan_updates(speed, 1e6).updates == MAX_EPOCHS * 100
    with pytest.raises(ConfigError, match=r"an update takes 0\.5 seconds"):
        plan_updates(speed, 0.4)


def test_the_schedule_ends_with_the_recipe_s_last_epoch() -> None:
    recipe = change_recipe(
        LARGE.model_dump(mode="json"), ["training.limits.max_epochs=3"], "a test"
    )
    speed = speed_of(recipe, {"base": 0.5})
    assert plan_updates(speed, 1e6).updates == 3 * speed.updates_per_epoch
    assert plan_updates(speed, 100).updates <= 200


@pytest.mark.parametrize(("most", "says"), [(3, False), (100, True)])
def test_it_says_why_the_time_is_not_used_up(
    most: int, says: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = [f"training.limits.max_epochs={most}"]
    recipe = change_recipe(LARGE.model_dump(mode="json"), limit, "a test")
    speed = speed_of(recipe, {"base": 0.5})
    _say(speed, plan_updates(speed, 1e6), recipe, 1e6, Talk())
    said = " ".join(capsys.readouterr().err.split())
    assert ("more than 60 epochs rarely help" in said) == says


def test_what_the_budget_sets_is_refused_before_a_tokenizer_is_trained(tmp_path: Path) -> None:
    workspace = prepare_toy(tmp_path / "w")
    with pytest.raises(UsageError, match=r"leave out --set training\.limits\.max_steps"):
        trained(workspace, 5, "training.limits.max_steps=3")
    assert not workspace.tokenizer.exists()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return prepare_toy(tmp_path_factory.mktemp("budget") / "workspace", 300)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure a few updates, and plan a few."""
    brief = {"MAX_UPDATES": 1, "VALIDATIONS": 2, "ENOUGH_UPDATES": 1, "MAX_EPOCHS": 0.2}
    for name, value in brief.items():
        monkeypatch.setattr(budget, name, value)


def trained(workspace: Workspace, minutes: float, *changes: str, **options: Any) -> TrainReport:
    request = TrainRequest("tiny", changes, device="cpu", budget=minutes, **options)
    return train(workspace, request, QUIET)


@pytest.mark.usefixtures("brief")
def test_a_run_ends_with_its_schedule_and_resumes_with_its_choice(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared.of_run("whole")
    changes = ("training.log_every=1",)
    report = trained(run, 5, *changes)
    recipe = load_recipe(str(run.model / "recipe.toml"))
    schedule, limits = recipe.training.schedule, recipe.training.limits
    assert isinstance(schedule, CosineSettings)
    assert report.step == schedule.total_steps == limits.max_steps and schedule.in_time
    assert (limits.max_minutes, limits.patience, report.limit) == (5, 0, "max_steps")
    updates = [
        record["learning_rate"]
        for record in MetricsLog(run.training / "metrics.jsonl").read()
        if record["kind"] == "update"
    ]
    assert updates[-1] == 0 < min(updates[:-1])
    assert max(updates) == recipe.training.optimizer.learning_rate
    monkeypatch.setattr(budget, "measure_speed", lambda *others: pytest.fail("measured again"))
    assert trained(run, 5, *changes).step == report.step
    assert train(run, TrainRequest(device="cpu"), QUIET).step == report.step
    with pytest.raises(ConfigError, match="was not started with this --budget"):
        trained(run, 6, *changes)
    with pytest.raises(ConfigError, match=r"training.seed: 1 -> 2"):
        trained(run, 5, *changes, "training.seed=2")


@pytest.mark.parametrize("in_time", [True, False])
def test_the_choice_for_a_run_of_any_version_is_found_again(in_time: bool) -> None:
    fit = [
        *("training.limits.max_minutes=5.0", "training.limits.max_steps=90"),
        *("training.limits.patience=0", "training.validate_every=30"),
        f"training.schedule={{kind='cosine', total_steps=90, in_time={str(in_time).lower()}}}",
    ]
    own = change_recipe(LARGE.model_dump(mode="json"), fit, "test")
    found = fitted_changes(own, 5, ())
    assert change_recipe(LARGE.model_dump(mode="json"), found, "test").training == own.training


@pytest.mark.parametrize("kind", ["constant", "inverse_sqrt"])
def test_a_run_with_a_limit_of_time_alone_had_no_budget(kind: str) -> None:
    limits = ["training.limits.max_minutes=30", f"training.schedule.kind={kind}"]
    own = change_recipe(LARGE.model_dump(mode="json"), limits, "test")
    assert own.training.limits.max_steps is None
    with pytest.raises(ConfigError, match="was not started with this --budget"):
        fitted_changes(own, 30, ())


@pytest.mark.usefixtures("brief")
def test_settings_of_the_user_are_kept(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared.of_run("kept")
    changes = ("training.validate_every=7", "training.batch_tokens=200")
    trained(run, 5, *changes)
    training = load_recipe(str(run.model / "recipe.toml")).training
    assert (training.validate_every, training.batch_tokens) == (7, 200)
    trained(run, 5, *changes)
    with pytest.raises(ConfigError, match="validate_every: 7 -> 8"):
        trained(run, 5, "training.validate_every=8", changes[1])
    for name, change in (("schedule", "kind=constant"), ("limits", "max_steps=3")):
        for workspace in (prepared.of_run("none"), run):
            with pytest.raises(UsageError, match=rf"leave out --set training\.{name}\.[km]"):
                trained(workspace, 5, f"training.{name}.{change}")
    report = trained(prepared.of_run("sampled"), 5, "training.scheduled_sampling.kind=linear")
    assert report.step


@pytest.mark.usefixtures("brief")
def test_a_slow_model_is_made_smaller(prepared: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str | None] = []
    real: Callable[..., Speed] = budget.measure_speed

    def slow(session: Any, longest: float) -> Speed:
        found = replace(real(session, 0), updates_per_epoch=100, update_seconds=1000.0)
        measured.append(named_size(found.recipe))
        return replace(found, update_seconds=0.001) if measured[-1] == "tiny" else found

    monkeypatch.setattr(budget, "measure_speed", slow)
    run, request = prepared.of_run("slow"), TrainRequest("elman", device="cpu", budget=1.0)
    train(run, request, QUIET)
    assert measured == ["small", "tiny"] == [*MODEL_SIZES][1::-1]
    assert named_size(load_recipe(str(run.model / "recipe.toml"))) == "tiny"
    train(run, request, QUIET)
    assert len(measured) == 2  # resumed


def test_measuring_writes_nothing(prepared: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--budget: 0:00 are left for training"):
        trained(prepared.of_run("nothing"), 1e-6)
    assert not list((prepared.of_run("nothing").home).glob("[!.]*/*"))
