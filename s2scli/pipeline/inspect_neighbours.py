"""`s2s inspect neighbours`: the training sources nearest to a sentence for the encoder."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from s2scli.data.codecs import SourceCodec
from s2scli.data.codecs.text import TextCodec
from s2scli.data.example import Values
from s2scli.data.store import Corpus
from s2scli.errors import UsageError
from s2scli.manifest import in_one_generation
from s2scli.model.seq2seq import Seq2Seq, pick_device
from s2scli.pipeline.inspect_search import read_sentence
from s2scli.report.console import Talk
from s2scli.report.counting import counting
from s2scli.translation.batches import similar_batches
from s2scli.translation.model_folder import load_model_folder
from s2scli.translation.options import Wanted
from s2scli.translation.torch_engine import translator_of
from s2scli.workspace import Workspace

ROWS = 4096  # training rows in memory at a time
BATCH_TOKENS = 8192
TARGETS = 3  # targets to keep of one source


@dataclass(frozen=True)
class Neighbour:
    """A training source.

    Attributes:
        cosine: the cosine of its mean encoder state and that of the sentence.
        number: its row in the training split, from 1; the first one if the source is repeated.
        source: the source.
        targets: its first targets.
    """

    cosine: float
    number: int
    source: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Neighbours:
    """The training sources nearest to a sentence.

    Attributes:
        source: the sentence.
        output: its translation.
        searched: the number of training rows that were compared.
        left_out: the number of rows that are too long for the model.
        nearest: the nearest sources, nearest first; no source is there twice.
    """

    source: str
    output: str
    searched: int
    left_out: int
    nearest: tuple[Neighbour, ...]


def inspect_neighbours(
    workspace: Workspace, model: Path | None, source: str, count: int, device: str, talk: Talk
) -> Neighbours:
    """Compare a sentence with every training source, by the mean of the encoder's states.

    The training split is read in windows, so that memory does not grow with it.

    Args:
        workspace: its corpus has the training split.
        model: the model folder; None is the workspace's.
        source: the sentence.
        count: the number of neighbours to return.
        device: auto, cpu, cuda or cuda:N.
        talk: shows progress.

    Raises:
        UsageError: the text is empty, or the model or the corpus is not for text.
        CorpusError: the text is too long.
        MissingInputError: there is no corpus or no model.
        CheckpointError: the corpus or the model is damaged.
    """
    folder = workspace.find_model(model)
    loaded = load_model_folder(folder, pick_device(device))
    translator = translator_of(loaded, device=pick_device(device))
    corpus_folder = workspace.find_corpus()
    corpus = in_one_generation(corpus_folder, lambda: Corpus.load(corpus_folder))
    if not (translator.sides.are_text and corpus.sides.are_text):
        raise UsageError("inspect neighbours is for models and corpora of text")
    values = read_sentence(translator, source)
    (found,) = translator.engine.search([values], translator.engine.settings, Wanted())
    states = _States(loaded.model, translator.source, translator.engine.max_source_tokens)
    query = states.of([values])[0]
    train = corpus.open_split("train")
    nearest: dict[str, Neighbour] = {}
    searched = left_out = 0
    with counting(talk, "comparing", "rows", len(train)) as advance:
        for sources, targets in _windows(train.cells()):
            kept, cosines = states.compare(sources, query)
            for index, cosine in zip(kept, cosines, strict=True):
                _add(nearest, cosine, searched + index + 1, sources[index], targets[index])
            nearest = _best(nearest, count)
            searched += len(sources)
            left_out += len(sources) - len(kept)
            advance(len(sources))
    labels = translator.source.labels(values, len(values) + 1, source)
    output = translator.target.decode(found[0].token_ids, labels) if found else ""
    return Neighbours(source, output, searched - left_out, left_out, tuple(nearest.values()))


@dataclass(frozen=True)
class _States:
    """Finds the mean encoder states of sources, at most `most` tokens long."""

    model: Seq2Seq
    codec: SourceCodec
    most: int

    def compare(self, sources: Sequence[str], query: Tensor) -> tuple[list[int], list[float]]:
        """Return the indices of the sources that fit the model, and their cosines to a state."""
        assert isinstance(self.codec, TextCodec)
        values = [self.codec.encode(source) for source in sources]
        kept = [index for index, tokens in enumerate(values) if len(tokens) <= self.most]
        if not kept:
            return [], []
        cosines = self.of([values[index] for index in kept]) @ query
        return kept, cosines.tolist()

    @torch.inference_mode()
    def of(self, values: Sequence[Values]) -> Tensor:
        """Return the mean state of each source, at length 1, [sources, D], on the CPU."""
        device = next(self.model.parameters()).device
        rows: dict[int, Tensor] = {}
        for batch in similar_batches([len(tokens) for tokens in values], BATCH_TOKENS):
            source, lengths = self.codec.pad([values[index] for index in batch])
            encoded = self.model.encode(source.to(device), lengths)
            mask = encoded.memory_mask[..., None]
            means = (encoded.memory.float() * mask).sum(1) / mask.sum(1)
            unit = torch.nn.functional.normalize(means, dim=-1).cpu()
            rows |= dict(zip(batch, unit, strict=True))
        return torch.stack([rows[index] for index in range(len(values))])


def _windows(
    cells: Iterable[tuple[list[str], list[str]]],
) -> Iterable[tuple[list[str], list[str]]]:
    """Divide batches of rows into windows of at most `ROWS` rows."""
    for sources, targets in cells:
        for start in range(0, len(sources), ROWS):
            yield sources[start : start + ROWS], targets[start : start + ROWS]


def _add(
    nearest: dict[str, Neighbour], cosine: float, number: int, source: str, target: str
) -> None:
    """Add a training row; another target of a source that is there already joins it."""
    known = nearest.get(source)
    if known is None:
        nearest[source] = Neighbour(cosine, number, source, (target,))
    elif len(known.targets) < TARGETS and target not in known.targets:
        targets = (*known.targets, target)
        nearest[source] = Neighbour(known.cosine, known.number, source, targets)


def _best(nearest: dict[str, Neighbour], count: int) -> dict[str, Neighbour]:
    ranked = sorted(nearest.values(), key=lambda one: (-one.cosine, one.number))
    return {one.source: one for one in ranked[:count]}
