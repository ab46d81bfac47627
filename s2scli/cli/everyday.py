"""The recipe settings that are changed most often, as flags of `s2s train`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from s2scli.cli.flags import Options, flags
from s2scli.errors import ConfigError, UsageError
from s2scli.settings import Settings, Tree, extra_of, flag_of, setting, toml_text
from s2scli.training.optimizer import AdamSettings
from s2scli.training.settings import TrainingSettings

RECIPES = "the recipe's"
SIDES = ("encoder", "decoder")
OF_BOTH = {"width": "model_dim", "layers": "num_layers", "dropout": "dropout"}
PROBE = "vaswani2017"  # a recipe whose encoder and decoder have every setting of OF_BOTH

Assignments = Mapping[str, Sequence[str]]


class BothSides(Settings):
    """Settings of the encoder and the decoder; OF_BOTH maps them to their names there."""

    panel = "Model"

    size: Literal["tiny", "small", "base"] = setting(
        ...,
        "Set the widths, layers and heads of the whole model; other flags and --set override it. "
        "Transformer: tiny is 4 layers, 128 units, ffn_dim 256, 4 heads; small is 3 layers, 256 "
        "units, ffn_dim 1024, 4 heads; base is 6 layers, 512 units, ffn_dim 2048, 8 heads. "
        "Recurrent: tiny is 1 layer, 256 units, embeddings of 128; small is 1 layer, 512 units, "
        "embeddings of 256; base is 2 layers, 1024 units, embeddings of 512.",
    )
    width: int = setting(..., "Width of the states of the encoder and the decoder.", ge=1, le=16384)
    layers: int = setting(..., "Number of layers of the encoder and of the decoder.", ge=1, le=64)
    dropout: float = setting(..., "Dropout of the encoder and the decoder.")


def _everyday(
    *,
    optimizer: Annotated[
        Tree, flags(AdamSettings, only=("learning_rate",), load=False, default=RECIPES)
    ],
    training: Annotated[
        Tree,
        flags(
            TrainingSettings,
            only=(
                *("seed", "batch_tokens", "accumulate", "precision"),
                *("metric", "validate_every", "log_samples"),
            ),
            load=False,
            default=RECIPES,
        ),
    ],
    both: Annotated[Tree, flags(BothSides, load=False, default=RECIPES)],
) -> Assignments:
    """Return the `section.key=value` assignments of each given flag."""
    return {
        **{
            _flag(AdamSettings, name): [_assign(f"training.optimizer.{name}", value)]
            for name, value in optimizer.items()
        },
        **{
            _flag(TrainingSettings, name): [_assign(f"training.{name}", value)]
            for name, value in training.items()
        },
        **{
            _flag(BothSides, name): [_assign(path, value) for path in _paths_of_both(name)]
            for name, value in both.items()
        },
    }


def _paths_of_both(name: str) -> list[str]:
    """Return the paths of the settings that a flag of BothSides changes."""
    if name == "size":
        return ["model.size"]
    return [f"model.{side}.{OF_BOTH[name]}" for side in SIDES]


def _flag(group: type[Settings], name: str) -> str:
    """Return the flag of a setting; the first one if it has several."""
    spellings = extra_of(group.model_fields[name]).get("flags") or [flag_of(name)]
    return str(spellings[0])


def _assign(path: str, value: object) -> str:
    return f"{path}={toml_text(value)}"


def check(given: Assignments) -> None:
    """Check the values of the flags.

    Raises:
        UsageError: a value is wrong; the message names the flag and its setting.
    """
    from s2scli.config import load_recipe

    for flag, own in given.items():
        try:
            load_recipe(PROBE, own)
        except ConfigError as error:
            fault = str(error).removeprefix(f"recipe {PROBE}: ")
            raise UsageError(f"{flag}: {fault}") from error


def refuse_twice(given: Assignments, assignments: Sequence[str]) -> None:
    """Refuse a setting that is given both by its flag and by `--set`.

    Raises:
        UsageError: a setting is given twice.
    """
    by_set = {_path(assignment): assignment for assignment in assignments}
    for flag, own in given.items():
        for path in map(_path, own):
            if path in by_set:
                raise UsageError(
                    f"{flag} and --set {by_set[path]} change the same setting; leave one of them "
                    "out"
                )


def _path(assignment: str) -> str:
    return assignment.partition("=")[0].strip()


EverydayOptions = Annotated[Assignments, Options(_everyday)]
