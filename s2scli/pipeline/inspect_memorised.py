"""`s2s inspect memorised`: which training rows a model repeats when given their beginning.

N. Carlini et al., Quantifying memorization across neural language models, 2023, definition 3.1:
a row is extractable if greedy decoding continues its beginning with the rest of it, exactly. Here
the source is given, too, so a good model also continues rows that it never saw: the held-out rows
say how many.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2scli.data.codecs.text import TextCodec
from s2scli.data.example import Example
from s2scli.data.store import SPLITS, Corpus
from s2scli.errors import CorpusError, UsageError
from s2scli.manifest import in_one_generation
from s2scli.model.seq2seq import pick_device
from s2scli.pipeline.report_card import spaced
from s2scli.report.console import Talk
from s2scli.report.counting import counting
from s2scli.translation.model_folder import load_model_folder
from s2scli.translation.options import Wanted
from s2scli.translation.torch_engine import translator_of
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace

MIN_REST = 4  # tokens with the end token: a shorter rest is easily guessed
WINDOW = 512
STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class Repeated:
    """A training row that the model repeats.

    Attributes:
        line: its line number in the corpus.
        source: the source.
        beginning: the part of the target that was given: its end, if the model writes from right
            to left.
        rest: what the model wrote after that, which is the rest of the target.
        log_prob: the mean log-probability of a token of the rest, in nats.
        tokens: the number of tokens of the rest, the end token included.
    """

    line: int
    source: str
    beginning: str
    rest: str
    log_prob: float
    tokens: int


@dataclass(frozen=True)
class SplitRepeats:
    """How many rows of a split the model continues exactly.

    Attributes:
        split: train, valid or test.
        rows: the rows that were tested.
        repeated: the rows that were continued exactly.
        left_out: the rows that are too long for the model, or whose rest is too short.
    """

    split: str
    rows: int
    repeated: int
    left_out: int

    @property
    def share(self) -> float:
        """The share of rows continued exactly, from 0 to 1."""
        return self.repeated / max(1, self.rows)


@dataclass(frozen=True)
class Memorised:
    """What a model repeats of its training rows.

    Attributes:
        splits: the counts of each split, the train split first.
        more: the share of train rows continued exactly, less that of the held-out rows; None
            without held-out rows.
        margin: two standard errors of `more`; None without held-out rows.
        rows: the training rows with the longest rests.
    """

    splits: tuple[SplitRepeats, ...]
    more: float | None
    margin: float | None
    rows: tuple[Repeated, ...]

    @property
    def sentence(self) -> str:
        """The result as a sentence."""
        if self.more is None or self.margin is None:
            return "there are no held-out rows to compare with: translation alone explains some"
        found = f"{self.more:+.1%} ± {self.margin:.1%} against held-out rows"
        if self.more > self.margin:
            return f"the model repeats training rows that it has memorised: {found}"
        return f"no more training rows are repeated than rows the model never saw: {found}"


def inspect_memorised(
    workspace: Workspace,
    model: Path | None,
    rows: int,
    prefix_share: float,
    count: int,
    device: str,
    talk: Talk,
) -> Memorised:
    """Give a model the source and the beginning of rows, and test whether it writes the rest.

    Whether greedy decoding would write the rest exactly is seen in one pass: it would if every
    token of the rest is the most probable one after the tokens before it.

    Args:
        workspace: its corpus has the rows.
        model: the model folder; None is the workspace's.
        rows: at most this many evenly spaced rows of each split are tested.
        prefix_share: the share of a target's tokens that is given.
        count: the number of rows to return.
        device: auto, cpu, cuda or cuda:N.
        talk: shows progress.

    Raises:
        UsageError: the model or the corpus is not for text.
        MissingInputError: there is no corpus or no model.
        CheckpointError: the corpus or the model is damaged.
        CorpusError: no training row can be tested.
    """
    loaded = load_model_folder(workspace.find_model(model), pick_device(device))
    translator = translator_of(loaded, device=pick_device(device))
    folder = workspace.find_corpus()
    corpus = in_one_generation(folder, lambda: Corpus.load(folder))
    if not (translator.sides.are_text and corpus.sides.are_text):
        raise UsageError("inspect memorised is for models and corpora of text")
    found: list[Repeated] = []
    splits = []
    for name in SPLITS:
        if name not in corpus.splits:
            continue
        sample = spaced(corpus.open_split(name), rows)
        with counting(talk, f"testing {name}", "rows", len(sample)) as advance:
            tested, repeated = 0, list[Repeated]()
            for start in range(0, len(sample), WINDOW):
                window = sample[start : start + WINDOW]
                some, hits = _test(translator, window, prefix_share)
                tested, repeated = tested + some, repeated + hits
                advance(len(window))
        splits.append(SplitRepeats(name, tested, len(repeated), len(sample) - tested))
        found += repeated if name == "train" else []
    if not splits[0].rows:
        raise CorpusError(f"no training row fits the model and has {MIN_REST} tokens to continue")
    longest = sorted(found, key=lambda one: (-one.tokens, -one.log_prob))[:count]
    return Memorised(tuple(splits), *_difference(splits), tuple(longest))


def _test(
    translator: Translator, rows: Sequence[Example], prefix_share: float
) -> tuple[int, list[Repeated]]:
    """Return the number of rows that can be tested, and those that are continued exactly."""
    source, target, engine = translator.source, translator.target, translator.engine
    assert isinstance(source, TextCodec) and isinstance(target, TextCodec)
    sources = [source.encode(row.source) for row in rows]
    targets = [target.encode(row.target, row.source) for row in rows]
    given = [math.floor(prefix_share * len(ids)) for ids in targets]
    kept = [
        index
        for index, ids in enumerate(targets)
        if 0 < len(sources[index]) <= engine.max_source_tokens
        and len(ids) < engine.max_source_tokens
        and len(ids) + 1 - given[index] >= MIN_REST
    ]
    forced = engine.force(
        [sources[index] for index in kept],
        [targets[index] for index in kept],
        engine.settings,
        Wanted(attention=False),
    )
    repeated = []
    for index, found in zip(kept, forced, strict=True):
        start, row = given[index], rows[index]
        if all(found.first_choices[start:]):
            ids, pieces = targets[index].tolist(), source.labels(sources[index], 0, row.source)
            if translator.copier:
                ids = translator.copier.write(ids, sources[index])
            beginning, text = target.decode(ids[:start], pieces), target.decode(ids, pieces)
            rest = text.removesuffix(beginning) if target.reverse else text.removeprefix(beginning)
            scores = found.token_scores[start:]
            repeated.append(
                Repeated(
                    row.line,
                    row.source,
                    beginning,
                    rest.strip(),
                    float(np.mean(scores)),
                    len(scores),
                )
            )
    return len(kept), repeated


def _difference(splits: Sequence[SplitRepeats]) -> tuple[float | None, float | None]:
    """Return how much larger the share of the first split is, and two standard errors of that.

    The standard error is that of Agresti and Caffo 2000, with one success and one failure added to
    each sample, so that it is right for few rows and for shares near 0.
    """
    train, held = splits[0], splits[1:]
    rows, repeated = sum(one.rows for one in held), sum(one.repeated for one in held)
    if not rows:
        return None, None
    samples = ((train.repeated, train.rows), (repeated, rows))
    shares = [((hits + 1) / (count + 2), count + 2) for hits, count in samples]
    error = math.sqrt(sum(share * (1 - share) / count for share, count in shares))
    return train.share - repeated / rows, STANDARD_ERRORS * error
