"""Attention weights as numbers: the map, its summary and the words it links."""

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2scli.scripts import is_unspaced

WORD_BEGIN = "▁"
END = "</s>"
TICK = 5
NOTE = (
    "Attention shows where the decoder looked; it is not an explanation of why it chose a word "
    "(Jain and Wallace 2019)."
)


@dataclass(frozen=True)
class AttentionMap:
    """How much each target piece looked at each source piece.

    Attributes:
        source_pieces: the S pieces of the source, with the end token.
        target_pieces: the T pieces of the target, with the end token.
        weights: [T, S]; each row is a distribution over the source.
        token_scores: the log-probability of each target piece, [T], or None.
        source: the source as text; if empty, its pieces are joined.
        target: the target as text; if empty, its pieces are joined.
        name: the layer and head, for display; empty if the decoder has only one map.
        source_axis: what the source pieces count, such as seconds; empty if they are tokens. Only
            some of such pieces get a label.
        p_copy: the probability of copying at each target piece, [T]; empty if the model does not
            copy.
        copied_from: the index of the source piece that each target piece was copied from, or
            None, [T]; empty as `p_copy` is.
        measure: what the weights are.
        note: what they mean.
    """

    source_pieces: tuple[str, ...]
    target_pieces: tuple[str, ...]
    weights: NDArray[np.float32]
    token_scores: tuple[float, ...] | None = None
    source: str = ""
    target: str = ""
    name: str = ""
    source_axis: str = ""
    p_copy: tuple[float, ...] = ()
    copied_from: tuple[int | None, ...] = ()
    measure: str = "attention"
    note: str = NOTE

    def __post_init__(self) -> None:
        shape = (len(self.target_pieces), len(self.source_pieces))
        if self.weights.shape != shape or 0 in shape:
            raise ValueError(
                f"attention weights: expected the shape {shape} of the pieces, found "
                f"{self.weights.shape}"
            )

    @property
    def texts(self) -> tuple[str, str]:
        """The source and the target as text."""
        return (
            self.source or join_pieces(self.source_pieces),
            self.target or join_pieces(self.target_pieces),
        )

    @property
    def axis_title(self) -> str:
        """The title of the source's axis."""
        return f"source ({self.source_axis})" if self.source_axis else "source"

    def ticks(self, apart: int) -> range:
        """Return the columns that get a label: all tokens, or multiples of 5 on other axes.

        Args:
            apart: the columns that a label needs.
        """
        step = -(-apart // TICK) * TICK if self.source_axis else 1
        return range(0, len(self.source_pieces), step)

    @property
    def entropies(self) -> NDArray[np.float64]:
        """The entropy of each row in bits, [T], from 0 (one source piece) to log2 S (uniform)."""
        weights = self.weights.astype(np.float64)
        logs = np.log2(weights, out=np.zeros_like(weights), where=weights > 0)
        bits: NDArray[np.float64] = np.abs((weights * logs).sum(axis=1))
        return bits

    @property
    def best(self) -> NDArray[np.intp]:
        """The index of the source piece with the largest weight, for each target piece, [T]."""
        columns: NDArray[np.intp] = self.weights.argmax(axis=1)
        return columns


@dataclass(frozen=True)
class AttentionSummary:
    """An attention map in four numbers.

    Attributes:
        mean_entropy_bits: the mean of the rows' entropies.
        max_entropy_bits: the entropy of uniform rows, log2 S.
        coverage: the mean over the source of min(1, attention received), as in the coverage
            penalty of Wu et al. 2016 (equation 14).
        end_mass: the share of all attention on the source's end token, or end tokens if it was
            split.
    """

    mean_entropy_bits: float
    max_entropy_bits: float
    coverage: float
    end_mass: float


@dataclass(frozen=True)
class Word:
    """A word: the pieces of a sequence from `start` to `stop` (exclusive), joined."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True)
class Link:
    """A target word and the source words it is linked to, each with its weight."""

    target: Word
    sources: tuple[tuple[Word, float], ...]


def summarize(attention: AttentionMap) -> AttentionSummary:
    """Return the summary of a map."""
    received = attention.weights.sum(axis=0, dtype=np.float64)  # [S]
    at_end = received[[piece == END for piece in attention.source_pieces]].sum()
    return AttentionSummary(
        mean_entropy_bits=float(attention.entropies.mean()),
        max_entropy_bits=float(np.log2(len(attention.source_pieces))),
        coverage=float(np.minimum(received, 1.0).mean()),
        end_mass=float(at_end / max(received.sum(), np.finfo(np.float64).tiny)),
    )


def join_pieces(pieces: Sequence[str]) -> str:
    """Return the text of a sequence of pieces, without the end token."""
    kept = pieces[:-1] if pieces and pieces[-1] == END else pieces
    return "".join(kept).replace(WORD_BEGIN, " ").strip()


def join_words(pieces: Sequence[str]) -> list[Word]:
    """Join pieces into words: ▁ and punctuation begin a word, and the end token is a word.

    Pieces are not joined in a script without spaces, or if the whole text is a single word.
    """
    starts = [index for index in range(len(pieces)) if _begins_word(pieces, index)]
    after_ends = {index + 1 for index, piece in enumerate(pieces) if piece == END}
    begun = [
        start
        for start in starts
        if pieces[start] != END
        and (start not in after_ends or pieces[start].startswith(WORD_BEGIN))
    ]
    if len(begun) <= 1:
        starts = list(range(len(pieces)))
    words = []
    for start, stop in zip(starts, [*starts[1:], len(pieces)], strict=True):
        text = "".join(pieces[start:stop])
        words.append(Word(text.replace(WORD_BEGIN, "") or WORD_BEGIN, start, stop))
    return words


def link_words(attention: AttentionMap, threshold: float) -> list[Link]:
    """Return each target word with its source words of weight >= `threshold`, largest first.

    The weight between two words is summed over the pieces of the source word and averaged over
    those of the target word, so that a target word's weights sum to 1.
    """
    sources = join_words(attention.source_pieces)
    summed = np.add.reduceat(attention.weights, [word.start for word in sources], axis=1)
    links = []
    for target in join_words(attention.target_pieces):
        weights = summed[target.start : target.stop].mean(axis=0)  # [source words]
        order = np.argsort(-weights, kind="stable")
        found = ((sources[i], float(weights[i])) for i in order if weights[i] >= threshold)
        links.append(Link(target, tuple(found)))
    return links


def attention_document(attention: AttentionMap, threshold: float) -> dict[str, Any]:
    """Return a map as a JSON document: the weights with their pieces, the summary, the links."""
    source, target = attention.texts
    return {
        "source": source,
        "target": target,
        "source_pieces": list(attention.source_pieces),
        "target_pieces": list(attention.target_pieces),
        "map": attention.name,
        "weights": attention.weights.tolist(),
        "token_scores": None if attention.token_scores is None else list(attention.token_scores),
        **(_copying(attention) if attention.p_copy else {}),
        "summary": asdict(summarize(attention)),
        "threshold": threshold,
        "alignment": [
            {
                "target": link.target.text,
                "sources": [{"source": word.text, "weight": w} for word, w in link.sources],
            }
            for link in link_words(attention, threshold)
        ],
        "note": attention.note,
    }


def _copying(attention: AttentionMap) -> dict[str, Any]:
    return {"p_copy": list(attention.p_copy), "copied_from": list(attention.copied_from)}


def _begins_word(pieces: Sequence[str], index: int) -> bool:
    piece = pieces[index]
    if index == 0 or piece.startswith(WORD_BEGIN):
        return True
    before = pieces[index - 1]
    if END in (piece, before):  # a line that was split has one after each part
        return True
    if before == WORD_BEGIN:
        return False
    return _is_punctuation(piece) or is_unspaced(piece) or is_unspaced(before)


def _is_punctuation(piece: str) -> bool:
    return all(unicodedata.category(character)[0] == "P" for character in piece)
