"""`s2s inspect recipe`: list the recipes, show the settings of one, explain every setting."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from s2scli.cli.completion import complete_recipe
from s2scli.cli.everyday import RECIPES, BothSides, check, refuse_twice
from s2scli.cli.flags import flags
from s2scli.cli.options import Common, JsonOption, OptionalWorkspace, SetOption, TalkOptions
from s2scli.errors import ConfigError, UsageError
from s2scli.report.console import Talk, visible, write_stdout
from s2scli.report.tables import make_table
from s2scli.settings import SettingRow, Tree, flag_of
from s2scli.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from s2scli.config import Recipe
    from s2scli.pipeline.inspect_recipe import Footprint

NAMES = ("name", "paper", "description")


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            autocompletion=complete_recipe,
            help="A built-in recipe, or a .toml file. [default: the recipe of the model in -w; "
            "without -w, list all]",
        ),
    ] = None,
    assignments: SetOption = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="Explain every setting, of NAME or of all recipes.")
    ] = False,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print the recipe as TOML, to edit and use as your own.")
    ] = False,
    combinations: Annotated[
        bool, typer.Option("--combinations", help="List which parts can be combined into a model.")
    ] = False,
    workspace: OptionalWorkspace = None,
    json: JsonOption = False,
    *,
    both: Annotated[Tree, flags(BothSides, only=("size",), load=False, default=RECIPES)],
    talk: TalkOptions,
) -> None:
    """List the recipes, or show the non-default settings of one; -v shows all its settings.

    s2s inspect recipe bahdanau2015 --toml > mine.toml
    """
    from s2scli.config import load_recipe
    from s2scli.pipeline.inspect_recipe import list_recipes

    common = Common(Workspace(workspace or DEFAULT_WORKSPACE), json, talk)
    sizes = {flag_of(name): [f"model.{name}={value}"] for name, value in both.items()}
    check(sizes)
    refuse_twice(sizes, assignments or ())
    changes = [*chain.from_iterable(sizes.values()), *(assignments or ())]
    if combinations:
        if name or changes or settings or toml:
            raise UsageError("--combinations takes no recipe and no other option")
        _show_combinations(common)
        return
    for flag, given in (("--json", json), ("--settings", settings)):
        if toml and given:
            raise UsageError(f"--toml prints a recipe as TOML: leave {flag} out")
    known = name or (workspace and _recipe_file(common.workspace))
    if known:
        _show_one(load_recipe(str(known), changes), settings, toml, common)
    elif toml or changes:
        raise UsageError("--toml, --size and --set need a recipe: s2s inspect recipe NAME --toml")
    elif settings:
        _show_every_setting(common)
    else:
        _show_recipes(list_recipes(), common)


def _recipe_file(workspace: Workspace) -> Path | None:
    """Return the recipe of the workspace's model; None if there is no model."""
    from s2scli.translation.model_folder import RECIPE

    path = workspace.model / RECIPE
    return path if path.exists() else None


def _show_one(recipe: "Recipe", settings: bool, toml: bool, common: Common) -> None:
    from s2scli.config import recipe_toml
    from s2scli.export.targets import say_exports
    from s2scli.pipeline.inspect_recipe import resolve_settings

    if toml:
        write_stdout(recipe_toml(recipe))
        return
    footprint = _find_footprint(recipe)
    facts = (say_exports(recipe.model), _say_footprint(footprint))
    lines = (recipe.name, recipe.description, recipe.paper, *facts, "")
    about = [Text(visible(line), "bold" if line == recipe.name else "") for line in lines]
    resolved = [(one.path, one.text, one.row) for one in resolve_settings(recipe)]
    explained = _explain([row for row in resolved if row[0] not in NAMES])
    common.show(
        _document(recipe, footprint),
        *about,
        *(explained if settings else [settings_table(recipe, common.talk)]),
    )
    if not settings:
        hints = ["--settings explains every setting", "--toml prints a file to edit"]
        if not (common.json or common.talk.verbose):
            hints.insert(0, "settings at their defaults are not shown; -v shows all")
        common.talk.say("; ".join(hints))


def _find_footprint(recipe: "Recipe") -> "Footprint | ConfigError":
    """Return the size of the model and the memory of its training, or why it cannot be built."""
    from s2scli.pipeline.inspect_recipe import estimate_footprint

    try:
        return estimate_footprint(recipe)
    except ConfigError as error:
        return error


def _say_footprint(found: "Footprint | ConfigError") -> str:
    if isinstance(found, ConfigError):
        return f"no model can be built: {found}"
    return (
        f"{found.parameters:,} parameters with a joint vocabulary of {found.vocab_size:,}; "
        f"training keeps about {found.bytes / 1e6:,.0f} MB of weights, gradients and optimizer "
        "state (estimate; batches need more)"
    )


def _document(recipe: "Recipe", found: "Footprint | ConfigError") -> dict[str, Any]:
    """Return the recipe, with the size estimate or the reason why there is none."""
    estimate = {"error": str(found)} if isinstance(found, ConfigError) else asdict(found)
    return {**recipe.model_dump(mode="json"), "estimate": estimate}


def settings_table(recipe: "Recipe", talk: Talk) -> Table:
    """Return the settings of a recipe that differ from the defaults; with -v, all of them."""
    from s2scli.pipeline.inspect_recipe import resolve_settings

    rows = [
        (one.path, one.text, "" if one.is_default else one.default, one.row.unit)
        for one in resolve_settings(recipe)
        if one.path not in NAMES and (talk.verbose or not one.is_default)
    ]
    return make_table(("setting", "value", "default", "unit"), rows)


def _show_recipes(recipes: "list[Recipe]", common: Common) -> None:
    rows = [
        (recipe.name, Text.assemble(recipe.description, "\n", (recipe.paper, "dim")))
        for recipe in recipes
    ]
    common.show(
        [recipe.model_dump(include=set(NAMES)) for recipe in recipes],
        make_table(("recipe", "description and paper"), rows),
    )
    common.talk.say("next: s2s inspect recipe NAME, or s2s train --recipe NAME")


def _show_combinations(common: Common) -> None:
    """Show the number of valid combinations, the choices, and why others are refused."""
    from s2scli.pipeline.inspect_recipe import list_combinations

    matrix = list_combinations()
    encoders, decoders = (matrix.choices[f"{part}.kind"] for part in ("encoder", "decoder"))
    counts = [
        (str(encoder), *(f"{matrix.count(str(encoder), str(decoder)):,}" for decoder in decoders))
        for encoder in encoders
    ]
    headings = ("encoder, decoder:", *map(str, decoders))
    chosen = [(f"model.{path}", _listed(values)) for path, values in matrix.choices.items()]
    refused = [
        (f"{refusal.count:,}", Text.assemble(refusal.fault, "\n", (_where(refusal.choices), "dim")))
        for refusal in matrix.refusals
    ]
    common.show(
        matrix.document,
        f"{len(matrix.possible):,} of {matrix.total:,} combinations make a model:\n",
        make_table(headings, counts, numbers=headings[1:]),
        "",
        make_table(("setting", "choices"), chosen),
        "",
        make_table(("refused", "reason and fix; where"), refused),
    )


def _listed(values: Sequence[str | bool]) -> str:
    return ", ".join(str(value).lower() for value in values)


def _where(choices: Mapping[str, Sequence[str | bool]]) -> str:
    return "; ".join(f"{path} = {_listed(values)}" for path, values in choices.items())


def _show_every_setting(common: Common) -> None:
    from s2scli.config import list_recipe_settings

    rows = list(list_recipe_settings())
    explained = _explain([(row.path, row.default, row) for row in rows])
    common.show([asdict(row) for row in rows], *explained)


def _explain(settings: Sequence[tuple[str, str, SettingRow]]) -> Iterator[Text | Padding]:
    """Yield two lines for each (path, value, declaration): the value, and its type and help."""
    for path, value, row in settings:
        yield Text(f"{path} = {value} {row.unit}".rstrip(), "bold")
        yield Padding(Text.assemble((f"{row.type}: ", "dim"), row.help), (0, 0, 0, 4))
