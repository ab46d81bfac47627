"""Resegment training text every epoch (BPE dropout, subword sampling)."""

from collections.abc import Sequence

import numpy as np

from s2scli.data.example import TokenIds
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.tokenizers import Source, Target, Tokenizers
from s2scli.training.epochs import Resegment, Segmenters, as_they_are
from s2scli.training.settings import TrainingSettings


def make_segmenters(tokenizers: Tokenizers, settings: TrainingSettings) -> Segmenters:
    """Return a resegmenter for each side; rows are unchanged if the settings turn it off."""
    return Segmenters(
        _segmenter(tokenizers.source, settings), _segmenter(tokenizers.target, settings)
    )


def _segmenter(tokenizer: Source | Target, settings: TrainingSettings) -> Resegment:
    alphas = {"bpe": settings.bpe_dropout, "unigram": settings.unigram_alpha}
    if not isinstance(tokenizer, SentencePiece):
        return as_they_are
    alpha = alphas.get(tokenizer.kind, 0.0)
    if not alpha:
        return as_they_are
    resegment = tokenizer.resegmenter(alpha)

    def segment(rows: Sequence[TokenIds], seed: int) -> list[TokenIds]:
        new = resegment([ids.tolist() for ids in rows], seed)
        return [np.array(ids, np.int32) for ids in new]

    return segment
