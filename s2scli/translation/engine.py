"""Which engine translates: the PyTorch search, or CTranslate2 with an export of the model."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from s2scli.errors import CheckpointError, MissingInputError, UsageError
from s2scli.export.settings import Engine
from s2scli.manifest import MANIFEST, read_json, read_manifest
from s2scli.pipeline.exported import KIND, Export, ExportedTranslator
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree, load_settings
from s2scli.workspace import Workspace

if TYPE_CHECKING:
    from s2scli.pipeline.lines import Searcher


@dataclass(frozen=True)
class Wish:
    """What is asked of an engine.

    Attributes:
        engine: which one.
        needs: flags that only the PyTorch search has an answer to.
        prefers: flags that it has a fuller answer to.
        search: settings of the search that were given.
        device: auto, cpu, cuda or cuda:N.
        int8: weights of 8 bits in the PyTorch search.
    """

    engine: Engine
    needs: Sequence[str]
    prefers: Sequence[str]
    search: Tree
    device: str
    int8: bool = False


def load_translator(
    workspace: Workspace, models: Sequence[Path], wish: Wish, talk: Talk
) -> "Searcher":
    """Load models into the engine asked for, or the one that suits what is asked for.

    Args:
        workspace: whose model it is, where no others are given.
        models: model folders (several are an ensemble), or one of an export.
        wish: what is asked for.
        talk: says which engine it is, and warns of an export that is out of date.

    Raises:
        MissingInputError: there is no model, or no export of it.
        CheckpointError: a folder is damaged or was written by a newer version.
        UsageError: what is asked for together cannot be; or the models of an ensemble do not
            share a tokenizer.
        ConfigError: there is no such device, or a setting of the search has a wrong value.
        MissingExtraError: CTranslate2 is needed and not installed.
    """
    folders = [workspace.find_model(model) for model in models or (None,)]
    export = choose_export(folders, wish, talk)
    if export:
        talk.detail(f"engine: CTranslate2 ({export.folder}, {export.facts.quantization})")
        return ExportedTranslator.load(export.folder, wish.device)
    talk.detail("engine: PyTorch")
    from s2scli.pipeline.translator import Translator

    return Translator.load(*folders, device=wish.device, int8=wish.int8)


def choose_export(folders: Sequence[Path], wish: Wish, talk: Talk) -> Export | None:
    """Return the export that translates; None if PyTorch does.

    Args:
        folders: of models, or of exports.
        wish: what is asked for.
        talk: says why, and warns of an export that is out of date.

    Raises:
        as `load_translator`.
    """
    first = next((folder for folder in folders if is_export(folder)), None)
    if wish.engine == "pytorch":
        if first:
            raise UsageError(
                f"{first}: an export to CTranslate2, which PyTorch cannot run; give the model "
                "folder that it was made from"
            )
        return None
    must = first is not None or wish.engine == "ctranslate2"
    export = _export(folders[0], first, must, talk)
    if export is None:
        return None
    beyond = [
        *wish.needs,
        *["--int8"] * wish.int8,
        *["several models (-m)"] * (len(folders) > 1),
    ]
    search = {**export.facts.search.model_dump(), **wish.search}
    beyond += export.beyond(load_settings(SearchSettings, search, "command line"))
    if must:
        if beyond:
            raise UsageError(f"CTranslate2 cannot do this: {', '.join(beyond)}; {_way(first)}")
        return export
    reasons = [*beyond, *wish.prefers]
    if reasons:
        talk.detail(f"not CTranslate2, because of {', '.join(reasons)}")
        return None
    return export if importlib.util.find_spec("ctranslate2") else None


def is_export(folder: Path) -> bool:
    """Whether a folder says that it is an export to CTranslate2."""
    return read_json(folder / MANIFEST).get("kind") == KIND


def folder_beside(model: Path) -> Path:
    """Return where the export of a model folder is looked for."""
    named = model if model.name not in ("", "..") else model.resolve()
    return named.with_name(f"{named.name}-{KIND}")


def _export(model: Path, given: Path | None, must: bool, talk: Talk) -> Export | None:
    """Return the export that was given, or the one beside a model folder if it is of that model.

    Raises:
        MissingInputError: there must be one, and is not.
        CheckpointError: it is damaged; or it must be the model's, and is of another.
    """
    folder = given or folder_beside(model)
    way = "make one: s2s export"
    if not (folder / MANIFEST).exists():
        if must:
            raise MissingInputError(f"{folder}: no export of the model here; {way}")
        return None
    manifest = read_manifest(folder, KIND)
    if not given and manifest.made_from.get("model") != read_manifest(model, "model").digest:
        fault = f"{folder}: an export of another model than the one in {model}; {way}"
        if must:
            raise CheckpointError(fault)
        talk.warn(fault)
        return None
    return Export.of(folder, manifest)


def _way(given: Path | None) -> str:
    """Say what to do instead of asking CTranslate2."""
    if given:
        return "leave that out, or give the model folder that the export was made from"
    return "leave that out, or choose --engine pytorch"
