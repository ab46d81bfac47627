"""`s2s evaluate --noise`: score a model again on sources with noise."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from s2scli.data.settings import NoiseTestSettings, SurfaceNoise
from s2scli.data.surface_noise import noisy, random_for
from s2scli.metrics.bootstrap import interval_of
from s2scli.metrics.score import Score

if TYPE_CHECKING:
    from s2scli.pipeline.evaluate import Evaluation, Texts


@dataclass(frozen=True)
class Fall:
    """A score on sources with noise, beside the one on clean sources.

    Attributes:
        score: the score.
        difference: the score minus the one on clean sources.
        interval: the ends of the 95 % interval of the difference, from the same resampled test
            sets (Koehn 2004); None without resamples.
    """

    score: Score
    difference: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class NoiseScores:
    """The scores with one kind of noise.

    Attributes:
        kind: the kind of noise.
        rate: the share of the words that get it.
        changed: the number of pairs with a changed source.
        failed: the number of sentences that could not be translated.
        falls: one for each metric.
    """

    kind: str
    rate: float
    changed: int
    failed: int
    falls: tuple[Fall, ...]

    def as_json(self) -> dict[str, Any]:
        """Convert to a JSON document."""
        return {
            "kind": self.kind,
            "rate": self.rate,
            "changed": self.changed,
            "failed": self.failed,
            "scores": [
                {
                    **fall.score.as_json(),
                    "difference": fall.difference,
                    "difference_interval": fall.interval,
                }
                for fall in self.falls
            ],
        }


def evaluate_noise(
    texts: "Texts",
    clean: "Evaluation",
    settings: NoiseTestSettings,
    again: Callable[["Texts"], "Evaluation"],
) -> tuple[NoiseScores, ...]:
    """Score sources with each kind of noise, and compare the scores with those of clean sources.

    Args:
        texts: the clean sources and the references.
        clean: their scores.
        settings: the kinds, the rate and the seed.
        again: scores other texts in the same way.
    """
    found = []
    for kind in settings.kinds:
        other = with_noise(texts, kind, settings)
        scored = again(other)
        pairs = zip(texts.sources, other.sources, strict=True)
        found.append(
            NoiseScores(
                kind,
                settings.noise_rate,
                sum(before != after for before, after in pairs),
                scored.failed,
                tuple(map(_fall, clean.scores, scored.scores)),
            )
        )
    return tuple(found)


def with_noise(texts: "Texts", kind: str, settings: NoiseTestSettings) -> "Texts":
    """Return the texts with noise in the sources; equal sources get equal noise.

    The noise of a source depends only on the seed and the number of the first pair that has it.
    """
    noise = SurfaceNoise.model_validate({kind: settings.noise_rate})
    known: dict[str, str] = {}
    for number, source in enumerate(texts.sources, 1):
        if source not in known:
            known[source] = noisy(source, noise, random_for(settings.noise_seed, number))
    sources = tuple(known[source] for source in texts.sources)
    return replace(texts, name=f"{texts.name} with {kind}", sources=sources)


def _fall(clean: Score, score: Score) -> Fall:
    both = zip(clean.resampled, score.resampled, strict=False)  # a metric may have none
    differences = [after - before for before, after in both]
    return Fall(score, score.value - clean.value, interval_of(differences))
