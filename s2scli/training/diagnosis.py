"""Diagnosis: what the validations of a run show to be wrong, and what to try.

`RULES` lists the rules. Each looks at all validations so far and returns advice, or "". To add a
rule, write its function and list it there. Rules pass over the first updates, and ask for several
validations in a row where one may mislead.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from s2scli.training.latent import has_collapsed
from s2scli.training.settings import TrainingSettings

EARLIEST = 100  # updates; before, a model is still close to its random start
SETTLED = 500  # updates; before, most models repeat themselves and do not look at the source yet
SHOWN = 2  # validations in a row that must show it


@dataclass(frozen=True)
class Look:
    """A validation, and the training before it.

    Attributes:
        step: updates made so far.
        scores: the validation scores, by name.
        signs: see `training.signs`.
        training_loss: the mean training loss since the validation before; NaN if none was logged.
    """

    step: int
    scores: Mapping[str, float]
    signs: Mapping[str, float] = field(default_factory=dict)
    training_loss: float = math.nan

    @property
    def loss(self) -> float:
        """The validation loss; infinite if it is not a number, and NaN if it is missing."""
        loss = self.scores.get("loss")
        return math.nan if loss is None else math.inf if math.isnan(loss) else loss

    @property
    def cross_entropy(self) -> float:
        """The validation loss without label smoothing, in nats per token."""
        perplexity = self.scores.get("perplexity", 0.0)
        return math.log(perplexity) if perplexity > 0 else math.nan

    @property
    def entropy(self) -> float:
        """The unigram entropy of the validation targets, in nats per token."""
        return self.signs.get("unigram_entropy", math.nan)

    def excess(self, sign: str) -> float:
        """Return how much more of a sign the outputs show than the references; 0 if unknown."""
        return self.signs.get(sign, 0.0) - self.signs.get(f"{sign}_reference", 0.0)


Rule = Callable[[Sequence[Look], TrainingSettings], str]


def read_looks(records: Iterable[Mapping[str, Any]]) -> list[Look]:
    """Return the looks that the records of a log hold, in order."""
    looks: list[Look] = []
    losses: list[tuple[float, float]] = []  # (loss, tokens)
    for record in records:
        if record["kind"] == "update":
            if record.get("tokens"):  # else every update was skipped
                losses.append((record.get("loss") or 0.0, record["tokens"]))
            continue
        tokens = sum(each for _, each in losses)
        mean = sum(loss * each for loss, each in losses) / tokens if tokens else math.nan
        scores, signs = (
            {name: math.nan if value is None else value for name, value in found.items()}
            for found in (record["scores"], record.get("signs", {}))
        )
        looks.append(Look(record["step"], scores, signs, mean))
        losses = []
    return looks


def diagnose(looks: Sequence[Look], settings: TrainingSettings) -> dict[str, str]:
    """Return the advice of each rule that finds something, by the name of the rule."""
    found = {name: rule(looks, settings) for name, rule in RULES.items()} if looks else {}
    return {name: advice for name, advice in found.items() if advice}


def new_findings(looks: Sequence[Look], settings: TrainingSettings) -> dict[str, str]:
    """Return what the last validation finds and the one before did not, by rule."""
    before = diagnose(looks[:-1], settings)
    found = diagnose(looks, settings)
    return {name: advice for name, advice in found.items() if name not in before}


def _trained(looks: Sequence[Look]) -> list[Look]:
    return [look for look in looks if look.step >= EARLIEST]


def _lasts(looks: Sequence[Look], shows: Callable[[Look], bool]) -> bool:
    """Return whether the last validations of a settled model all show something."""
    settled = [look for look in looks if look.step >= SETTLED][-SHOWN:]
    return len(settled) == SHOWN and all(map(shows, settled))


def _same_output(looks: Sequence[Look], settings: TrainingSettings) -> str:
    if not _lasts(
        looks, lambda look: look.signs.get("same", 0) >= 0.8 and look.excess("same") > 0.4
    ):
        return ""
    return (
        f"{looks[-1].signs['same']:.0%} of the validation sources get the same output: the decoder "
        "has learned to write without reading the source; look at pairs (s2s inspect corpus) to "
        "see that they belong together, train longer, or try another "
        "training.optimizer.learning_rate"
    )


def _source_copied(looks: Sequence[Look], settings: TrainingSettings) -> str:
    if not _lasts(looks, lambda look: look.excess("copied") >= 0.4):
        return ""
    signs = looks[-1].signs
    return (
        f"{signs['copied']:.0%} of the words of the outputs are copied from the source, but only "
        f"{signs['copied_reference']:.0%} of the words of the references are: probably many "
        "training pairs have the same text on both sides; remove them and prepare the corpus again"
    )


def _unknown_words(looks: Sequence[Look], settings: TrainingSettings) -> str:
    if not _lasts(looks, lambda look: look.excess("unknown") >= 0.1):
        return ""
    return (
        f"{looks[-1].signs['unknown']:.0%} of the words of the outputs are unknown (⁇): the "
        "tokenizer's vocabulary does not cover the targets; train another tokenizer (s2s "
        "train-tokenizer) with --byte-fallback, a larger --vocab-size, or without "
        "--character-coverage"
    )


def _repetitions(looks: Sequence[Look], settings: TrainingSettings) -> str:
    if not _lasts(looks, lambda look: look.excess("repeated") >= 0.2):
        return ""
    signs = looks[-1].signs
    return (
        f"the outputs repeat themselves: {signs['repeated']:.0%} of their substrings occur twice, "
        f"in the references {signs['repeated_reference']:.0%}: the decoder loses track of what it "
        "has written; train longer, use a model with attention, or translate with "
        "--no-repeat-ngram 4"
    )


def _constant_attention(looks: Sequence[Look], settings: TrainingSettings) -> str:
    """A model that has learned less than token frequencies has other rules."""

    def constant(look: Look) -> bool:
        learned = look.cross_entropy < 0.95 * look.entropy
        return learned and look.signs.get("attention_change", 1) < 0.02

    if not _lasts(looks, constant):
        return ""
    return (
        "attention has collapsed: it is the same at every step of an output, so that it cannot "
        "choose between source words (s2s inspect attention shows it); try a lower "
        "training.optimizer.learning_rate, more updates of warm-up "
        "(training.schedule.warmup_steps), or another model.attention.kind"
    )


def _unigram_loss(looks: Sequence[Look], settings: TrainingSettings) -> str:
    def near(look: Look) -> bool:
        return 0.9 * look.entropy < look.cross_entropy < 1.1 * look.entropy

    if not _lasts(looks, near) or looks[-1].cross_entropy < 0.98 * looks[-2].cross_entropy:
        return ""
    return (
        f"the loss is stuck at {looks[-1].cross_entropy:.2f} nats per token, and knowing how "
        f"frequent each token is gives {looks[-1].entropy:.2f}: nothing else has been learned; try "
        "a third of training.optimizer.learning_rate, or three times as much, and look at pairs "
        "(s2s inspect corpus) to see that they belong together"
    )


def _overfitting(looks: Sequence[Look], settings: TrainingSettings) -> str:
    trained = _trained(looks)
    if len(trained) <= SHOWN:
        return ""
    best = min(trained, key=lambda look: look.loss)
    since = trained[trained.index(best) + 1 :]
    last = trained[-1]
    rises = all(look.loss > 1.02 * best.loss for look in since)
    if len(since) < SHOWN or not rises or not last.training_loss < best.training_loss:
        return ""
    return (
        f"overfitting: since step {best.step} the validation loss has risen from "
        f"{best.loss:.2f} to {last.loss:.2f} while the training loss fell from "
        f"{best.training_loss:.2f} to {last.training_loss:.2f}; use more data, more dropout "
        "(model.encoder.dropout, model.decoder.dropout) or a smaller model"
    )


def _rate_too_high(looks: Sequence[Look], settings: TrainingSettings) -> str:
    if len(_trained(looks)) < SHOWN:
        return ""
    last, losses = looks[-1], [look.loss for look in looks]
    trained = [look.training_loss for look in looks if not math.isnan(look.training_loss)]
    lowest = min(trained, default=math.nan)
    untrained = math.inf if looks[0].step else 1.05 * losses[0]
    worse_than_untrained = losses[-1] > untrained and last.training_loss > untrained
    both_rise = last.training_loss > 1.1 * lowest and losses[-1] > 1.1 * min(losses)
    if not (worse_than_untrained or both_rise):
        return ""
    return (
        f"the training loss rises (now {last.training_loss:.2f}, at best {lowest:.2f}) and so does "
        f"the validation loss (now {losses[-1]:.2f}, at best {min(losses):.2f}): the learning rate "
        f"is too high; start again (--restart) with --learning-rate "
        f"{settings.optimizer.learning_rate / 3:.2g}, or more training.schedule.warmup_steps"
    )


def _rate_too_low(looks: Sequence[Look], settings: TrainingSettings) -> str:
    first, last = looks[0], looks[-1]
    factor = settings.schedule.factor
    warming_up = factor(last.step + 1) > factor(max(1, last.step))
    if first.step or len(_trained(looks)) < SHOWN or warming_up:
        return ""
    to_learn = first.cross_entropy - last.entropy
    learned = first.cross_entropy - last.cross_entropy
    still_falls = last.cross_entropy < min(look.cross_entropy for look in looks[:-1])
    slow = max(learned, first.loss - last.training_loss) < 0.5 * to_learn
    if not (to_learn > 0.2 and still_falls and slow):
        return ""
    return (
        f"the loss falls very slowly, from {first.cross_entropy:.2f} to {last.cross_entropy:.2f} "
        f"nats per token in {last.step} updates, and knowing how frequent each token is gives "
        f"{last.entropy:.2f}: the learning rate is too low; start again (--restart) with "
        f"--learning-rate {settings.optimizer.learning_rate * 10:.2g}"
    )


def _kl_collapse(looks: Sequence[Look], settings: TrainingSettings) -> str:
    kl, step = looks[-1].scores.get("kl"), looks[-1].step
    if kl is None or not has_collapsed(kl, settings.kl, step):
        return ""
    return (
        f"the posterior has collapsed ({kl:.3f} nats of KL per sentence): the decoder ignores the "
        "latent vector, so samples will not depend on it; start again (--restart) with more "
        "training.kl.free_bits, a slower training.kl.annealing, or more "
        "training.target_token_dropout"
    )


def _source_ignored(looks: Sequence[Look], settings: TrainingSettings) -> str:
    """A latent vector that collapses has its own rule."""

    def ignores(look: Look) -> bool:
        gain = look.signs.get("source_gain", math.inf)
        return look.cross_entropy < 0.9 * look.entropy and gain < 0.01 * look.cross_entropy

    if "kl" in looks[-1].scores or not _lasts(looks, ignores):
        return ""
    return (
        "the model has learned to write targets, but predicts them as well from the source of "
        "another pair: probably one side of the corpus is misaligned (a line missing or added); "
        "compare the sides of pairs with s2s inspect corpus"
    )


RULES: Mapping[str, Rule] = {
    "same output": _same_output,
    "source copied": _source_copied,
    "unknown words": _unknown_words,
    "repetitions": _repetitions,
    "constant attention": _constant_attention,
    "unigram loss": _unigram_loss,
    "overfitting": _overfitting,
    "learning rate too high": _rate_too_high,
    "learning rate too low": _rate_too_low,
    "posterior collapse": _kl_collapse,
    "misaligned sides": _source_ignored,
}
