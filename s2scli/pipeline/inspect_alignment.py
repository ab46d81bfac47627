"""`s2s inspect alignment`: find the layer and the step whose attention aligns best."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from s2scli.data.cleaning import is_blank
from s2scli.data.store import Corpus
from s2scli.errors import CorpusError, UsageError
from s2scli.manifest import in_one_generation, is_published
from s2scli.metrics.aer import disagreement
from s2scli.metrics.links import Links
from s2scli.pipeline.inspect_attention import load_with_attention
from s2scli.report.alignment import align_pieces, align_words
from s2scli.report.attention import END, AttentionMap
from s2scli.report.console import Talk
from s2scli.report.counting import counting
from s2scli.report.heads import AttentionHeads
from s2scli.report.readings import Reading, every_reading, linked_pieces, mutual_information
from s2scli.search.shortlist import Shortlist
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.model_folder import record_reading, record_shortlist
from s2scli.translation.options import Options, Wanted
from s2scli.translation.pairs import Pair, pairs_of
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace


@dataclass(frozen=True)
class ReadingScore:
    """How well alignments of the validation pairs are read in one way.

    Attributes:
        reading: the attention weights that they are read from.
        information: the mutual information of linked pieces, in bits.
        disagreement: the AER against the best reading of the reverse model, in percent; None
            without a reverse model.
    """

    reading: Reading
    information: float
    disagreement: float | None


@dataclass(frozen=True)
class AlignmentChoice:
    """All readings of a model, and the best one.

    Attributes:
        pairs: the number of validation pairs.
        used: the reading that the model uses now.
        best: the best reading.
        scores: the score of each reading.
    """

    pairs: int
    used: Reading
    best: Reading
    scores: tuple[ReadingScore, ...]


def inspect_alignment(
    workspace: Workspace,
    model: Path | None,
    reverse: Path | None,
    most: int,
    device: str,
    talk: Talk,
) -> AlignmentChoice:
    """Align validation pairs in every way, and return which way is best.

    With a model of the reverse direction, the best reading is the one whose links disagree least
    with a reading of that model (the layer selection criterion of Chen et al. 2020, section 3.2).
    Without one, it is the reading whose links have the largest mutual information.

    Args:
        workspace: its corpus has the validation pairs.
        model: the model folder; None is the workspace's.
        reverse: the folder of a model from the target to the source language; or None.
        most: the maximum number of validation pairs.
        device: auto, cpu, cuda or cuda:N.
        talk: shows progress.

    Raises:
        MissingInputError: there is no corpus or no model.
        CheckpointError: the corpus or a model is damaged.
        UsageError: a model has no attention, or does not read and write text.
        CorpusError: a model can score no validation pair.
    """
    translator = _load(workspace.find_model(model), device)
    backward = _load(workspace.find_model(reverse), device) if reverse else None
    folder = workspace.find_corpus()
    pairs = in_one_generation(folder, lambda: _pairs(folder, "valid", most))
    found = _aligned(translator, pairs, talk)
    others = _aligned(backward, [_flipped(pair) for pair in pairs], talk) if backward else {}
    if backward:
        found = {number: heads for number, heads in found.items() if number in others}
    if not found:
        raise CorpusError(f"{folder}: the model can align no pair of the valid split")
    scores = _scores(list(found.values()), [others[n] for n in found] if others else [])
    best = min(scores, key=_badness)
    return AlignmentChoice(len(found), translator.engine.reading, best.reading, scores)


def keep_reading(workspace: Workspace, model: Path | None, reading: Reading) -> Path:
    """Record a reading with a model, and return the model's folder.

    Raises:
        LockedError: a run is writing to the workspace.
        StorageError: the disk is full or a write failed.
    """
    return _record(workspace, model, lambda folder: record_reading(folder, reading))


def keep_shortlist(workspace: Workspace, model: Path | None, device: str, talk: Talk) -> Path:
    """Align the train split, record a shortlist with a model, and return the model's folder.

    Args:
        workspace: its corpus has the training pairs.
        model: the model folder; None is the workspace's.
        device: auto, cpu, cuda or cuda:N.
        talk: shows progress.

    Raises:
        MissingInputError: there is no corpus or no model.
        CheckpointError: the corpus or the model is damaged.
        UsageError: the model has no attention, does not read and write text, or copies.
        LockedError: a run is writing to the workspace.
        StorageError: the disk is full or a write failed.
    """
    own = workspace.find_model(model)
    translator = _load(own, device)
    if translator.copier is not None:
        raise UsageError(f"{own}: a model that copies can write any token, and has no shortlist")
    folder = workspace.find_corpus()
    pairs = in_one_generation(folder, lambda: _pairs(folder, "train", None))
    shortlist = make_shortlist(translator, Tokenizers.load(own), pairs, talk)
    return _record(workspace, model, lambda into: record_shortlist(into, shortlist))


def make_shortlist(
    translator: Translator, tokenizers: Tokenizers, pairs: Sequence[Pair], talk: Talk
) -> Shortlist:
    """Return the shortlist of the links in pairs; pairs that cannot be scored are left out."""
    source, target = tokenizers.texts
    sources, targets = _ids(source), _ids(target)
    reading = translator.engine.reading
    links: defaultdict[int, Counter[int]] = defaultdict(Counter)
    counts: Counter[int] = Counter()
    for _, heads in _heads(translator, pairs, talk):
        for piece, linked in linked_pieces(reading.map(heads)):
            if piece in sources and linked in targets:
                links[sources[piece]][targets[linked]] += 1
        counts.update(targets[piece] for piece in heads.target_pieces if piece in targets)
    return Shortlist.of(links, counts, source.vocab_size)


def _ids(tokenizer: SentencePiece) -> dict[str, int]:
    return {piece: id for id, piece in enumerate(tokenizer.vocabulary)}


def _record(workspace: Workspace, model: Path | None, record: Callable[[Path], None]) -> Path:
    """Record something in a model folder, with a lock if it is that of a workspace."""
    folder = workspace.find_model(model)
    owner = workspace if model is None else Workspace(folder.resolve().parent)
    owned = owner.model.resolve() == folder.resolve() and is_published(owner.corpus)
    with owner.locked("inspect alignment") if model is None or owned else nullcontext():
        record(folder)
    return folder


def _load(folder: Path, device: str) -> Translator:
    translator = load_with_attention(folder, device)
    if not translator.sides.are_text:
        raise UsageError(f"{folder}: inspect alignment is for models that read and write text")
    return translator


def _pairs(folder: Path, split: str, most: int | None) -> list[Pair]:
    rows = [
        (row.source, row.target)
        for row in islice(iter(Corpus.load(folder).open_split(split)), most)
        if not (is_blank(row.source) or is_blank(row.target))
    ]
    return pairs_of(
        f"{split} split", [source for source, _ in rows], [target for _, target in rows]
    )


def _flipped(pair: Pair) -> Pair:
    return Pair(pair.line, pair.target, pair.source)


def _aligned(
    translator: Translator, pairs: Sequence[Pair], talk: Talk
) -> dict[int, AttentionHeads]:
    """Return the attention of each pair that the model can score, by the number of its line."""
    return dict(_heads(translator, pairs, talk))


def _heads(
    translator: Translator, pairs: Sequence[Pair], talk: Talk
) -> Iterator[tuple[int, AttentionHeads]]:
    """Yield the number of each line that the model can score, and its attention."""
    options = Options(translator.engine.settings, wanted=Wanted(attention=True))
    with counting(talk, "aligning", "pairs", len(pairs)) as advance:
        for record in translator.score(pairs, options):
            if record.translation and record.best:
                heads = record.translation.heads(record.best)
                assert heads is not None, "a model with attention"
                yield record.line.number, heads
            advance(1)


def _scores(
    found: Sequence[AttentionHeads], others: Sequence[AttentionHeads]
) -> tuple[ReadingScore, ...]:
    """Score each reading of a model, given its attention and that of a reverse model, if any."""
    backward = [
        [reading.map(heads) for heads in others]
        for reading in (every_reading(others[0].num_layers) if others else ())
    ]
    scores = []
    for reading in every_reading(found[0].num_layers):
        maps = [reading.map(heads) for heads in found]
        information = mutual_information(pair for one in maps for pair in linked_pieces(one))
        apart = min((_disagreement(maps, theirs) for theirs in backward), default=None)
        scores.append(ReadingScore(reading, information, apart))
    return tuple(scores)


def _badness(score: ReadingScore) -> float:
    return -score.information if score.disagreement is None else score.disagreement


def _disagreement(forward: Sequence[AttentionMap], backward: Sequence[AttentionMap]) -> float:
    """Return the AER between the links of two models of opposite directions, in percent."""
    links = [_both(*maps) for maps in zip(forward, backward, strict=True)]
    return disagreement([ours for ours, _ in links], [theirs for _, theirs in links])


def _both(forward: AttentionMap, backward: AttentionMap) -> tuple[Links, Links]:
    """Return the links of both models, as (source, target).

    Pieces are linked if both models cut the texts into the same ones, otherwise words.
    """
    sources, targets = forward.source_pieces, forward.target_pieces
    if (sources, targets) != (backward.target_pieces, backward.source_pieces):
        theirs = frozenset((source, target) for target, source in align_words(backward))
        return frozenset(align_words(forward)), theirs

    def inner(links: Sequence[tuple[int, int]]) -> Links:
        return frozenset((s, t) for s, t in links if END not in (sources[s], targets[t]))

    return inner(align_pieces(forward)), inner([(s, t) for t, s in align_pieces(backward)])
