"""Whether an export writes what its model writes: both decode the same lines."""

import functools
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from s2scli.data.cleaning import is_blank
from s2scli.data.example import Example
from s2scli.data.formats import FORMATS
from s2scli.data.lines import open_text
from s2scli.data.stream import LINE_BYTES
from s2scli.errors import CheckpointError, CorpusError
from s2scli.export.ctranslate2 import write_ctranslate2
from s2scli.export.settings import ExportSettings, Quantization
from s2scli.metrics.bleu import bleu
from s2scli.metrics.edit_distance import edit_distance
from s2scli.pipeline.exported import ExportedTranslator, ExportFacts, open_engine
from s2scli.pipeline.lines import Searcher
from s2scli.pipeline.model_folder import LoadedModel
from s2scli.pipeline.translation import TargetText, Translation

EXACT = 1e-2  # of float32: log-probabilities of a token that differ more are another model's
Pair = tuple[str, str]


@dataclass(frozen=True)
class Decoded:
    """What an engine made of some lines.

    Attributes:
        texts: the translations.
        pieces: their tokens, end tokens included.
        scores: for each reference, the log-probability of each of its tokens.
        lines_per_second: how fast it translated.
    """

    texts: tuple[str, ...]
    pieces: tuple[tuple[str, ...], ...]
    scores: tuple[tuple[float, ...], ...]
    lines_per_second: float


@dataclass(frozen=True)
class Agreement:
    """How an engine's translations compare with those of the model in PyTorch.

    Attributes:
        engine: its name.
        tokens: the share of PyTorch's tokens that it wrote too, in the same order.
        score_difference: the largest difference of the log-probability of a reference's token.
        bleu: against the references.
        bleu_difference: that, less PyTorch's.
        lines_per_second: how fast it translated.
    """

    engine: str
    tokens: float
    score_difference: float
    bleu: float
    bleu_difference: float
    lines_per_second: float


def compare_exports(
    model: LoadedModel,
    translator: Searcher,
    facts: ExportFacts,
    pairs: Sequence[Pair],
    settings: ExportSettings,
) -> Iterator[Agreement]:
    """Yield how PyTorch, and exports as float32, int8 and as asked for, do on some pairs.

    Args:
        model: what is exported.
        translator: it, in PyTorch.
        facts: what its manifest will say.
        pairs: sources and references.
        settings: the quantization asked for.

    Raises:
        CheckpointError: as float32, a token's log-probability is not the model's.
    """
    ours = decode(translator, pairs)
    references = [reference for _, reference in pairs]
    expected = bleu(ours.texts, references).value
    yield Agreement("PyTorch float32", 1.0, 0.0, expected, 0.0, ours.lines_per_second)
    asked = "float32" if settings.quantization == "none" else settings.quantization
    kinds: list[Quantization] = ["float32", "int8", asked]
    for kind in dict.fromkeys(kinds):
        theirs = decode(_scratch(model, facts, kind), pairs)
        score = bleu(theirs.texts, references).value
        found = Agreement(
            f"CTranslate2 {kind}",
            token_agreement(ours, theirs),
            score_difference(ours, theirs),
            score,
            score - expected,
            theirs.lines_per_second,
        )
        yield found
        if kind == "float32" and not found.score_difference <= EXACT:
            raise CheckpointError(
                f"not exported: in CTranslate2 the log-probability of a token is "
                f"{found.score_difference:.3g} off; this is a bug in s2s, please report it"
            )
        if kind == asked and found.bleu_difference < -settings.tolerance:
            raise CheckpointError(
                f"not exported: as {kind} it loses {-found.bleu_difference:.2f} BLEU, "
                f"{settings.tolerance:g} may be lost (--tolerance); choose another "
                "--quantization, or more --lines if these are few"
            )


def read_pairs(path: Path, most: int, translator: Searcher) -> list[Pair]:
    """Read the first pairs of a TSV file, plain or gzip, that the model can translate.

    Raises:
        MissingInputError: it is not there.
        CorpusError: it is damaged, or there is no such pair.
    """
    with open_text(path) as file:
        rows = FORMATS["tsv"].read([file], LINE_BYTES)
        pairs = ((row.source, row.target) for row in rows if isinstance(row, Example))
        first = list(islice((pair for pair in pairs if not any(map(is_blank, pair))), most))
    longest = translator.max_source_tokens
    fit = [pair for pair in first if translator.count_tokens(pair[0]) <= longest]
    if not fit:
        raise CorpusError(
            f"{path}: found no pair to verify with; expected source TAB reference in each line"
        )
    return fit


def decode(translator: Searcher, pairs: Sequence[Pair]) -> Decoded:
    """Translate the sources, in time, and score the references."""
    sources = [source for source, _ in pairs]
    search = functools.partial(
        translator.search,
        settings=translator.search_settings,
        with_attention=False,
        with_scores=False,
    )
    search(sources[:1])  # what is done once, before
    started = time.perf_counter()
    found = search(sources)
    seconds = time.perf_counter() - started
    forced = translator.force(sources, [target for _, target in pairs], with_attention=False)
    bests = [one.hypotheses[0] for one in found]
    return Decoded(
        tuple(best.text for best in bests),
        tuple(best.pieces for best in bests),
        tuple(_only(one).token_scores for one in forced),
        len(pairs) / max(seconds, 1e-9),
    )


def token_agreement(ours: Decoded, theirs: Decoded) -> float:
    """Return 1 - edits / tokens: the share of our tokens that they have too."""
    edits = sum(map(edit_distance, ours.pieces, theirs.pieces))
    return max(0.0, 1 - edits / sum(map(len, ours.pieces)))


def score_difference(ours: Decoded, theirs: Decoded) -> float:
    """Return the largest difference of a token's log-probability; NaN if a number is none."""
    differences = [
        abs(one - other)
        for mine, others in zip(ours.scores, theirs.scores, strict=True)
        for one, other in zip(mine, others, strict=True)
    ]
    return max(differences) if all(map(_is_number, differences)) else float("nan")


def _is_number(value: float) -> bool:
    return value == value


def _scratch(model: LoadedModel, facts: ExportFacts, kind: Quantization) -> ExportedTranslator:
    """Return the model as CTranslate2 has it, from a folder that is gone again."""
    with tempfile.TemporaryDirectory(prefix="s2s-") as name:
        folder = Path(name)
        write_ctranslate2(
            folder,
            model.recipe.model,
            model.model.state_dict(),
            model.tokenizers,
            facts.places,
            kind,
        )
        return ExportedTranslator(open_engine(folder, "cpu"), model.tokenizers, facts)


def _only(forced: Translation) -> TargetText:
    (hypothesis,) = forced.hypotheses
    return hypothesis
