"""`s2s inspect saliency`: which source token caused which target token."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from s2scli.data.batch import Batch, make_batch
from s2scli.data.codecs import SourceCodec
from s2scli.data.example import Values
from s2scli.errors import CorpusError, UsageError
from s2scli.model.seq2seq import Seq2Seq
from s2scli.pipeline.inspect_search import read_sentence
from s2scli.report.attention import WORD_BEGIN, AttentionMap
from s2scli.report.characters import merge_bytes
from s2scli.report.console import Talk
from s2scli.report.counting import counting
from s2scli.report.heads import AttentionHeads
from s2scli.search.saliency import (
    METHODS,
    DeletionTest,
    Method,
    Pair,
    Question,
    deletion_test,
    incompleteness,
)
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import EOS_ID
from s2scli.translation import torch_engine
from s2scli.translation.model_folder import load_model_folder
from s2scli.translation.options import Wanted
from s2scli.translation.translator import Translator

CPU = torch.device("cpu")  # libraries of GPUs have no gradients of recurrent networks in evaluation
NAMES: dict[Method, str] = {
    "gradient": "input x gradient",
    "integrated": "integrated gradients",
    "erasure": "erasure",
}
NOTE = (
    "Weights are the shares of the source tokens that raised the value of a target token: its "
    "log-probability, or of a contrast, its log-probability minus that of the other word."
)

Spell: TypeAlias = Callable[[Sequence[int]], tuple[str, ...]]
"""Returns the pieces of a target with its end token."""


@dataclass(frozen=True)
class Asked:
    """What a user asks about a sentence.

    Attributes:
        source: the sentence.
        target: the target; None is the model's own translation.
        method: how saliency is measured.
        instead: a word that the model could have written instead; None explains every token.
        test: whether to delete source tokens to test the result.
        settings: how the model's own translation is searched for; None is as the model has it.
    """

    source: str
    target: str | None = None
    method: Method = "erasure"
    instead: str | None = None
    test: bool = True
    settings: SearchSettings | None = None


@dataclass(frozen=True)
class SaliencyMap:
    """The saliency of each source piece for each target piece.

    Attributes:
        map: the shares of the source pieces that raise the value of a target piece.
        method: how it was measured.
        values: the saliency in nats, [rows][columns]; negative if a piece lowers the value.
        deletion: the test; None if it was not asked for, or if the source is a single token.
        incompleteness: of integrated gradients, the largest error of a sum as a share of what it
            should be; None for other methods.
    """

    map: AttentionMap
    method: Method
    values: tuple[tuple[float, ...], ...]
    deletion: DeletionTest | None
    incompleteness: float | None


def inspect_saliency(folder: Path, asked: Asked, talk: Talk) -> SaliencyMap:
    """Return which source pieces caused which target pieces.

    Args:
        folder: the model folder.
        asked: the sentence and what to explain.
        talk: shows the progress of the test.

    Raises:
        UsageError: the text is empty, the model does not read and write text, or reads no end
            token, or `instead` is in the target already.
        CorpusError: the text is too long, or the search found no translation.
        CheckpointError: the model is damaged.
        MissingInputError: there is no model in `folder`.
    """
    loaded = load_model_folder(folder, CPU)
    if not loaded.tokenizers.sides.are_text:
        raise UsageError(f"{folder}: inspect saliency is for models that read and write text")
    translator = torch_engine.translator_of(loaded, device=CPU)
    if not translator.reads_end:
        raise UsageError(
            f"{folder}: inspect saliency is for models that read an end token after a source; see "
            "where this one looks with `s2s inspect attention`"
        )
    return explain(loaded.model, translator, asked, talk)


def explain(model: Seq2Seq, translator: Translator, asked: Asked, talk: Talk) -> SaliencyMap:
    """Return which source pieces caused which target pieces.

    Args:
        model: the model, in evaluation mode, on the CPU.
        translator: the same model as a translator from text to text.
        asked: the sentence and what to explain.
        talk: shows the progress of the test.

    Raises:
        UsageError: the text is empty, or `instead` is in the target already or does not fit the
            model.
        CorpusError: the text is too long, or the search found no translation.
    """
    values = read_sentence(translator, asked.source)
    ids = _target_of(translator, asked, values)
    labels = translator.source.labels(values, len(values) + 1, asked.source)
    whole = Question(model, pairing(translator.source), (*values.tolist(), EOS_ID), ids)

    def spell(target: Sequence[int]) -> tuple[str, ...]:
        return translator.target.pieces(whole.written(target), labels)

    question, rows = whole, spell(ids)
    if asked.instead is not None:
        if translator.target.reverse:
            raise UsageError("--instead is for models that write from left to right")
        word = translator.target.encode(asked.instead, asked.source).tolist()
        question, rows = _contrast(whole, word, spell)
    saliency = METHODS[asked.method](question)
    gap = incompleteness(question, saliency) if asked.method == "integrated" else None
    deletion = None
    if asked.test and len(values) > 1:
        with counting(talk, "deleting", "target tokens", len(rows)) as advance:
            deletion = deletion_test(question, saliency, advance)
    scores = question.of_variants([question.source])[0]
    order = np.arange(len(rows))
    if translator.target.reverse:  # in reading order
        order[:-1] = order[:-1][::-1]
    heads = AttentionHeads(
        labels,
        tuple(rows[index] for index in order),
        saliency.astype(np.float32)[None, None, order],
        tuple(scores[order].tolist()) if asked.instead is None else None,
        asked.source,
        translator.target.decode(whole.written(ids), labels),
    )
    return _shown(merge_bytes(heads, add=True), asked, deletion, gap)


def pairing(codec: SourceCodec) -> Pair:
    """Return what puts variants of a source and a target into a batch.

    Args:
        codec: the codec of the source, which pads them.
    """

    def pair(sources: Sequence[Sequence[int]], target: Sequence[int]) -> Batch:
        rows = [np.array(source, np.int32) for source in sources]
        return make_batch(rows, [np.array(target, np.int32)] * len(rows), codec.pad)

    return pair


def _target_of(translator: Translator, asked: Asked, values: Values) -> tuple[int, ...]:
    """Return the tokens of the target, as the corpus holds them, with the end token."""
    most = translator.engine.max_source_tokens
    if asked.target is not None:
        ids = translator.target.encode(asked.target, asked.source).tolist()
        if len(ids) > most:
            raise CorpusError(
                f"the target is too long: {len(ids):,} tokens, the model accepts at most {most:,}"
            )
        return (*ids, EOS_ID)
    settings = (asked.settings or translator.engine.settings).model_copy(update={"mbr": 0})
    (found,) = translator.engine.search([values], settings, Wanted())
    if not found:
        raise CorpusError("the search found no translation of this text; give one with --target")
    written = found[0].token_ids
    return tuple(translator.copier.unwrite(written, values)) if translator.copier else written


def _contrast(
    question: Question, word: Sequence[int], spell: Spell
) -> tuple[Question, tuple[str, ...]]:
    """Return the question why the target does not have this word, and the label of its row.

    The place is the begin of the word of the target to which the other word is the closest rival.
    The tokens compared there are the first ones that differ.

    Raises:
        UsageError: the word is empty, or the target has it at every place.
    """
    pieces = spell(question.target)
    starts = [at for at, piece in enumerate(pieces) if at == 0 or piece.startswith(WORD_BEGIN)]
    places = [_difference(question.target, word, start) for start in starts]
    choices = [place for place in places if place is not None]
    if not choices:
        raise UsageError(
            "--instead: all words of the target are this one or begin with it; expected another"
        )
    others = [replace(question, at=at, instead=token) for at, token in choices]
    best = min(others, key=lambda one: float(one.of_variants([question.source])[0, 0]))
    assert best.at is not None and best.instead is not None
    other, _ = spell([best.instead, EOS_ID])
    return best, (f"{pieces[best.at]} not {other.removeprefix(WORD_BEGIN)}",)


def _difference(target: Sequence[int], word: Sequence[int], start: int) -> tuple[int, int] | None:
    """Return the first index at which the target differs from a word at `start`, and its token."""
    for offset, token in enumerate(word):
        if start + offset == len(target):
            return None
        if target[start + offset] != token:
            return start + offset, token
    return None


def _shown(
    heads: AttentionHeads, asked: Asked, deletion: DeletionTest | None, gap: float | None
) -> SaliencyMap:
    values = heads.weights[0, 0]
    raised = np.maximum(values, 0.0)
    shares = raised / np.maximum(raised.sum(axis=1, keepdims=True), 1e-12)
    name = [NAMES[asked.method]]
    if gap is not None:
        name.append(f"sums are right within {gap:.1%}")
    if deletion:
        name.append(
            f"deletion test: correlation {deletion.correlation:.2f}, mean fall "
            f"{deletion.most_first:.2f} nats (least first: {deletion.least_first:.2f})"
        )
    return SaliencyMap(
        AttentionMap(
            heads.source_pieces,
            heads.target_pieces,
            shares.astype(np.float32),
            heads.token_scores,
            heads.source,
            heads.target,
            " · ".join(name),
            measure="saliency",
            note=NOTE,
        ),
        asked.method,
        tuple(tuple(row) for row in values.tolist()),
        deletion,
        gap,
    )
