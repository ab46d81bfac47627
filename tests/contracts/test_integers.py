"""Every whole number that can be set has bounds, and what reads it stands both of them."""

import importlib
import math
import pkgutil
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from typer.testing import CliRunner

import s2scli
from s2scli.cli.app import app
from s2scli.data.encoded import EncodedSplit
from s2scli.data.settings import PrepareSettings
from s2scli.data.stream import StreamSettings
from s2scli.pipeline.space import Parameter
from s2scli.search.settings import SearchSettings
from s2scli.settings import Settings, flag_of
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.training.annealing import AnnealingSettings
from s2scli.training.events import Finished
from s2scli.training.settings import LimitSettings, ScheduleSettings, TrainingSettings
from tests.cli.inspecting import model_of
from tests.training.runs import Session, make_run, training_settings, write_split

for module in pkgutil.walk_packages(s2scli.__path__, "s2scli."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)


def groups(parent: type[Settings] = Settings) -> Iterator[type[Settings]]:
    for group in parent.__subclasses__():
        if group.__module__.startswith("s2scli."):
            yield group
            yield from groups(group)


def holds_integers(annotation: Any) -> bool:
    return annotation is int or any(map(holds_integers, typing.get_args(annotation)))


def bounds(field: FieldInfo) -> tuple[int | None, int | None]:
    """Return the smallest and the largest allowed value, None where there is no bound."""
    found = {
        name: getattr(mark, name)
        for mark in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(mark, name, None) is not None
    }
    low = found["gt"] + 1 if "gt" in found else found.get("ge")
    high = found["lt"] - 1 if "lt" in found else found.get("le")
    return low, high


def integers(*chosen: type[Settings]) -> list[Any]:
    """Return each integer setting of some groups, or of all, as a test parameter."""
    return [
        pytest.param(group, name, id=f"{group.__name__}.{name}")
        for group in sorted(set(groups()), key=lambda group: (group.__module__, group.__name__))
        if not chosen or group in chosen
        for name, field in group.model_fields.items()
        if group is not Parameter  # its values are those of recipe settings, which have bounds
        if holds_integers(field.annotation)
    ]


def ends(group: type[Settings], name: str) -> tuple[int, int]:
    low, high = bounds(group.model_fields[name])
    assert low is not None and high is not None
    return low, high


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return write_split(tmp_path_factory.mktemp("split"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_of(tmp_path_factory.mktemp("integers") / "model", "dot")


@pytest.mark.parametrize(("group", "name"), integers())
def test_it_has_a_lower_and_an_upper_bound_that_64_bits_hold(
    group: type[Settings], name: str
) -> None:
    low, high = ends(group, name)
    assert -(2**63) <= low < high < 2**63
    field = group.model_fields[name]
    whole: Any = TypeAdapter(cast(Any, Annotated)[(field.annotation, *field.metadata)])
    accepts = whole.validate_python
    assert (accepts(low), accepts(high)) == (low, high)
    for beyond in (low - 1, high + 1, 10**20, -(10**20), 10**5000):
        with pytest.raises(ValidationError):
            accepts(beyond)


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize(("group", "name"), integers(TrainingSettings, LimitSettings))
def test_training_stands_it(
    split: EncodedSplit, group: type[Settings], name: str, end: int
) -> None:
    value = ends(group, name)[end]
    limits = {"max_steps": 3} | ({name: value} if group is LimitSettings else {})
    limits["max_steps"] = min(3, limits["max_steps"])
    changes = {name: value} if group is TrainingSettings else {}
    if name == "max_length":
        changes[name] = max(6, value)  # a shorter one leaves out every pair of the split
    *_, last = Session(make_run(training_settings(limits=limits, **changes)), split).events()
    assert isinstance(last, Finished)


@pytest.mark.parametrize("end", [0, 1])
def test_training_stands_noise(split: EncodedSplit, end: int) -> None:
    noise = {"permute": ends(type(TrainingSettings().noise), "permute")[end]}
    settings = training_settings(limits={"max_steps": 3}, noise=noise)
    *_, last = Session(make_run(settings), split).events()
    assert isinstance(last, Finished)


def members(union: Any) -> tuple[type[Settings], ...]:
    return typing.get_args(typing.get_args(union)[0])


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize(
    ("group", "name"), integers(*members(ScheduleSettings), *members(AnnealingSettings))
)
def test_schedules_stand_it(group: type[Settings], name: str, end: int) -> None:
    settings: Any = group.model_validate({name: ends(group, name)[end]})
    reads = settings.factor if hasattr(settings, "factor") else settings.weight
    for step in (1, 2, 1000, 10**12):
        assert math.isfinite(reads(step)) and 0 <= reads(step) <= 1


def without_bug(*words: str, lines: str = "a dog runs\n") -> None:
    result = CliRunner().invoke(app, [*words], input=lines)
    assert result.exit_code in (0, 2, 65, 78), (words, result.stderr, result.exception)
    assert "bug" not in result.stderr


@pytest.mark.timeout(60)
@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize(("group", "name"), integers(SearchSettings, StreamSettings))
def test_translate_stands_it(model: Path, group: type[Settings], name: str, end: int) -> None:
    value = str(ends(group, name)[end])
    together = {"n_best": ("--beam-size", value), "top_k": ("--sample",), "seed": ("--sample",)}
    words = (flag_of(name).replace("n-best", "nbest"), value, *together.get(name, ()))
    endless = name == "min_length" and end  # it would search for a million tokens, as it should
    without_bug("translate", "-m", str(model), *words, lines="\n" if endless else "a dog runs\n")


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize(("group", "name"), integers(PrepareSettings, TokenizerSettings))
def test_a_corpus_stands_it(tmp_path: Path, group: type[Settings], name: str, end: int) -> None:
    corpus, workspace = tmp_path / "corpus.tsv", str(tmp_path / "workspace")
    corpus.write_text("".join(f"source {n}\ttarget {n}\n" for n in range(40)))
    given = (flag_of(name), str(ends(group, name)[end]))
    without_bug(
        "prepare", str(corpus), "-w", workspace, *(given if group is PrepareSettings else ())
    )
    if group is TokenizerSettings:
        without_bug("train-tokenizer", "-w", workspace, *given)


@pytest.mark.parametrize("value", ["99999999999999999999", "-1", str(2**63), "9" * 5000])
def test_a_seed_beyond_the_bounds_is_one_line(value: str) -> None:
    result = CliRunner().invoke(
        app, ["inspect", "recipe", "tiny", "--set", f"training.seed={value}"]
    )
    assert result.exit_code == 78
    assert "training.seed: " in result.stderr
    assert result.stderr.count("\n") == 1
