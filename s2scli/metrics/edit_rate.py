"""Edit rates: edits as a percentage of the references' symbols."""

from collections.abc import Callable, Sequence

from s2scli.metrics.bootstrap import bootstrap_signature, interval_of, resampled_ratios
from s2scli.metrics.edit_distance import edit_distance
from s2scli.metrics.score import Score
from s2scli.metrics.settings import MetricSettings


def edit_rate(
    name: str,
    hypotheses: Sequence[str],
    references: Sequence[str],
    symbols_of: Callable[[str], Sequence[str]],
    signature: str,
    settings: MetricSettings,
) -> Score:
    """Return edits as a percentage of the references' symbols.

    An empty reference counts as one symbol.

    Args:
        name: the name of the score.
        hypotheses: the outputs.
        references: the reference of each output.
        symbols_of: divides a text into symbols.
        signature: the signature of the score, without the bootstrap.
        settings: the metric settings, with the number of resamples.
    """
    pairs = [
        (symbols_of(hypothesis), symbols_of(reference))
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]
    edits = [100.0 * edit_distance(*pair) for pair in pairs]
    lengths = [float(max(1, len(reference))) for _, reference in pairs]
    resampled = resampled_ratios(edits, lengths, settings.resamples)
    return Score(
        name,
        sum(edits) / sum(lengths),
        f"{signature}{bootstrap_signature(settings.resamples)}",
        interval_of(resampled),
        resampled,
    )
