"""`s2s inspect model`: what a model folder says of itself."""

from typing import TYPE_CHECKING, Any

from s2scli.cli.inspect_recipe import settings_table
from s2scli.cli.options import (
    DebugOption,
    JsonOption,
    ModelOption,
    QuietOption,
    VerboseOption,
    WorkspaceOption,
)
from s2scli.report.console import Talk
from s2scli.report.tables import make_table
from s2scli.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from s2scli.pipeline.inspect import ModelFacts


def command(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    model: ModelOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    debug: DebugOption = False,
) -> None:
    """Show a model's parameters by part, what it was made from, and its whole recipe."""
    from s2scli.pipeline.inspect import inspect_model

    talk = Talk(quiet=quiet, verbose=verbose)
    facts = inspect_model(Workspace(workspace).find_model(model))
    if json:
        talk.show_json(_document(facts))
    else:
        _show(facts, talk)


def _document(facts: "ModelFacts") -> dict[str, Any]:
    return {
        "digest": facts.manifest.digest,
        "recipe": facts.recipe.model_dump(mode="json"),
        "vocab_size": facts.vocab_size,
        "training": facts.manifest.facts,
        "made_from": facts.manifest.made_from,
        "parameters": {"total": sum(facts.parts.values()), "parts": facts.parts},
        "tensors": [
            {"name": p.name, "shape": list(p.shape), "count": p.count} for p in facts.parameters
        ],
    }


def _show(facts: "ModelFacts", talk: Talk) -> None:
    talk.show(make_table(("fact", "value"), _facts(facts)))
    talk.show("")
    total = sum(facts.parts.values())
    shares = [(part, f"{n:,}", f"{n / total:.0%}") for part, n in facts.parts.items()]
    numbers = ("parameters", "share")
    talk.show(
        make_table(("part", *numbers), [*shares, ("total", f"{total:,}", "")], numbers=numbers)
    )
    talk.show("")
    tensors = [(p.name, " × ".join(map(str, p.shape)), f"{p.count:,}") for p in facts.parameters]
    numbers = ("shape", "parameters")
    talk.show(make_table(("tensor", "shape", "parameters"), tensors, numbers=numbers))
    talk.show("")
    talk.show(settings_table(facts.recipe))


def _facts(facts: "ModelFacts") -> list[tuple[str, str]]:
    """Return what is worth a line each: the recipe, the vocabulary, everything recorded."""
    recipe = facts.recipe
    named = {"recipe": recipe.name, "paper": recipe.paper, "description": recipe.description}
    vocab = [(f"{side} vocabulary", f"{n:,}") for side, n in facts.vocab_size.items()]
    recorded = [(key, _value(value)) for key, value in facts.manifest.facts.items()]
    return [*named.items(), *vocab, *recorded, ("digest", facts.manifest.digest[:16])]


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(item)}" for key, item in value.items())
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
