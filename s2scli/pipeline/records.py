"""Records as text: plain, with scores, Moses n-best lists, JSON."""

import json
import re
from collections.abc import Callable

from s2scli.pipeline.lines import Record
from s2scli.pipeline.translation import TargetText

SEPARATORS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
NOT_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029]")

Clean = Callable[[str], str]
RecordFormat = Callable[[int, Record, Clean], str]
"""Takes the line's index (the first is 0), its record, and what makes a hypothesis fit to print."""


def one_line(text: str) -> str:
    """Return `text` with every character that somebody takes for a line end as a space."""
    return SEPARATORS.sub(" ", text)


def plain_record(index: int, record: Record, clean: Clean) -> str:
    """Return the best hypothesis."""
    return clean(record.best)


def scored_record(index: int, record: Record, clean: Clean) -> str:
    """Return score TAB best hypothesis; without a hypothesis the score is 0."""
    found = record.translation and record.translation.hypotheses
    return f"{found[0].score if found else 0:.4f}\t{clean(record.best)}"


def moses_record(index: int, record: Record, clean: Clean) -> str:
    """Return a line `index ||| hypothesis ||| score` for each hypothesis, as Moses does."""
    found = record.translation.hypotheses if record.translation else ()
    listed = [(clean(hypothesis.text), hypothesis.score) for hypothesis in found] or [("", 0.0)]
    return "\n".join(f"{index} ||| {text} ||| {score:.4f}" for text, score in listed)


def json_record(index: int, record: Record, clean: Clean) -> str:
    """Return a JSON object on one line.

    All lists of a hypothesis run over its tokens, the end token included. `alignment` pairs each
    with the source token it attended to most, as `source-target` (Pharaoh).
    """
    found = record.translation
    document = {
        "line": index + 1,
        "status": record.status,
        "source": record.line.text,
        "translation": one_line(record.best),
        "hypotheses": [_hypothesis(one) for one in found.hypotheses] if found else [],
        "source_tokens": found.source_pieces if found else [],
    }
    if record.fault:
        document["fault"] = record.fault
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    return NOT_IN_JSON.sub(lambda character: f"\\u{ord(character.group()):04x}", text)


def _hypothesis(hypothesis: TargetText) -> dict[str, object]:
    return {
        "text": one_line(hypothesis.text),
        "score": round(hypothesis.score, 6),
        "tokens": hypothesis.pieces,
        "token_scores": [round(score, 6) for score in hypothesis.token_scores],
        "alignment": pharaoh(hypothesis),
    }


def pharaoh(hypothesis: TargetText) -> str | None:
    """Return `source-target` pairs, one for each target token; None without attention."""
    weights = hypothesis.mean_attention
    if weights is None:
        return None
    sources = weights.argmax(axis=1)
    return " ".join(f"{source}-{target}" for target, source in enumerate(sources))
