"""Change training text every epoch: surface noise, BPE dropout, subword sampling."""

from collections.abc import Iterator, Sequence
from random import Random

import numpy as np

from s2scli.data.example import TokenIds
from s2scli.data.settings import NoiseSettings
from s2scli.data.surface_noise import noisy
from s2scli.special_ids import UNK_ID
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.tokenizers import Source, Target, Tokenizers
from s2scli.training.epochs import Resegment, Segmenters, as_they_are
from s2scli.training.settings import TrainingSettings


def make_segmenters(tokenizers: Tokenizers, settings: TrainingSettings) -> Segmenters:
    """Return what changes each side; rows are unchanged if the settings turn it off.

    Sources get noise, and then both sides are resegmented.
    """
    source = _segmenter(tokenizers.source, settings)
    return Segmenters(
        _with_noise(tokenizers.source, settings.noise, source),
        _segmenter(tokenizers.target, settings),
    )


def unread_settings(tokenizers: Tokenizers, settings: TrainingSettings) -> Iterator[str]:
    """Yield each setting that is on and that the tokenizers cannot follow, and why."""
    both = (tokenizers.source, tokenizers.target)
    kinds = {one.kind for one in both if isinstance(one, SentencePiece)}
    for kind, (name, alpha) in _alphas(settings).items():
        if alpha and kind not in kinds:
            found = " and ".join(sorted(kinds)) or "no text"
            yield f"{name}: neither tokenizer is {kind} (found {found})"
    if _has_noise(settings.noise) and not isinstance(tokenizers.source, SentencePiece):
        yield "training.noise: the sources are no text"


def _alphas(settings: TrainingSettings) -> dict[str, tuple[str, float]]:
    """Return, for each kind of tokenizer, the setting that varies its segmentation."""
    return {
        "bpe": ("training.bpe_dropout", settings.bpe_dropout),
        "unigram": ("training.unigram_alpha", settings.unigram_alpha),
    }


def _segmenter(tokenizer: Source | Target, settings: TrainingSettings) -> Resegment:
    if not isinstance(tokenizer, SentencePiece):
        return as_they_are
    _, alpha = _alphas(settings).get(tokenizer.kind, ("", 0.0))
    if not alpha:
        return as_they_are
    resegment = tokenizer.resegmenter(alpha)

    def segment(rows: Sequence[TokenIds], seed: int) -> list[TokenIds]:
        new = resegment([ids.tolist() for ids in rows], seed)
        return [np.array(ids, np.int32) for ids in new]

    return segment


def _has_noise(noise: NoiseSettings) -> bool:
    return bool(noise.share) and noise.is_noisy


def _with_noise(tokenizer: Source, noise: NoiseSettings, then: Resegment) -> Resegment:
    """Return what adds surface noise to texts, and then calls `then`.

    Texts with unknown tokens stay clean, because their ids do not say how they are written. In a
    model that copies, unknown tokens have ids after those of the vocabulary.
    """
    if not _has_noise(noise) or not isinstance(tokenizer, SentencePiece):
        return then

    tags = set(tokenizer.tags.values())

    def is_known(ids: TokenIds) -> bool:
        return UNK_ID not in ids and int(ids.max(initial=0)) < tokenizer.vocab_size

    def encoded(text: str, before: TokenIds) -> TokenIds:
        tag = [int(id) for id in before[:1] if id in tags]  # is no part of the text
        return np.array([*tag, *tokenizer.encode(text)], np.int32)

    def segment(rows: Sequence[TokenIds], seed: int) -> Sequence[TokenIds]:
        random = Random(f"{seed} noise")
        chosen = [random.random() < noise.share and is_known(ids) for ids in rows]
        clean = [
            tokenizer.decode(ids) if one else "" for ids, one in zip(rows, chosen, strict=True)
        ]
        texts = [noisy(text, noise, random) for text in clean]
        new = [
            ids if text == before else encoded(text, ids)
            for ids, before, text in zip(rows, clean, texts, strict=True)
        ]
        return then(new, seed)

    return segment
