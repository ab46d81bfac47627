"""The part of `s2s evaluate` that measures variational autoencoders."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from s2scli.data.batch import make_batch
from s2scli.data.codecs.image import PictureCodec
from s2scli.data.sampling import sample_rows
from s2scli.data.store import Corpus
from s2scli.data.stream import Line
from s2scli.errors import UsageError
from s2scli.model.seq2seq import Seq2Seq
from s2scli.report.console import Talk
from s2scli.report.counting import counting
from s2scli.special_ids import EOS_ID
from s2scli.training.bounds import Bounds, bounds
from s2scli.training.latent import active_units, join
from s2scli.translation.options import Options
from s2scli.translation.pairs import EncodedPair, encode_pair, pairs_of
from s2scli.translation.results import TargetText
from s2scli.translation.torch_engine import TorchEngine
from s2scli.translation.translator import Translator

PAIRS_AT_ONCE = 16
SEED = 1
SAMPLES = 10  # when recipes are compared: each sample reads the whole split
PCA_PICTURES, PCA_VALUES = 5000, 20_000_000

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class LatentScores:
    """Bounds of the log-likelihood (means over the pairs, in nats), and use of the latent vector.

    Attributes:
        pairs: the number of pairs.
        samples: the number of samples of z for each pair.
        elbo: the evidence lower bound of log p(target).
        importance_weighted: the importance-weighted bound, which is at least as high on average.
        active_units: the number of active units of z.
        latent_dim: the width of z.
        reconstruction_error: mean squared error of the outputs, for pixels from 0 to 1; None for
            texts.
        pca_error: the error of a PCA of the training pictures with `latent_dim` components; None
            for texts and without a corpus.
    """

    pairs: int
    samples: int
    elbo: float
    importance_weighted: float
    active_units: int
    latent_dim: int
    reconstruction_error: float | None = None
    pca_error: float | None = None


def evaluate_latent(
    name: str,
    sources: Sequence[str],
    references: Sequence[str],
    translator: Translator,
    corpus: Corpus | None,
    samples: int,
    talk: Talk,
) -> LatentScores:
    """Evaluate a variational autoencoder on pairs, except those that cannot be encoded.

    Reference pictures are tokenized and decoded before outputs are compared with them, so the error
    of the tokenizer is not counted.

    Args:
        name: a name of the pairs, for messages.
        sources: the sources.
        references: the targets, one for each source.
        translator: translates with the model.
        corpus: holds the training pictures for the principal components.
        samples: the number of samples of z for each pair.
        talk: shows progress.

    Raises:
        UsageError: the model has no latent vector, is an ensemble, or no pair can be measured.
    """
    model = _latent_model(translator)
    kept = _encoded(name, sources, references, translator)
    found = _bounds(model, kept, translator, samples, talk)
    latent = join([one.latent for one in found])
    error = pca = None
    if isinstance(translator.target, PictureCodec):
        error, pca = _picture_errors(kept, translator, translator.target, corpus, model.code_dim)
    return LatentScores(
        len(kept),
        samples,
        float(torch.cat([one.elbo for one in found]).mean()),
        float(torch.cat([one.importance_weighted for one in found]).mean()),
        active_units(latent.mean),
        model.code_dim,
        error,
        pca,
    )


def bounded_targets(
    name: str, sources: Sequence[str], references: Sequence[str], translator: Translator, talk: Talk
) -> list[TargetText]:
    """Return targets scored by the importance-weighted bound of their log-likelihood.

    The bound, from `SAMPLES` samples of z, is divided evenly over the tokens of a target, so that
    metrics of the likelihood can read it.

    Args:
        name: a name of the pairs, for messages.
        sources: the sources.
        references: the targets, one for each source.
        translator: translates with the model.
        talk: shows progress.

    Raises:
        UsageError: the model has attention beside its latent vector, is an ensemble, or no pair
            can be measured.
    """
    model = _latent_model(translator)
    kept = _encoded(name, sources, references, translator)
    values = torch.cat(
        [one.importance_weighted for one in _bounds(model, kept, translator, SAMPLES, talk)]
    )
    return [
        TargetText(
            one.pair.target,
            value,
            translator.target.pieces([*one.target, EOS_ID]),
            (value / (len(one.target) + 1),) * (len(one.target) + 1),
        )
        for one, value in zip(kept, values.tolist(), strict=True)
    ]


def _encoded(
    name: str, sources: Sequence[str], references: Sequence[str], translator: Translator
) -> list[EncodedPair]:
    """Return the pairs that can be encoded."""
    most = translator.engine.max_source_tokens
    pairs = pairs_of(name, sources, references)
    read = [encode_pair(pair, translator.source, translator.target, most) for pair in pairs]
    kept = [one for one in read if isinstance(one, EncodedPair)]
    if not kept:
        raise UsageError(f"{name}: no pair can be measured; expected two sides that are not blank")
    return kept


def _latent_model(translator: Translator) -> Seq2Seq:
    engine = translator.engine
    if isinstance(engine, TorchEngine) and isinstance(engine.model, Seq2Seq):
        model = engine.model
        if model.has_prior and model.code_dim:
            return model
    raise UsageError(
        "a bound of the likelihood (--importance-samples) is for one variational autoencoder "
        "without attention; train one with --recipe vae"
    )


def _bounds(
    model: Seq2Seq, pairs: Sequence[EncodedPair], translator: Translator, samples: int, talk: Talk
) -> list[Bounds]:
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(SEED)
    found = []
    with counting(talk, "measuring bounds", "pairs", len(pairs)) as advance:
        for start in range(0, len(pairs), PAIRS_AT_ONCE):
            some = pairs[start : start + PAIRS_AT_ONCE]
            batch = make_batch(
                [one.source for one in some], [one.target for one in some], translator.source.pad
            )
            found.append(bounds(model, batch.to(device), samples, generator))
            advance(len(some))
    return found


def _picture_errors(
    pairs: Sequence[EncodedPair],
    translator: Translator,
    codec: PictureCodec,
    corpus: Corpus | None,
    size: int,
) -> tuple[float, float | None]:
    """Return the error of the model's outputs, and that of a PCA if there is a corpus."""
    greedy = Options(translator.settings({"beam_size": 1}))
    lines = [Line("pair", number, one.pair.source) for number, one in enumerate(pairs, 1)]
    records = translator.translate(lines, greedy)
    written = [codec.encode(record.text).tolist() if record.best else [] for record in records]
    outputs = _vectors(written, codec)
    expected = _vectors([one.target.tolist() for one in pairs], codec)
    error = float(np.square(outputs - expected).mean())
    if corpus is None:
        return error, None
    train = corpus.open_split("train")
    most = min(PCA_PICTURES, max(1, PCA_VALUES // expected.shape[1]))
    rows = sample_rows(len(train), most)
    pictures = [codec.encode(train[int(row)].target).tolist() for row in rows]
    return error, pca_error(_vectors(pictures, codec), expected, size)


def pca_error(train: Vectors, pictures: Vectors, size: int) -> float:
    """Return the mean squared error of pictures [N, P] projected onto principal components.

    Args:
        train: the pictures from which the components are computed, [M, P].
        pictures: the pictures to measure.
        size: the number of components.
    """
    mean = train.mean(0)
    _, _, directions = np.linalg.svd(train - mean, full_matrices=False)
    kept = directions[:size]  # [size, P]
    centred = pictures - mean
    return float(np.square(centred - centred @ kept.T @ kept).mean())


def _vectors(pictures: Sequence[Sequence[int]], codec: PictureCodec) -> Vectors:
    """Decode pictures to pixels from 0 to 1, [N, P]."""
    pixels = [codec.tokenizer.decode(ids).reshape(-1) for ids in pictures]
    return np.stack(pixels).astype(np.float32) / np.float32(255)
