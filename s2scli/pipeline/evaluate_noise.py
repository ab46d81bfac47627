"""`s2s evaluate --noise`: score a model again on sources with noise."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from s2scli.data.settings import NoiseTestSettings, SurfaceNoise
from s2scli.data.surface_noise import noisy, random_for
from s2scli.metrics.bootstrap import interval_of
from s2scli.metrics.score import Score
from s2scli.tags import divide_tag, tagged


@dataclass(frozen=True)
class Rescored:
    """The scores of sources with noise, and the number of sentences not translated."""

    scores: Sequence[Score]
    failed: int


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
    sources: Sequence[str],
    clean: Sequence[Score],
    settings: NoiseTestSettings,
    again: Callable[[str, Sequence[str]], Rescored],
    tags: Collection[str] = (),
) -> tuple[NoiseScores, ...]:
    """Score sources with each kind of noise, and compare the scores with those of clean sources.

    Args:
        sources: the clean sources.
        clean: their scores.
        settings: the kinds, the rate and the seed.
        again: scores the sources with one kind of noise in the same way.
        tags: the tags that a source can have in front of it, which get no noise.
    """
    found = []
    for kind in settings.kinds:
        noisy_sources = with_noise(sources, kind, settings, tags)
        scored = again(kind, noisy_sources)
        changed = sum(map(str.__ne__, sources, noisy_sources))
        falls = tuple(map(_fall, clean, scored.scores))
        found.append(NoiseScores(kind, settings.noise_rate, changed, scored.failed, falls))
    return tuple(found)


def with_noise(
    sources: Sequence[str], kind: str, settings: NoiseTestSettings, tags: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the sources with noise, but for their tags; equal sources get equal noise.

    The noise of a source depends only on the seed and the number of the first pair that has it.
    """
    noise = SurfaceNoise.model_validate({kind: settings.noise_rate})
    known: dict[str, str] = {}
    for number, source in enumerate(sources, 1):
        if source not in known:
            tag, text = divide_tag(source, tags)
            changed = noisy(text, noise, random_for(settings.noise_seed, number))
            known[source] = tagged(tag, changed) if tag else changed
    return tuple(known[source] for source in sources)


def _fall(clean: Score, score: Score) -> Fall:
    both = zip(clean.resampled, score.resampled, strict=False)  # a metric may have none
    differences = [after - before for before, after in both]
    return Fall(score, score.value - clean.value, interval_of(differences))
