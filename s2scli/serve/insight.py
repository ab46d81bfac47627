"""Translations with what their model looked at, as JSON documents for the page."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2scli.report.attention import AttentionMap, attention_document, join_words
from s2scli.report.characters import merge_bytes
from s2scli.report.map_formats import LINK
from s2scli.report.search_tree import Node, SearchTree, fate_of, label_of, runs_of
from s2scli.serve.models import Document
from s2scli.translation.records import Record
from s2scli.translation.results import TargetText, Translation

DIGITS = 3
PRUNED = 3


def record_document(record: Record) -> Document:
    """Return the translation of one line: its hypotheses with their attention maps."""
    found = record.translation
    hypotheses = [_hypothesis(found, one) for one in found.hypotheses] if found else []
    return {"source": record.source, "overlong": record.overlong, "hypotheses": hypotheses}


def _hypothesis(found: Translation, one: TargetText) -> Document:
    document: Document = {"text": one.text, "score": round(one.score, 4), "attention": None}
    heads = found.heads(one)
    if heads is None or not np.isfinite(heads.weights).all() or 0 in heads.weights.shape:
        return document
    heads = merge_bytes(heads)
    document["attention"] = {
        **map_document(found.reading.map(heads)),
        "heads": _rounded(heads.weights),  # [L, H, T, S]
    }
    return document


def map_document(attention: AttentionMap) -> Document:
    """Return a map of attention or saliency, [T, S], with the words that it links."""
    shown = attention_document(attention, LINK)
    names = ("source_pieces", "target_pieces", "map", "note", "target")
    scores = attention.token_scores
    return {
        **{name: shown[name] for name in names},
        "source_words": _words(attention.source_pieces),
        "target_words": _words(attention.target_pieces),
        "weights": _rounded(attention.weights),
        "token_scores": None if scores is None else _rounded(scores),
    }


def _words(pieces: Sequence[str]) -> list[Document]:
    """Return the words of some pieces, each with the indices of its pieces."""
    return [asdict(word) for word in join_words(pieces)]


def search_document(tree: SearchTree) -> Document:
    """Return a beam search as the lines of a tree, and its ended hypotheses, best first."""
    ranks = {finish.node: rank for rank, finish in enumerate(tree.finishes, 1)}
    lines = []
    for run in runs_of(tree):
        nodes = [tree.nodes[index] for index in run.nodes]
        lines.append(
            {
                "depth": len(run.last),
                "text": _label(nodes),
                "log_prob": round(nodes[-1].log_prob, 2) if nodes else 0.0,
                "fate": fate_of(tree, run, ranks) if nodes else "",
                "not": [_label([tree.nodes[index]]) for index in run.pruned[:PRUNED]],
            }
        )
    ended = [
        {"text": one.text, "log_prob": round(one.log_prob, 2), "score": round(one.score, 4)}
        for one in tree.finishes
    ]
    return {"settings": tree.settings, "lines": lines, "ended": ended}


def _label(nodes: list[Node]) -> str:
    return label_of([node.piece for node in nodes]) if nodes else "begin"


def _rounded(values: NDArray[Any] | tuple[float, ...]) -> Any:
    return np.round(np.asarray(values, np.float64), DIGITS).tolist()
