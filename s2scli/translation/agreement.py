"""Compare an export with its model: both translate and score the same lines."""

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2scli.data.cleaning import is_blank, tidy
from s2scli.data.example import Example
from s2scli.data.row_stream import open_pairs
from s2scli.data.rows import BadLine, ReadRow
from s2scli.data.settings import InputSettings
from s2scli.data.stream import Line
from s2scli.errors import CheckpointError, CorpusError
from s2scli.export.settings import ExportSettings, Quantization
from s2scli.export.targets import TARGETS, Target
from s2scli.metrics.bleu import bleu
from s2scli.metrics.edit_distance import edit_distance
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.ctranslate2_engine import CTranslate2Engine
from s2scli.translation.engine import Engine
from s2scli.translation.export_engine import ExportFacts
from s2scli.translation.lines import size_of
from s2scli.translation.model_folder import LoadedModel
from s2scli.translation.onnx_engine import OnnxEngine
from s2scli.translation.options import Options, Wanted
from s2scli.translation.pairs import Pair
from s2scli.translation.records import Record
from s2scli.translation.results import TargetText
from s2scli.translation.transformers_engine import TransformersEngine
from s2scli.translation.translator import Translator

ENGINES: Mapping[str, Callable[[Any, Tokenizers, ExportFacts], Engine]] = {
    "ctranslate2": CTranslate2Engine,
    "huggingface": TransformersEngine,
    "onnx": OnnxEngine.of,
}
EXACT = 1e-2  # largest accepted difference of a token's log-probability in float32


@dataclass(frozen=True)
class Decoded:
    """The outputs of an engine for some pairs.

    Attributes:
        texts: the translations.
        pieces: the tokens of each translation, including the end token.
        scores: the log-probability of each token of each reference.
        lines_per_second: lines translated per second.
    """

    texts: tuple[str, ...]
    pieces: tuple[tuple[str, ...], ...]
    scores: tuple[tuple[float, ...], ...]
    lines_per_second: float


@dataclass(frozen=True)
class Agreement:
    """A comparison of an engine with the model in PyTorch.

    Attributes:
        engine: the engine's name.
        tokens: the share of PyTorch's output tokens that the engine writes too, in the same order.
        score_difference: the largest difference between the log-probabilities of a reference token.
        bleu: the BLEU of the engine's translations.
        bleu_difference: the engine's BLEU minus PyTorch's.
        lines_per_second: lines translated per second.
    """

    engine: str
    tokens: float
    score_difference: float
    bleu: float
    bleu_difference: float
    lines_per_second: float


def compare_exports(
    model: LoadedModel,
    translator: Translator,
    facts: ExportFacts,
    pairs: Sequence[Pair],
    settings: ExportSettings,
) -> Iterator[Agreement]:
    """Compare exports of a model with the model in PyTorch, on the same pairs.

    Yield the figures of PyTorch, then of the export in float32. If the target quantizes, those of
    exports in int8 and the requested quantization follow; otherwise, those of greedy search.

    Args:
        model: the model to export.
        translator: the same model in PyTorch.
        facts: the facts for the export's manifest.
        pairs: sources and references.
        settings: the target, the requested quantization, and the tolerance.

    Raises:
        CheckpointError: a log-probability in float32 differs from the model's, the target's own
            tokenizer writes other tokens, or the export loses too much BLEU.
    """
    target, own = TARGETS[settings.to], translator.engine.settings
    ours = decode(translator, pairs, own)
    references = [pair.target for pair in pairs]
    expected = bleu(ours.texts, references).value
    yield Agreement("PyTorch float32", 1.0, 0.0, expected, 0.0, ours.lines_per_second)
    asked = "float32" if settings.quantization == "none" else settings.quantization
    kinds: list[Quantization] = ["float32", "int8", asked] if target.quantizes else ["float32"]
    for kind in dict.fromkeys(kinds):
        exported = _exported(target, model, facts, kind, pairs)
        name = f"{target.name} {kind}"
        found = _compare(name, ours, decode(exported, pairs, own), expected, references)
        yield found
        _require_agreement(found, kind, asked, settings)
    if not target.quantizes and own.beam_size > 1:
        greedy = own.model_copy(update={"beam_size": 1, "n_best": 1})
        mine, theirs = (decode(one, pairs, greedy) for one in (translator, exported))
        expected = bleu(mine.texts, references).value
        yield _compare(f"{target.name} greedy", mine, theirs, expected, references)


def _compare(
    name: str, ours: Decoded, theirs: Decoded, expected: float, references: Sequence[str]
) -> Agreement:
    """Return how well the outputs of an engine agree with those of PyTorch, of this BLEU."""
    score = bleu(theirs.texts, references).value
    return Agreement(
        name,
        token_agreement(ours, theirs),
        score_difference(ours, theirs),
        score,
        score - expected,
        theirs.lines_per_second,
    )


def _require_agreement(
    found: Agreement, kind: Quantization, asked: Quantization, settings: ExportSettings
) -> None:
    """Refuse an export with wrong probabilities, or one that loses too much BLEU."""
    if kind == "float32" and not found.score_difference <= EXACT:
        raise CheckpointError(
            f"not exported: in {TARGETS[settings.to].name} the log-probability of a token differs "
            f"by {found.score_difference:.3g}; this is a bug in s2s, please report it"
        )
    if kind == asked and found.bleu_difference < -settings.tolerance:
        raise CheckpointError(
            f"not exported: the {kind} export loses {-found.bleu_difference:.2f} BLEU, more than "
            f"--tolerance {settings.tolerance:g}; choose another --quantization, or verify with "
            "more --lines"
        )


def read_pairs(
    path: Path, reading: InputSettings, most: int, translator: Translator, talk: Talk
) -> list[Pair]:
    """Read the first pairs of a file, and keep those that fit the model.

    Args:
        path: the file: TSV, or of a format that its name or `reading` tells.
        reading: its format and fields.
        most: the maximum number of pairs to read, including those that are too long for the model.
        translator: the model.
        talk: warns of the lines that are left out.

    Raises:
        MissingInputError: the file does not exist.
        CorpusError: the file is damaged, or no pair fits the model.
    """
    with open_pairs([path], reading, "tsv") as rows:
        found, bad = _first_pairs(rows, most)
    if bad:
        talk.warn(f"bad lines left out: {len(bad):,}; the first is {bad[0]}")
    return choose_pairs(found, str(path), translator, talk)


def choose_pairs(
    examples: Sequence[Example], name: str, translator: Translator, talk: Talk
) -> list[Pair]:
    """Return the examples that fit the model, as pairs.

    Args:
        examples: examples without blank sides.
        name: the name of their file or split, for messages.
        translator: the model.
        talk: warns of examples that are too long.

    Raises:
        CorpusError: no example fits the model.
    """
    fit = [row for row in examples if _fits(row, translator)]
    if not fit:
        raise CorpusError(
            f"{name}: found no pair to verify with; expected source TAB reference in each line"
        )
    if len(examples) > len(fit):
        left_out = len(examples) - len(fit)
        talk.warn(
            f"{name}: left out {left_out:,} of {len(examples):,} pairs, too long for the model"
        )
    return [Pair(Line(name, row.line, row.source), row.source, row.target) for row in fit]


def _first_pairs(rows: Iterator[ReadRow], most: int) -> tuple[list[Example], list[BadLine]]:
    """Return the first `most` rows with text on both sides, and the bad lines between them."""
    pairs: list[Example] = []
    bad: list[BadLine] = []
    for row in rows:
        if isinstance(row, BadLine):
            bad.append(row)
        elif isinstance(row, Example) and not (is_blank(row.source) or is_blank(row.target)):
            pairs.append(row)
        if len(pairs) == most:
            break
    return pairs, bad


def decode(translator: Translator, pairs: Sequence[Pair], settings: SearchSettings) -> Decoded:
    """Translate the sources with search settings, measure the time, and score the references.

    Raises:
        CheckpointError: the model fails on a line.
    """
    options = Options(settings, wanted=Wanted(scores=False), window=len(pairs))
    lines = [pair.line for pair in pairs]
    list(translator.translate(lines[:1], options))  # warm up before the clock starts
    started = time.perf_counter()
    found = list(translator.translate(lines, options))
    seconds = time.perf_counter() - started
    bests = [_best(record) for record in found]
    return Decoded(
        tuple(best.text for best in bests),
        tuple(best.pieces for best in bests),
        tuple(_best(record).token_scores for record in translator.score(pairs, options)),
        len(pairs) / max(seconds, 1e-9),
    )


def token_agreement(ours: Decoded, theirs: Decoded) -> float:
    """Return 1 - edits / tokens: the share of our tokens that are also in theirs."""
    edits = sum(map(edit_distance, ours.pieces, theirs.pieces))
    return max(0.0, 1 - edits / sum(map(len, ours.pieces)))


def score_difference(ours: Decoded, theirs: Decoded) -> float:
    """Return the largest difference of a token's log-probability; NaN if any is NaN."""
    differences = [
        abs(one - other)
        for mine, others in zip(ours.scores, theirs.scores, strict=True)
        for one, other in zip(mine, others, strict=True)
    ]
    return math.nan if any(map(math.isnan, differences)) else max(differences)


def _exported(
    target: Target,
    model: LoadedModel,
    facts: ExportFacts,
    kind: Quantization,
    pairs: Sequence[Pair],
) -> Translator:
    """Export the model to a temporary folder, and load it in the target's program.

    Raises:
        CheckpointError: the program's own tokenizer, if it has one, gives a source other tokens.
    """
    with tempfile.TemporaryDirectory(prefix="s2s-") as name:
        folder = Path(name)
        target.write(
            folder,
            model.recipe.model,
            model.model.state_dict(),
            model.tokenizers,
            facts.positions,
            kind,
            facts.recommended,
        )
        _require_same_tokens(target, folder, model.tokenizers, pairs)
        engine = ENGINES[target.kind](target.open(folder, "cpu"), model.tokenizers, facts)
        return Translator.of(engine, model.tokenizers)


def _require_same_tokens(
    target: Target, folder: Path, tokenizers: Tokenizers, pairs: Sequence[Pair]
) -> None:
    source, _ = tokenizers.texts
    texts = [tidy(pair.source, source.normalization) for pair in pairs]
    for pair, text, found in zip(pairs, texts, target.encode(folder, texts) or (), strict=False):
        if found != [*source.encode(text), EOS_ID]:
            raise CheckpointError(
                f"not exported: {pair.line.where}: the tokenizer of {target.name} gives other "
                f"tokens to {text[:40]!r}; it does not know how s2s escapes characters"
            )


def _fits(row: Example, translator: Translator) -> bool:
    source, target = translator.source.encode(row.source), translator.target.encode(row.target)
    lengths = size_of(source, translator.source), len(target)
    return max(lengths) <= translator.engine.max_source_tokens


def _best(record: Record) -> TargetText:
    """Return the best hypothesis, or the scored reference.

    Raises:
        CheckpointError: the record has no hypothesis.
    """
    if record.best is None:
        fault = record.fault or "the search found nothing"
        raise CheckpointError(f"{record.line.where}: the model failed on this line ({fault})")
    return record.best
