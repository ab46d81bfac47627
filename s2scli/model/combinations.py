"""List which encoders, decoders, attentions and connections can be combined in one model.

Each combination is tested by building a small model on the meta device.
"""

import itertools
import typing
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch

from s2scli.errors import ConfigError
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.settings import ModelSettings
from s2scli.settings import Settings, Tree, load_settings

PARTS = ("encoder", "decoder", "attention", "connection")
CHOICES = ("kind", "attend", "input_feeding", "every_step")  # the settings that are varied
SIZES: Tree = {  # the settings that are fixed, so that widths always match
    "model_dim": 8,
    "num_layers": 1,
    "num_heads": 2,
    "ffn_dim": 8,
    "attention_dim": 8,
    "latent_dim": 8,
    "bidirectional": False,
}
VOCAB_SIZE = 8


@dataclass(frozen=True)
class Combination:
    """One encoder, decoder, attention and connection, with their options.

    Attributes:
        tree: the settings of a small model with these parts.
    """

    tree: Tree

    @property
    def choices(self) -> dict[str, str | bool]:
        """The values of the settings in `CHOICES`, by path, such as "decoder.attend"."""
        return {
            f"{part}.{name}": self.tree[part][name]
            for part in PARTS
            for name in CHOICES
            if name in self.tree[part]
        }

    @cached_property
    def fault(self) -> str:
        """The error from building the model; empty if it can be built."""
        try:
            with torch.device("meta"):
                settings = load_settings(ModelSettings, self.tree, "combination")
                Seq2Seq(settings, VOCAB_SIZE, VOCAB_SIZE, joint=True)
        except ConfigError as error:
            return str(error)
        return ""


@dataclass(frozen=True)
class Refusal:
    """The combinations that fail with the same error.

    Attributes:
        fault: the error message.
        count: the number of these combinations.
        choices: the values of each setting in these combinations; a setting is left out if all
            its values occur.
    """

    fault: str
    count: int
    choices: dict[str, list[str | bool]]


@dataclass(frozen=True)
class Matrix:
    """All combinations, divided into those that can be built and those that cannot.

    Attributes:
        possible: the combinations that can be built.
        refused: the combinations that raise an error.
    """

    possible: tuple[Combination, ...]
    refused: tuple[Combination, ...]

    @property
    def total(self) -> int:
        """The number of combinations."""
        return len(self.possible) + len(self.refused)

    @property
    def choices(self) -> dict[str, list[str | bool]]:
        """All values of each varied setting, by path."""
        return values_of((*self.possible, *self.refused))

    @property
    def refusals(self) -> list[Refusal]:
        """The refused combinations grouped by error, the most frequent error first."""
        every = self.choices
        by_fault: dict[str, list[Combination]] = {}
        for combination in self.refused:
            by_fault.setdefault(combination.fault, []).append(combination)
        found = []
        for fault, refused in by_fault.items():
            values = values_of(refused)
            some = {path: those for path, those in values.items() if len(those) < len(every[path])}
            found.append(Refusal(fault, len(refused), some))
        return sorted(found, key=lambda refusal: -refusal.count)

    def count(self, encoder: str, decoder: str) -> int:
        """Return the number of possible combinations with this encoder and decoder kind."""
        wanted = {"encoder.kind": encoder, "decoder.kind": decoder}
        return sum(wanted.items() <= each.choices.items() for each in self.possible)

    @property
    def document(self) -> dict[str, Any]:
        """The matrix as JSON."""
        return {
            "count": len(self.possible),
            "total": self.total,
            "choices": self.choices,
            "combinations": [combination.choices for combination in self.possible],
            "refusals": [asdict(refusal) for refusal in self.refusals],
        }


def make_matrix() -> Matrix:
    """Build every combination, in the order of the unions in `ModelSettings`."""
    found: dict[bool, list[Combination]] = {False: [], True: []}
    for combination in every_combination():
        found[bool(combination.fault)].append(combination)
    return Matrix(tuple(found[False]), tuple(found[True]))


def every_combination() -> Iterator[Combination]:
    """Yield every combination, in the order of the unions in `ModelSettings`."""
    for trees in itertools.product(*map(_choices_of, PARTS)):
        yield Combination(dict(zip(PARTS, trees, strict=True)))


def values_of(combinations: Sequence[Combination]) -> dict[str, list[str | bool]]:
    """Return the values that occur in the given combinations, by the path of the setting."""
    values: dict[str, list[str | bool]] = {}
    for combination in combinations:
        for path, value in combination.choices.items():
            found = values.setdefault(path, [])
            if value not in found:
                found.append(value)
    return values


def _choices_of(part: str) -> Iterator[Tree]:
    """Yield settings for one part: each kind in its union, with each value of its choices."""
    for group in typing.get_args(ModelSettings.model_fields[part].annotation):
        names = [name for name in CHOICES if name in group.model_fields]
        sizes = {name: size for name, size in SIZES.items() if name in group.model_fields}
        for values in itertools.product(*(_values_of(group, name) for name in names)):
            yield {**dict(zip(names, values, strict=True)), **sizes}


def _values_of(group: type[Settings], name: str) -> tuple[str | bool, ...]:
    annotation = group.model_fields[name].annotation
    return (False, True) if annotation is bool else typing.get_args(annotation)
