"""`s2s inspect recipe`: the recipes there are, what one resolves to, every setting explained."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from s2scli.cli.options import DebugOption, JsonOption, QuietOption, VerboseOption
from s2scli.errors import UsageError
from s2scli.report.console import Talk, visible
from s2scli.settings import list_settings

if TYPE_CHECKING:
    from s2scli.config import Recipe
    from s2scli.pipeline.inspect import ResolvedSetting


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A built-in recipe, or a .toml file. [default: list them]", show_default=False
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.KEY=VALUE", help="Change a setting first.", show_default=False
        ),
    ] = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="Explain every setting that a recipe may hold.")
    ] = False,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print the recipe as TOML, to begin one of your own.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    debug: DebugOption = False,
) -> None:
    """List the recipes, or show what one resolves to.

    s2s inspect recipe bahdanau2015 --toml > mine.toml
    """
    from s2scli.config import load_recipe, recipe_toml
    from s2scli.pipeline.inspect import list_recipes, resolve_settings

    talk = Talk(quiet=quiet, verbose=verbose)
    if name is None:
        if toml or assignments:
            raise UsageError("--toml and --set change one recipe: s2s inspect recipe NAME --toml")
        _show_recipes(list_recipes(), settings, json, talk)
        return
    recipe = load_recipe(name, assignments or [])
    if toml:
        sys.stdout.write(recipe_toml(recipe))
    elif json:
        talk.show_json(recipe.model_dump(mode="json"))
    else:
        _show_recipe(recipe, resolve_settings(recipe), talk)
        if settings:
            _show_settings(talk)


def _show_recipes(recipes: "list[Recipe]", settings: bool, json: bool, talk: Talk) -> None:
    """Show the list of recipes or, if asked for, every setting that there is."""
    from s2scli.report.tables import make_table

    if json:
        talk.show_json(_settings_document() if settings else _recipes_document(recipes))
    elif settings:
        _show_settings(talk)
    else:
        rows = [(recipe.name, recipe.paper, recipe.description) for recipe in recipes]
        talk.show(make_table(("recipe", "paper", "what it is"), rows))
        talk.say("next: s2s inspect recipe NAME, or s2s train --recipe NAME")


def _show_recipe(recipe: "Recipe", resolved: "list[ResolvedSetting]", talk: Talk) -> None:
    from s2scli.report.tables import make_table

    rows = [
        (one.path, one.text, "" if one.text == one.row.default else one.row.default, one.row.unit)
        for one in resolved
        if one.path not in ("name", "paper", "description")
    ]
    for line in (recipe.name, recipe.paper, recipe.description, ""):
        talk.show(Text(visible(line)))
    talk.show(make_table(("setting", "value", "default", "unit"), rows))
    talk.say("every setting explained: --settings; as a file to change: --toml")


def _show_settings(talk: Talk) -> None:
    from s2scli.config import Recipe
    from s2scli.report.tables import make_table

    rows = [(row.path, row.type, row.default, row.unit, row.help) for row in list_settings(Recipe)]
    talk.show(make_table(("setting", "type", "default", "unit", "help"), rows))


def _recipes_document(recipes: "list[Recipe]") -> list[dict[str, str]]:
    return [
        {"name": recipe.name, "paper": recipe.paper, "description": recipe.description}
        for recipe in recipes
    ]


def _settings_document() -> list[dict[str, str]]:
    from s2scli.config import Recipe

    return [asdict(row) for row in list_settings(Recipe)]
