"""Suggestions for an option that a command does not have."""

from collections.abc import Collection, Mapping, Sequence

from s2scli.settings import flag_of, paths_called
from s2scli.synonyms import meaning

SET = "--set"
MOST_LISTED = 4


def advise(unknown: str, own: Collection[str], elsewhere: Mapping[str, Sequence[str]]) -> str:
    """Return a suggestion for an unknown option; "" if there is none.

    Args:
        unknown: the option, with its dashes.
        own: the flags of the command that was called.
        elsewhere: for each flag of the program, the commands that have it.
    """
    meant = meaning(unknown)
    if isinstance(meant, str):
        return meant
    name = unknown.strip("-").replace("-", "_")
    flags = [flag_of(name), *map(_flag, meant)]
    if here := [flag for flag in dict.fromkeys(flags) if flag in own]:
        return f"did you mean {' or '.join(here)}?"
    if SET in own and (settings := [each for each in meant if "." in each] or _settings(name)):
        given = " ".join(f"{SET} {path}=VALUE" for path in settings)
        return f"it is a setting: {given}"
    for flag in flags:
        if commands := elsewhere.get(flag, ())[:MOST_LISTED]:
            return f"{'it' if flag == unknown else flag} is an option of {', '.join(commands)}"
    return ""


def _flag(name: str) -> str:
    """Return a flag unchanged; for the path of a setting, return the setting's flag."""
    return name if name.startswith("--") else flag_of(name.rpartition(".")[2])


def _settings(name: str) -> list[str]:
    """Return the paths of the recipe settings with this name; [] if there are too many."""
    from s2scli.config import Recipe

    paths = [path for path in paths_called(Recipe, name) if "." in path]
    return paths if len(paths) <= MOST_LISTED else []
