"""The built-in recipes, one TOML file each."""

from importlib import resources


def recipe_names() -> list[str]:
    """Return the names of the built-in recipes, in alphabetical order."""
    files = resources.files("s2scli.recipes").iterdir()
    return sorted(file.name[: -len(".toml")] for file in files if file.name.endswith(".toml"))
