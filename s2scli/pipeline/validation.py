"""Validation: the loss on the validation split, and the text scores of greedy output."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch

from s2scli.config import Recipe
from s2scli.data.batch import Batch, make_batch
from s2scli.data.batching import Rows, plan_epoch
from s2scli.data.codecs import source_codec
from s2scli.data.encoded import EncodedSplit, open_encoded
from s2scli.data.noise import damage
from s2scli.data.settings import NoiseSettings
from s2scli.data.store import Corpus, TextSplit
from s2scli.data.stream import Line
from s2scli.errors import CheckpointError, CorpusError
from s2scli.metrics import METRICS, USUAL_METRICS, usual_metrics
from s2scli.metrics.settings import MetricSettings
from s2scli.model.states import Gaussian
from s2scli.search.settings import SearchSettings
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.latent import active_units, join, kl_divergence
from s2scli.training.loop import Run
from s2scli.training.loss import score_batch
from s2scli.training.precision import autocast
from s2scli.training.signs import model_signs, output_signs, unigram_entropy
from s2scli.translation.model_search import ModelSearch
from s2scli.translation.options import Options
from s2scli.translation.torch_engine import TorchEngine
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace

WITHOUT_INTERVALS = MetricSettings(resamples=0)


def open_validation(corpus: Corpus) -> TextSplit:
    """Open the validation split of a corpus.

    Raises:
        MissingInputError: the corpus has no validation split.
        CorpusError: the validation split is empty.
        CheckpointError: the corpus is damaged.
    """
    text = corpus.open_split("valid")
    if not len(text):
        raise CorpusError(
            f"{corpus.folder}: the validation split is empty; prepare a larger corpus, or give "
            "--valid FILE to s2s prepare"
        )
    return text


def _batches(
    encoded: EncodedSplit, plan: Sequence[Rows], own: Sequence[Rows], noise: NoiseSettings
) -> Iterator[Batch]:
    """Yield this process's shares of the batches of a plan, with the same source noise every time.

    The noise is drawn before a batch is shared, so it does not depend on the number of processes.

    Args:
        encoded: the validation split.
        plan: the rows of each batch.
        own: the indices into these rows that this process reads, likewise; some may be empty.
        noise: the settings of the noise.
    """
    random = np.random.default_rng(0)
    for rows, indices in zip(plan, own, strict=True):
        sources, targets = encoded.gather(rows)
        damaged = damage(sources, noise, random)
        if len(indices):
            yield make_batch(
                [damaged[index] for index in indices],
                [targets[index] for index in indices],
                encoded.pad,
            )


def perplexity_of(cross_entropy: float) -> float:
    """Return e to a cross-entropy in nats per token, of at most 100; that of NaN is NaN."""
    return math.exp(min(cross_entropy, 100.0))


@dataclass(frozen=True)
class Validator:
    """Scores a run's model on a fixed sample of the validation split.

    Attributes:
        run: the run with the model.
        translator: translates with the model.
        batches: this process's share of the sample, as token ids.
        lines: the sources of the sample.
        references: the targets of the sample, as text.
        own: the indices of the lines that this process translates, [lines].
        entropy: the unigram entropy of the targets, in nats per token.
        signs: what the last validation measured for a diagnosis (`training.signs`).
    """

    run: Run
    translator: Translator
    batches: Sequence[Batch]
    lines: Sequence[Line]
    references: Sequence[str]
    own: Rows
    entropy: float
    signs: dict[str, float] = field(default_factory=dict)

    @classmethod
    def prepare(
        cls, workspace: Workspace, corpus: Corpus, run: Run, recipe: Recipe, tokenizers: Tokenizers
    ) -> Self:
        """Choose an evenly spaced sample of the split and batch this process's share of it.

        Raises:
            MissingInputError: the corpus has no validation split.
            CorpusError: the validation split is empty.
            CheckpointError: the corpus or the encoded corpus is damaged.
            MissingExtraError: the package of the metric `training.metric` is not installed.
        """
        if (metric := METRICS.get(run.criterion.name)) and metric.needs == "outputs":
            metric.function([""], [""], WITHOUT_INTERVALS)  # stops here if its package is missing
        text = open_validation(corpus)
        copier = recipe.copier(tokenizers)
        codec = source_codec(tokenizers.source, copier)
        encoded = open_encoded(
            workspace.encoded,
            "valid",
            corpus,
            codec,
            reads=tokenizers.reads,
            target_size=tokenizers.target.vocab_size,
            copying=copier is not None,
        )
        if len(encoded) != len(text):
            raise CheckpointError(
                f"{workspace.encoded}: {len(encoded):,} validation rows, the corpus has "
                f"{len(text):,}; make it again with `s2s train-tokenizer`"
            )
        count = min(len(text), recipe.training.validation_examples)
        rows = np.linspace(0, len(text) - 1, count).astype(np.int64)
        source_lengths, target_lengths = (
            lengths[rows] for lengths in encoded.lengths(0, len(encoded))
        )
        plan = plan_epoch(
            source_lengths,
            target_lengths,
            max_tokens=recipe.training.batch_tokens,
            max_length=np.iinfo(np.int32).max,
            seed=0,
            epoch=0,
        )
        lengths = source_lengths + target_lengths
        share = run.world.share
        shares = [share(np.arange(len(batch)), lengths[batch]) for batch in plan]
        return cls(
            run,
            Translator.of(
                TorchEngine((recipe,), ModelSearch(run.model, run.device, codec)),
                tokenizers,
                copier=copier,
            ),
            list(_batches(encoded, [rows[batch] for batch in plan], shares, recipe.training.noise)),
            [Line("the validation split", int(row) + 1, text[int(row)].source) for row in rows],
            [text[int(row)].target for row in rows],
            share(np.arange(len(rows)), lengths),
            unigram_entropy(encoded.gather(rows)[1]),
        )

    def __call__(self) -> Mapping[str, float]:
        """Return the token scores of the references and the text scores of greedy output.

        The token scores are loss, perplexity and token accuracy. A latent connection uses the mean
        of the posterior. Its loss is the negative evidence lower bound (ELBO) per token, and there
        are three more scores: `reconstruction` (without label smoothing) and `kl`, in nats per
        sentence, and `active_units`.
        """
        self.signs.clear()
        self.signs["unigram_entropy"] = self.entropy
        for batch in self.batches[len(self.batches) // 2 :][:1]:
            self.signs.update(model_signs(self.run.model, batch, self.run.settings))
        return {**self._token_scores(), **self._text_scores()}

    @torch.inference_mode()
    def _token_scores(self) -> dict[str, float]:
        objective = cross_entropy = correct = 0.0
        tokens = 0
        latents: list[Gaussian] = []
        settings, world = self.run.settings, self.run.world
        for batch in (batch.to(self.run.device) for batch in self.batches):
            with autocast(settings, self.run.device):
                output = self.run.model(batch)
                logits = self.run.model.logits(batch.at_targets(output.hidden))
            if output.latent is not None:
                latents.append(output.latent)
            sums = score_batch(
                logits.float(),
                batch.target_tokens,
                settings.label_smoothing,
                self.run.model.vocab_size,
            )
            objective += float(sums.objective)
            cross_entropy += float(sums.cross_entropy)
            correct += float(sums.correct)
            tokens += sums.tokens
        objective, cross_entropy = world.sum(objective), world.sum(cross_entropy)
        correct, tokens = world.sum(correct), world.sum(tokens)
        scores = {
            "loss": objective / tokens,
            "perplexity": perplexity_of(cross_entropy / tokens),
            "token_accuracy": 100 * correct / tokens,
        }
        if not world.agree(bool(latents)):
            return scores
        latent = join(latents) if latents else None  # a process may have no batch
        kl = world.sum(float(kl_divergence(latent).sum()) if latent else 0.0)
        means = world.gather(latent.mean.tolist() if latent else [])
        return {
            **scores,
            "loss": (objective + kl) / tokens,
            "reconstruction": cross_entropy / len(means),
            "kl": kl / len(means),
            "active_units": active_units(torch.tensor(means)),
        }

    def _text_scores(self) -> dict[str, float]:
        """Score greedy outputs; a line that fails counts as an empty output.

        Pictures have none: metrics of texts do not compare them.
        """
        if self.translator.sides.target:
            return {}
        world = self.run.world
        mine = [self.lines[line] for line in self.own]
        records = list(self.translator.translate(mine, Options(self.greedy)))
        outputs = zip(self.own.tolist(), (record.text for record in records), strict=True)
        hypotheses = [text for _, text in sorted(world.gather(list(outputs)))]
        sources = [line.text for line in self.lines]
        self.signs.update(output_signs(sources, hypotheses, self.references))
        settings, names = WITHOUT_INTERVALS, self._metrics
        shared = world.share(np.arange(len(names)), np.ones(len(names), np.int32)).tolist()
        values = [
            (number, METRICS[names[number]].function(hypotheses, self.references, settings).value)
            for number in shared
        ]
        scores = {names[number]: value for number, value in sorted(world.gather(values))}
        failed = world.sum(sum(record.status == "failed" for record in records))
        return {**scores, "failed_lines": failed} if failed else scores

    @property
    def greedy(self) -> SearchSettings:
        """The settings of a greedy search with the recipe's weight of the CTC layer."""
        return SearchSettings(beam_size=1, ctc_weight=self.translator.engine.settings.ctc_weight)

    @property
    def _metrics(self) -> Sequence[str]:
        """The names of the metrics of outputs to compute."""
        chosen = self.run.criterion.name
        usual = {*USUAL_METRICS, *usual_metrics(self.translator.sides)}
        return [
            name
            for name, metric in METRICS.items()
            if name in usual or (name == chosen and metric.needs == "outputs")
        ]
