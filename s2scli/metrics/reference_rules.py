"""The rules that choose one of several references for each output."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from s2scli.metrics.edit_distance import closest
from s2scli.metrics.settings import MetricSettings


@dataclass(frozen=True)
class ReferenceRule:
    """How one of several references is chosen.

    Attributes:
        name: its name in signatures.
        choose: takes the outputs, the references of each output and the metric settings, and
            returns one reference for each output.
    """

    name: str
    choose: Callable[[Sequence[str], Sequence[Sequence[str]], MetricSettings], list[str]]


def closest_references(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], settings: MetricSettings
) -> list[str]:
    """Return the references with the fewest edits of words; see `closest`."""
    return [closest(*pair) for pair in zip(hypotheses, references, strict=True)]


def best_references(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    score: Callable[[str, str], float],
) -> list[str]:
    """Return the reference of each output with the highest score, the first on ties.

    Args:
        hypotheses: the outputs.
        references: the references of each output.
        score: scores an output against a reference.
    """
    return [
        max(candidates, key=lambda reference: score(hypothesis, reference))
        if len(candidates) > 1
        else candidates[0]
        for hypothesis, candidates in zip(hypotheses, references, strict=True)
    ]


CLOSEST = ReferenceRule("closest", closest_references)


def closest_rule(settings: MetricSettings) -> ReferenceRule:
    """Return the rule of metrics that have none of their own."""
    return CLOSEST
