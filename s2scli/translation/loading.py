"""Choose the engine: PyTorch, or a program that runs an export of the model."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from s2scli.errors import CheckpointError, MissingInputError, UsageError
from s2scli.export.settings import Engine
from s2scli.export.targets import TARGETS
from s2scli.manifest import is_published, kind_of, read_manifest
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree, flag_of, load_settings
from s2scli.translation.ctranslate2_engine import load as load_ctranslate2
from s2scli.translation.ctranslate2_engine import unsupported as not_of_ctranslate2
from s2scli.translation.export_engine import Export, ExportFacts
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace

PREFERRED = "ctranslate2"  # what `auto` uses if it is there


class Load(Protocol):
    """Loads an export into its program."""

    def __call__(self, folder: Path, device: str) -> Translator:
        """Return the translator of a folder on a device; raises as `load_translator`."""
        ...


@dataclass(frozen=True)
class Program:
    """A program that runs exports.

    Attributes:
        load: loads an export.
        unsupported: returns the search settings that it does not support, as flags.
        has_our_search: whether our own search runs it, with constraints and attention weights.
    """

    load: Load
    unsupported: Callable[[ExportFacts, SearchSettings], list[str]]
    has_our_search: bool


def _load_onnx(folder: Path, device: str) -> Translator:
    from s2scli.translation.onnx_engine import load  # torch takes over a second to import

    return load(folder, device)


def _not_of_onnx(facts: ExportFacts, settings: SearchSettings) -> list[str]:
    return [flag_of("ctc_weight")] * (settings.ctc_weight > 0)


RUNNABLE: Mapping[str, Program] = {
    PREFERRED: Program(load_ctranslate2, not_of_ctranslate2, has_our_search=False),
    "onnx": Program(_load_onnx, _not_of_onnx, has_our_search=True),
}


@dataclass(frozen=True)
class EngineRequest:
    """What the engine must support.

    Attributes:
        engine: the requested engine.
        needs: the given flags that only PyTorch supports.
        prefers: the given flags that PyTorch supports better.
        overrides: the given search settings.
        device: auto, cpu, cuda or cuda:N.
        int8: use 8-bit weights in PyTorch.
        shortlist: compute only the tokens of the model's shortlist.
    """

    engine: Engine = "auto"
    needs: Sequence[str] = ()
    prefers: Sequence[str] = ()
    overrides: Tree = field(default_factory=dict)
    device: str = "auto"
    int8: bool = False
    shortlist: bool = False


def load_translator(
    workspace: Workspace, models: Sequence[Path], request: EngineRequest, talk: Talk
) -> Translator:
    """Load models into the requested engine, or choose the best engine for the request.

    Args:
        workspace: its model is loaded if `models` is empty.
        models: model folders (several are an ensemble), or the folder of an export.
        request: what the engine must support.
        talk: says which engine is used, and warns of an export that is out of date.

    Raises:
        MissingInputError: there is no model, or no export of it.
        CheckpointError: a folder is damaged or was written by a newer version.
        UsageError: the engine does not support the request, or the models of an ensemble do not
            share a tokenizer.
        ConfigError: there is no such device, or a search setting has a wrong value.
        MissingExtraError: the program of a required export is not installed.
    """
    folders = [workspace.find_model(model) for model in models or (None,)]
    export = choose_export(folders, request, talk)
    if export:
        name = TARGETS[export.manifest.kind].name
        talk.detail(f"engine: {name} ({export.folder}, {export.facts.quantization})")
        return RUNNABLE[export.manifest.kind].load(export.folder, request.device)
    talk.detail("engine: PyTorch")
    return load_in_torch(
        workspace, models, request.device, request.int8, shortlist=request.shortlist
    )


def load_in_torch(
    workspace: Workspace,
    models: Sequence[Path],
    device: str,
    int8: bool = False,
    *,
    shortlist: bool = False,
) -> Translator:
    """Load model folders (several are an ensemble), or the workspace's model, into PyTorch.

    Raises:
        MissingInputError: there is no model, or no shortlist; the message says how to get one.
        CheckpointError: a model is damaged or was written by a newer version.
        UsageError: the models of an ensemble do not share a tokenizer.
        ConfigError: there is no such device, or PyTorch has no 8-bit matrix products for it.
    """
    folders = [workspace.find_model(model) for model in models or (None,)]
    from s2scli.translation.torch_engine import load  # torch takes over a second to import

    return load(*folders, device=device, int8=int8, shortlist=shortlist)


def choose_export(folders: Sequence[Path], request: EngineRequest, talk: Talk) -> Export | None:
    """Return the export to translate with; None for PyTorch.

    Args:
        folders: folders of models or exports.
        request: what the engine must support.
        talk: says why PyTorch is used, and warns of an export that is out of date.

    Raises:
        See `load_translator`.
    """
    first = next((folder for folder in folders if is_export(folder)), None)
    given = kind_of(first) if first else None
    if given and request.engine not in ("auto", given):
        raise UsageError(
            f"{first}: an export to {TARGETS[given].name}, which {_engine_name(request.engine)} "
            "cannot run; give the model folder that it was made from"
        )
    if request.engine == "pytorch":
        return None
    must = first is not None or request.engine != "auto"
    kind = given or (request.engine if must else PREFERRED)
    export = _export(folders[0], kind, first, must, talk)
    if export is None:
        return None
    unsupported = _unsupported(export, folders, request)
    if must:
        if unsupported:
            listed = ", ".join(unsupported)
            raise UsageError(f"{TARGETS[kind].name} does not support {listed}; {_instead(first)}")
        return export
    reasons = [*unsupported, *request.prefers]
    if reasons:
        talk.detail(f"not using {TARGETS[kind].name} because of {', '.join(reasons)}")
        return None
    return export if importlib.util.find_spec(kind) else None


def is_export(folder: Path) -> bool:
    """Whether the manifest of a folder is that of an export that an engine runs."""
    return kind_of(folder) in RUNNABLE


def folder_beside(model: Path, kind: str = PREFERRED) -> Path:
    """Return the folder of a model's export of a kind, beside the model folder."""
    named = model if model.name not in ("", "..") else model.resolve()
    return named.with_name(f"{named.name}-{kind}")


def _unsupported(export: Export, folders: Sequence[Path], request: EngineRequest) -> list[str]:
    """Return everything in the request that the export does not support."""
    tree = {**export.facts.search.model_dump(), **request.overrides}
    settings = load_settings(SearchSettings, tree, "command line")
    program = RUNNABLE[export.manifest.kind]
    return [
        *([] if program.has_our_search else request.needs),
        *["--int8"] * request.int8,
        *["--shortlist"] * request.shortlist,
        *["several models (-m)"] * (len(folders) > 1),
        *program.unsupported(export.facts, settings),
    ]


def _export(model: Path, kind: str, given: Path | None, must: bool, talk: Talk) -> Export | None:
    """Return the given export, or the one beside a model folder if it was made from that model.

    Args:
        model: the model folder.
        kind: the kind of the export.
        given: the folder of an export, or None for the one beside the model.
        must: whether an export is required.
        talk: warns of an export that is out of date.

    Raises:
        MissingInputError: an export is required, and there is none.
        CheckpointError: the export is damaged, or is required and was made from another model.
    """
    folder = given or folder_beside(model, kind)
    make_one = f"make one: s2s export{'' if kind == PREFERRED else f' --to {kind}'}"
    if not is_published(folder):
        if must:
            raise MissingInputError(f"{folder}: no export of the model here; {make_one}")
        return None
    manifest = read_manifest(folder, kind)
    if not given and manifest.made_from.get("model") != read_manifest(model, "model").digest:
        fault = f"{folder}: an export of another model than the one in {model}; {make_one}"
        if must:
            raise CheckpointError(fault)
        talk.warn(fault)
        return None
    return Export.of(folder, manifest)


def _engine_name(engine: Engine) -> str:
    return "PyTorch" if engine == "pytorch" else TARGETS[engine].name


def _instead(given: Path | None) -> str:
    """Return what to do if a program does not support a request."""
    if given:
        return "leave that out, or give the model folder that the export was made from"
    return "leave that out, or choose --engine pytorch"
