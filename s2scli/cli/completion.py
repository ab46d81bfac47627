"""Shell completion of recipe names, setting paths and folders."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from s2scli.manifest import MANIFEST
from s2scli.recipes import recipe_names
from s2scli.workspace import Workspace

TRANSFORMER = "num_heads ffn_dim activation norm norm_epsilon norm_first positions max_positions "
TRANSFORMER += "attention_dropout ffn_dropout grid_columns"
AUDIO = "bands window hop subsampling channels time_masks time_mask_share band_masks "
AUDIO += "band_mask_share speed warp normalize tone silence noise floor emphasis vector_norm"
IMAGE = "layout patch_height patch_width max_columns stride conv_dim"
# The model settings are repeated here, because their declarations import torch. A test
# compares the two.
MODEL = {
    "model": "size tie_embeddings ctc_weight",
    "model.source": f"kind embedding_dim dropout {AUDIO} {IMAGE}",
    "model.target": "kind embedding_dim dropout",
    "model.encoder": f"kind model_dim num_layers bidirectional reverse dropout {TRANSFORMER}",
    "model.connection": "kind every_step summary latent_dim",
    "model.attention": "kind attention_dim num_heads dropout coverage",
    "model.decoder": "kind model_dim num_layers dropout attend input_feeding readout deep_output "
    f"readout_dim {TRANSFORMER}",
    "model.output": "kind",
}
RECIPE = "recipe.toml"  # every model folder has one


def complete_recipe(incomplete: str) -> list[str]:
    """Return the built-in recipes, TOML files and folders that start with `incomplete`."""
    names = [name for name in recipe_names() if name.startswith(incomplete)]
    files = [path for path in _paths(incomplete) if path.endswith((".toml", os.sep))]
    return [*names, *files]


def complete_assignment(incomplete: str) -> list[str]:
    """Return `section.key=` for each recipe setting that starts with `incomplete`."""
    return [path for path in map("{}=".format, _setting_paths()) if path.startswith(incomplete)]


def _setting_paths() -> Iterator[str]:
    """Yield the dotted paths of the settings of a recipe, without importing torch."""
    from s2scli.search.settings import SearchSettings
    from s2scli.settings import list_settings
    from s2scli.training.settings import TrainingSettings

    for section, names in MODEL.items():
        yield from (f"{section}.{name}" for name in names.split())
    rows = (
        *list_settings(TrainingSettings, "training."),
        *list_settings(SearchSettings, "search."),
    )
    yield from dict.fromkeys(re.sub(r"\[.*?\]", "", row.path) for row in rows)  # without kinds


def complete_model(incomplete: str) -> list[str]:
    """Return the model folders that start with `incomplete`, or all such folders if there are none.

    For a workspace, its model folder is returned.
    """
    folders = list(_folders(incomplete))
    nested = [os.path.join(folder, "model") for folder in folders]  # noqa: PTH118 - as typed
    models = [folder for folder in (*folders, *nested) if (Path(folder) / RECIPE).is_file()]
    return sorted(models) or [f"{folder}{os.sep}" for folder in folders]


def complete_workspace(incomplete: str) -> list[str]:
    """Return the workspaces that start with `incomplete`, or all such folders if there are none."""
    folders = list(_folders(incomplete))
    found = [folder for folder in folders if _is_workspace(Path(folder))]
    return found or [f"{folder}{os.sep}" for folder in folders]


def _is_workspace(folder: Path) -> bool:
    workspace = Workspace(folder)
    parts = workspace.corpus, workspace.tokenizer, workspace.model
    return any((part / MANIFEST).is_file() for part in parts)


def _folders(incomplete: str) -> Iterator[str]:
    """Yield the folders that start with `incomplete`."""
    return (path.rstrip(os.sep) for path in _paths(incomplete) if path.endswith(os.sep))


def _paths(incomplete: str) -> list[str]:
    """Return the paths that start with `incomplete`. A folder ends in a slash.

    Hidden files are left out unless the user has typed their dot.
    """
    parent, name = os.path.split(incomplete)
    try:
        entries = sorted(os.scandir(os.path.expanduser(parent) or "."), key=lambda one: one.name)  # noqa: PTH111
    except OSError:
        return []
    return [
        os.path.join(parent, entry.name) + os.sep * entry.is_dir()  # noqa: PTH118 - as typed
        for entry in entries
        if entry.name.startswith(name) and not (entry.name.startswith(".") and not name)
    ]
