"""`s2s inspect model`: the parameters, the origin and the recipe of a model."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table

from s2scli.cli.inspect_recipe import settings_table
from s2scli.cli.options import CommonOptions, ModelOption
from s2scli.report.console import Talk
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_model import ModelFacts


NEEDS = {
    "audio": "files other than 16-bit WAV at this rate need the extra speech: "
    'pip install "s2scli[speech]"',
    "image": 'files need the extra vision: pip install "s2scli[vision]"',
}


def command(model: ModelOption = None, *, common: CommonOptions) -> None:
    """Show a model's parameters by part, its origin, and the non-default settings of its recipe.

    With -v, show every tensor and every setting of the recipe.
    """
    from s2scli.pipeline.inspect_model import inspect_model

    facts = inspect_model(common.workspace.find_model(model))
    common.show(_document(facts), *model_tables(facts, common.talk))
    if not (common.json or common.talk.verbose):
        common.talk.say("tensors and settings at their defaults are not shown; -v shows everything")


def _document(facts: "ModelFacts") -> dict[str, Any]:
    return {
        "digest": facts.manifest.digest,
        "recipe": facts.recipe.model_dump(mode="json"),
        "vocab_size": facts.vocab_size,
        "tags": facts.tags,
        "training": facts.manifest.facts,
        "made_from": facts.manifest.made_from,
        "parameters": {"total": sum(facts.parts.values()), "parts": facts.parts},
        "tensors": [
            {"name": p.name, "shape": list(p.shape), "count": p.count} for p in facts.parameters
        ],
    }


def model_tables(facts: "ModelFacts", talk: Talk) -> Iterator[Table | str]:
    """Yield the tables, with an empty line between them."""
    yield make_table(("fact", "value"), _facts(facts))
    yield ""
    total = sum(facts.parts.values())
    parts = [(part, f"{n:,}", f"{n / total:.0%}") for part, n in facts.parts.items()]
    headings = ("part", "parameters", "share")
    yield make_table(headings, [*parts, ("total", f"{total:,}", "")], numbers=headings[1:])
    yield ""
    if talk.verbose:
        yield _tensors(facts)
        yield ""
    yield settings_table(facts.recipe, talk)


def _tensors(facts: "ModelFacts") -> Table:
    rows = [(p.name, " × ".join(map(str, p.shape)), f"{p.count:,}") for p in facts.parameters]
    headings = ("tensor", "shape", "parameters")
    return make_table(headings, rows, numbers=headings[1:])


def _facts(facts: "ModelFacts") -> list[tuple[str, str]]:
    """Return a row for the recipe, the vocabulary, and each fact in the manifest."""
    recipe = facts.recipe
    named = {"recipe": recipe.name, "paper": recipe.paper, "description": recipe.description}
    vocab = [(f"{side} vocabulary", f"{n:,}") for side, n in facts.vocab_size.items()]
    media = [
        (name, f"{side.description}; {NEEDS[side.kind]}")
        for name, side in (("reads", facts.sides.source), ("writes", facts.sides.target))
        if side
    ]
    recorded = [(key, _value(value)) for key, value in facts.manifest.facts.items()]
    tags = [("tags (translate --tag)", ", ".join(facts.tags))] if facts.tags else []
    return [
        *named.items(),
        *media,
        *vocab,
        *tags,
        *recorded,
        ("digest", facts.manifest.digest[:16]),
    ]


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(item)}" for key, item in value.items())
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
