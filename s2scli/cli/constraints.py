"""The options that say what outputs must contain, what they must not, and what is replaced."""

from pathlib import Path
from typing import Annotated, Any

import typer

from s2scli.cli.flags import Options
from s2scli.cli.options import utf8
from s2scli.translation.demands import DemandSettings


def _option(name: str, *spelling: str, **more: Any) -> Any:
    """Return the option of a setting."""
    field = DemandSettings.model_fields[name]
    panel = more.pop("panel", DemandSettings.panel)
    return typer.Option(*spelling, help=field.description, rich_help_panel=panel, **more)


SHOWN_TAG = {"metavar": "TAG", "show_default": False}


def _demands(
    *,
    tag: Annotated[str, _option("tag", "--tag", panel="Input", **SHOWN_TAG)] = "",
    prefix: Annotated[bool, _option("prefix", "--prefix")] = False,
    glossary: Annotated[Path | None, _option("glossary", "--glossary", metavar="FILE")] = None,
    protect: Annotated[bool, _option("protect", "--protect")] = False,
    ban: Annotated[list[str] | None, _option("ban", "--ban", metavar="WORD", callback=utf8)] = None,
    ban_from: Annotated[Path | None, _option("ban_from", "--ban-from", metavar="FILE")] = None,
    replace_unknown: Annotated[
        bool, _option("replace_unknown", "--replace-unknown", panel="Output")
    ] = False,
    dictionary: Annotated[
        Path | None, _option("dictionary", "--dictionary", metavar="FILE", panel="Output")
    ] = None,
) -> DemandSettings:
    return DemandSettings(
        tag=tag,
        prefix=prefix,
        glossary=glossary,
        protect=protect,
        ban=tuple(ban or ()),
        ban_from=ban_from,
        replace_unknown=replace_unknown,
        dictionary=dictionary,
    )


DemandOptions = Annotated[DemandSettings, Options(_demands)]
