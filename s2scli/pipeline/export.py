"""`s2s export`: a model folder becomes a folder that another program can run."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from s2scli.config import recipe_toml
from s2scli.data.store import Corpus
from s2scli.errors import CheckpointError, LockedError, MissingInputError
from s2scli.export.settings import ExportSettings
from s2scli.export.targets import TARGETS, Target, require_exportable
from s2scli.manifest import new_folder, read_manifest
from s2scli.report.console import Talk
from s2scli.search.limits import longest_output
from s2scli.translation.agreement import Agreement, choose_pairs, compare_exports, read_pairs
from s2scli.translation.ctranslate2_engine import ExportFacts
from s2scli.translation.loading import folder_beside
from s2scli.translation.model_folder import CARD, RECIPE, LoadedModel, load_model_folder
from s2scli.translation.pairs import Pair
from s2scli.translation.torch_engine import translator_of
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace

LEAST_POSITIONS = 1024
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Verification:
    """What an export is verified with.

    Attributes:
        workspace: whose validation split is used.
        file: pairs to use instead.
    """

    workspace: Workspace
    file: Path | None = None

    def pairs(self, most: int, translator: Translator, talk: Talk) -> list[Pair]:
        """Return the first pairs, at most `most`, that the model can translate.

        Raises:
            MissingInputError: there is no file, no corpus or no validation split.
            CorpusError: there is no such pair.
            CheckpointError: the corpus is damaged.
        """
        if self.file:
            return read_pairs(self.file, most, translator, talk)
        try:
            split = Corpus.load(self.workspace.find_corpus()).open_split("valid")
        except MissingInputError as error:
            raise MissingInputError(f"{error}; or verify with a file: --verify FILE") from error
        first = list(islice(split, most))
        return choose_pairs(first, "the validation split", translator, talk)


@dataclass(frozen=True)
class ExportReport:
    """What was exported.

    Attributes:
        folder: where it is.
        quantization: of the weights.
        bytes: of its files.
        lines: how many were translated to verify it; 0 if it was not verified.
        agreements: how each engine did.
    """

    folder: str
    quantization: str
    bytes: int
    lines: int
    agreements: Sequence[Agreement]


def export(
    model: Path,
    output: Path | None,
    settings: ExportSettings,
    verify: Verification | None,
    talk: Talk,
) -> ExportReport:
    """Export a model folder; nothing is written if the export fails to verify.

    Args:
        model: the model folder.
        output: the folder to write; None is beside the model, where `s2s translate` finds it.
        settings: the target, the quantization, and how to verify.
        verify: what to verify the export with; None does not verify it.
        talk: says what is found.

    Raises:
        MissingExtraError: the target's package is not installed.
        ConfigError: the target cannot run such a model.
        LockedError: the folder holds something else.
        CheckpointError: the model is damaged, or the export does not agree with it.
        MissingInputError: there is no model, or no file to verify with.
        CorpusError: the file has no pair to verify with.
        StorageError: the disk is full or writing failed.
    """
    target = TARGETS[settings.to]
    target.require()
    folder = output or folder_beside(model)
    _require_room(folder, target)
    found = load_model_folder(model, CPU)
    require_exportable(target, found.recipe.model)
    facts = export_facts(found, settings)
    lines, agreements = _verify(found, facts, settings, verify, talk) if verify else (0, [])
    _write(folder, target, found, facts)
    size = sum(record.bytes for record in read_manifest(folder, target.kind).files.values())
    return ExportReport(str(folder), settings.quantization, size, lines, agreements)


def export_facts(model: LoadedModel, settings: ExportSettings) -> ExportFacts:
    """Return what the manifest of an export says."""
    most = model.recipe.training.max_length
    return ExportFacts(
        name=model.recipe.name,
        quantization=settings.quantization,
        max_source_tokens=most,
        positions=max(LEAST_POSITIONS, most + 1, longest_output(most + 1, model.recipe.search)),
        search=model.recipe.search,
    )


def _require_room(folder: Path, target: Target) -> None:
    """Check that an export may be written here: the folder is new, or an older export.

    Raises:
        LockedError: it is something else.
    """
    if not folder.exists():
        return
    try:
        read_manifest(folder, target.kind)
    except (CheckpointError, MissingInputError, NotADirectoryError) as error:
        raise LockedError(
            f"{folder}: exists and is not an export of s2s; choose another folder with -o, or "
            "remove it"
        ) from error


def _verify(
    model: LoadedModel,
    facts: ExportFacts,
    settings: ExportSettings,
    verify: Verification,
    talk: Talk,
) -> tuple[int, list[Agreement]]:
    """Return how many lines were translated, and how each engine did."""
    translator = translator_of(model, device=CPU)
    pairs = verify.pairs(settings.lines, translator, talk)
    agreements = []
    for agreement in compare_exports(model, translator, facts, pairs, settings):
        talk.detail(f"{agreement.engine}: {agreement.lines_per_second:.1f} lines/s")
        agreements.append(agreement)
    return len(pairs), agreements


def _write(folder: Path, target: Target, model: LoadedModel, facts: ExportFacts) -> None:
    made_from = {"model": model.manifest.digest, "tokenizer": model.tokenizers.digest}
    with new_folder(folder, target.kind, made_from=made_from) as draft:
        draft.facts = facts.model_dump(mode="json")
        target.write(
            draft.path,
            model.recipe.model,
            model.model.state_dict(),
            model.tokenizers,
            facts.positions,
            facts.quantization,
        )
        model.tokenizers.write(draft.path)
        (draft.path / RECIPE).write_text(recipe_toml(model.recipe), encoding="utf-8", newline="\n")
        (draft.path / CARD).write_text(export_card(facts), encoding="utf-8", newline="\n")


def export_card(facts: ExportFacts) -> str:
    """Return the README of an export."""
    lines = [
        f"# {facts.name}, for CTranslate2",
        "",
        f"- weights: {'float32' if facts.quantization == 'none' else facts.quantization}",
        f"- sources of up to {facts.max_source_tokens:,} tokens",
        "",
        "Use it: `s2s translate -m FOLDER < input.txt`, or `ctranslate2.Translator(FOLDER)` with",
        "the pieces of the tokenizer beside it. The pieces and the weights can hold strings that",
        "were frequent in the training text.",
        "",
    ]
    return "\n".join(lines)
