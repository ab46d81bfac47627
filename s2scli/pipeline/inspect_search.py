"""`s2s inspect search`: what the beam search does with a sentence, step by step."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from s2scli.data.example import Values
from s2scli.data.stream import Line
from s2scli.errors import CorpusError, UsageError
from s2scli.report.search_tree import Finish, Node, SearchTree
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.ranking import normalise
from s2scli.search.settings import SearchSettings
from s2scli.search.trace import Trace
from s2scli.settings import Tree
from s2scli.special_ids import EOS_ID
from s2scli.translation import torch_engine
from s2scli.translation.lines import plan_line
from s2scli.translation.options import Wanted
from s2scli.translation.torch_engine import TorchEngine
from s2scli.translation.translator import Translator


def inspect_search(
    folders: Sequence[Path], source: str, overrides: Tree, device: str
) -> SearchTree:
    """Search for the translation of a sentence, and return what the search did.

    Args:
        folders: the model folder; several are an ensemble.
        source: a sentence, or the path of a recording or a picture.
        overrides: search settings that differ from the model's own.
        device: auto, cpu, cuda or cuda:N.

    Raises:
        UsageError: the text is empty, or the settings sample.
        ConfigError: a search setting is wrong.
        CorpusError: the sentence is too long, or the file cannot be read.
        CheckpointError: the model is damaged.
        MissingInputError: there is no model.
    """
    translator = torch_engine.load(*folders, device=device)
    settings = translator.settings(overrides)
    if settings.sample:
        raise UsageError("this model samples, and inspect search shows a beam search")
    return trace_search(translator, source, settings)


def trace_search(translator: Translator, source: str, settings: SearchSettings) -> SearchTree:
    """Search for the translation of a sentence, and return what the search did.

    Args:
        translator: a model in PyTorch.
        source: a sentence, or the path of a recording or a picture.
        settings: the settings of a beam search.

    Raises:
        UsageError: the text is empty.
        CorpusError: the sentence is too long, or the file cannot be read.
    """
    engine = translator.engine
    assert isinstance(engine, TorchEngine)
    values, trace = read_sentence(translator, source), Trace()
    wanted = Wanted(attention=translator.has_attention)
    (found,) = engine.search([values], settings, wanted, observer=trace)
    positions = engine.positions(translator.source.length(values))
    labels = translator.source.labels(values, positions, source)
    return _tree(source, labels, trace, found, settings, translator)


def read_sentence(translator: Translator, source: str) -> Values:
    """Return what the model reads of one sentence, recording or picture.

    Raises:
        UsageError: the text is empty.
        CorpusError: it is too long, or the file cannot be read.
    """
    most = translator.engine.max_source_tokens
    plan = plan_line(Line("the text", 1, source), translator.source, most, "error")
    if plan.fault:
        raise CorpusError(plan.fault)
    if len(plan.parts) != 1:
        raise UsageError("the text is empty, or a recording with long pauses; expected a sentence")
    return plan.parts[0].values


def _tree(
    source: str,
    labels: Sequence[str],
    trace: Trace,
    found: Sequence[Hypothesis],
    settings: SearchSettings,
    translator: Translator,
) -> SearchTree:
    """Return the search with the spelling of its tokens."""
    pieces = translator.target.pieces([branch.token for branch in trace.branches], labels)
    nodes = tuple(
        Node(branch.parent, branch.step, piece, branch.log_prob, branch.fate, branch.score)
        for branch, piece in zip(trace.branches, pieces, strict=True)
    )
    coverages = {one.token_ids: _coverage(one) for one in found}
    finishes = []
    for index, branch in enumerate(trace.branches):
        if branch.score is None:
            continue
        tokens = _tokens(trace, index)
        finishes.append(
            Finish(
                index,
                translator.target.decode([id for id in tokens if id != EOS_ID], labels),
                branch.step,
                branch.log_prob,
                normalise(
                    branch.log_prob, branch.step, settings.length_penalty, settings.length_offset
                ),
                branch.score,
                coverages.get(tokens),
            )
        )
    finishes.sort(key=lambda finish: -finish.score)
    return SearchTree(source, _in_words(settings), nodes, tuple(finishes))


def _tokens(trace: Trace, index: int) -> tuple[int, ...]:
    """Return the tokens of a branch, from the first one."""
    tokens = []
    at: int | None = index
    while at is not None:
        tokens.append(trace.branches[at].token)
        at = trace.branches[at].parent
    return tuple(tokens[::-1])


def _coverage(found: Hypothesis) -> float | None:
    """Return the mean over the source of min(1, attention received), averaged over the heads."""
    if found.attention_weights is None:
        return None
    received = found.attention_weights.mean(axis=1).sum(axis=0)  # [S]
    return float(np.minimum(received, 1.0).mean())


def _in_words(settings: SearchSettings) -> str:
    """Return the settings that are read and have an effect, in words."""
    defaults = SearchSettings().model_dump()
    shown = {"beam_size", "length_penalty"}
    words = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in settings.model_dump().items()
        if name not in settings.unread and (name in shown or value != defaults[name])
    ]
    return ", ".join(words)
