"""`s2s export`: convert a model folder to a folder that another program can run."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from s2scli.config import recipe_toml
from s2scli.data.settings import BY_NAME, InputSettings
from s2scli.data.store import Corpus
from s2scli.errors import CheckpointError, LockedError, MissingInputError, UsageError
from s2scli.export.settings import ExportSettings
from s2scli.export.targets import TARGETS, Target, require_exportable
from s2scli.manifest import new_folder, read_manifest
from s2scli.pipeline.evaluation import read_test_scores
from s2scli.report.console import Talk
from s2scli.search.limits import longest_output
from s2scli.translation.agreement import Agreement, choose_pairs, compare_exports, read_pairs
from s2scli.translation.export_engine import ExportFacts
from s2scli.translation.loading import folder_beside
from s2scli.translation.model_card import HeldOut, model_card
from s2scli.translation.model_folder import (
    CARD,
    RECIPE,
    LoadedModel,
    load_model_folder,
    reading_of,
)
from s2scli.translation.pairs import Pair
from s2scli.translation.torch_engine import translator_of
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace

LEAST_POSITIONS = 1024
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Verification:
    """The pairs to verify an export with.

    Attributes:
        workspace: the workspace whose validation split is used.
        file: a file of pairs to use instead of the validation split.
        reading: the format and the fields of the file.
    """

    workspace: Workspace
    file: Path | None = None
    reading: InputSettings = BY_NAME

    def pairs(self, most: int, translator: Translator, talk: Talk) -> list[Pair]:
        """Return up to `most` pairs that the model can translate.

        Raises:
            MissingInputError: the file, the corpus or the validation split is missing.
            CorpusError: the model can translate none of the pairs.
            CheckpointError: the corpus is damaged.
        """
        if self.file:
            return read_pairs(self.file, self.reading, most, translator, talk)
        try:
            split = Corpus.load(self.workspace.find_corpus()).open_split("valid")
        except MissingInputError as error:
            raise MissingInputError(f"{error}; or use a file of pairs: --verify FILE") from error
        first = list(islice(split, most))
        return choose_pairs(first, "the validation split", translator, talk)


@dataclass(frozen=True)
class ExportReport:
    """The result of an export.

    Attributes:
        folder: the path of the exported folder.
        quantization: the quantization of the weights.
        bytes: the total size of its files.
        lines: the number of lines translated to verify it; 0 if it was not verified.
        agreements: how well the outputs of each engine agree with the model's.
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
    """Export a model folder; nothing is written if the verification fails.

    Args:
        model: the model folder.
        output: the folder to write; None writes beside the model, where `s2s translate` finds it.
        settings: the target, the quantization, and how to verify.
        verify: the pairs to verify the export with; None skips the verification.
        talk: reports the speed of each engine.

    Raises:
        MissingExtraError: the target's package is not installed.
        UsageError: a quantization is given, and the target stores float32 only.
        ConfigError: the target cannot run this kind of model.
        LockedError: the output folder exists and is not an export.
        CheckpointError: the model is damaged, or the export's outputs do not agree with its own.
        MissingInputError: the model, or the text to verify with, is missing.
        CorpusError: there is no pair to verify with.
        StorageError: the disk is full or writing failed.
    """
    target = TARGETS[settings.to]
    if settings.quantization != "none" and not target.quantizes:
        raise UsageError(
            f"--quantization has no effect with --to {settings.to}, which stores float32"
        )
    target.require()
    folder = output or folder_beside(model, target.kind)
    _require_room(folder, target)
    found = load_model_folder(model, CPU)
    require_exportable(target, found.recipe.model)
    facts = export_facts(found, settings)
    lines, agreements = _verify(found, facts, settings, verify, talk) if verify else (0, [])
    _write(folder, target, found, facts, read_test_scores(model, found.manifest.digest))
    size = sum(record.bytes for record in read_manifest(folder, target.kind).files.values())
    return ExportReport(str(folder), settings.quantization, size, lines, agreements)


def export_facts(model: LoadedModel, settings: ExportSettings) -> ExportFacts:
    """Return the facts to record in the manifest of an export."""
    most = model.recipe.training.max_length
    return ExportFacts(
        name=model.recipe.name,
        quantization=settings.quantization,
        max_source_tokens=most,
        positions=max(LEAST_POSITIONS, most + 1, longest_output(most + 1, model.recipe.search)),
        search=model.recipe.search,
        reading=reading_of(model),
    )


def _require_room(folder: Path, target: Target) -> None:
    """Check that `folder` does not exist yet or holds an older export.

    Raises:
        LockedError: it holds something else.
    """
    if not folder.exists():
        return
    try:
        read_manifest(folder, target.kind)
    except (CheckpointError, MissingInputError, NotADirectoryError) as error:
        raise LockedError(
            f"{folder}: exists and is not an export of s2s; remove it, or choose another folder "
            "with -o"
        ) from error


def _verify(
    model: LoadedModel,
    facts: ExportFacts,
    settings: ExportSettings,
    verify: Verification,
    talk: Talk,
) -> tuple[int, list[Agreement]]:
    """Return the number of lines translated and the agreement of each engine."""
    translator = translator_of(model, device=CPU)
    pairs = verify.pairs(settings.lines, translator, talk)
    agreements = []
    for agreement in compare_exports(model, translator, facts, pairs, settings):
        talk.detail(f"{agreement.engine}: {agreement.lines_per_second:.1f} lines/s")
        agreements.append(agreement)
    return len(pairs), agreements


def _write(
    folder: Path,
    target: Target,
    model: LoadedModel,
    facts: ExportFacts,
    tested: HeldOut | None,
) -> None:
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
            facts.recommended,
        )
        card = export_card(model, facts, target, tested)
        (draft.path / RECIPE).write_text(recipe_toml(model.recipe), encoding="utf-8", newline="\n")
        (draft.path / CARD).write_text(card, encoding="utf-8", newline="\n")


def export_card(
    model: LoadedModel, facts: ExportFacts, target: Target, tested: HeldOut | None = None
) -> str:
    """Return the README of an export: how to use it, and the card of its model with its scores."""
    _, target_side = model.tokenizers.texts
    weights = "float32" if facts.quantization == "none" else facts.quantization
    lines = [
        f"# {facts.name}, for {target.name}",
        "",
        f"- weights: {weights}",
        f"- maximum source length: {facts.max_source_tokens:,} tokens",
        f"- Unicode normalization of sources: {target_side.normalization}",
        "",
        f"Use it: `{target.use}`. The tokenizer and the weights may contain strings that were",
        "frequent in the training text. It was exported from this model:",
        "",
        "#" + model_card(model.recipe, model.tokenizers, model.manifest.facts, tested),
    ]
    return "\n".join(lines)
