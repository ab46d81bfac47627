"""Validation: the loss on the validation split, and the scores of what the model really says."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from s2scli.config import Recipe
from s2scli.data.batch import Batch, make_batch
from s2scli.data.batching import Rows, plan_epoch
from s2scli.data.encoded import EncodedSplit, open_encoded
from s2scli.data.noise import damage
from s2scli.data.settings import NoiseSettings
from s2scli.data.store import Corpus, TextSplit
from s2scli.errors import CorpusError
from s2scli.metrics import METRICS
from s2scli.metrics.settings import MetricSettings
from s2scli.model.states import Gaussian
from s2scli.pipeline.translator import Translator
from s2scli.search.settings import SearchSettings
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.latent import active_units, join, kl_divergence
from s2scli.training.loop import Run
from s2scli.training.loss import score_batch
from s2scli.training.precision import autocast
from s2scli.workspace import Workspace

GREEDY = SearchSettings(beam_size=1)
TEXT_METRICS = ("bleu", "chrf", "exact_match")  # the others are slow: only where they decide


def open_validation(corpus: Corpus) -> TextSplit:
    """Open the validation split of a corpus.

    Raises:
        MissingInputError: the corpus has none.
        CorpusError: it is empty.
        CheckpointError: the corpus is damaged.
    """
    text = corpus.open_split("valid")
    if not len(text):
        raise CorpusError(
            f"{corpus.folder}: the validation split is empty; prepare more pairs, or give "
            "--valid FILE"
        )
    return text


def _batches(encoded: EncodedSplit, plan: Sequence[Rows], noise: NoiseSettings) -> Iterator[Batch]:
    """Yield the batches of a plan, with the same noise every time."""
    random = np.random.default_rng(0)
    for rows in plan:
        sources, targets = encoded.gather(rows)
        yield make_batch(damage(sources, noise, random), targets)


@dataclass(frozen=True)
class Validator:
    """Scores a run's model on a fixed sample of the validation split.

    Attributes:
        run: holds the model.
        translator: decodes with it.
        batches: the sample as token ids.
        sources: the sample's sources as text.
        references: its targets as text.
    """

    run: Run
    translator: Translator
    batches: Sequence[Batch]
    sources: Sequence[str]
    references: Sequence[str]

    @classmethod
    def prepare(
        cls, workspace: Workspace, corpus: Corpus, run: Run, recipe: Recipe, tokenizers: Tokenizers
    ) -> Self:
        """Choose the sample, evenly spread over the split.

        Raises:
            as `open_validation`.
        """
        text = open_validation(corpus)
        encoded = open_encoded(workspace.encoded, "valid")
        count = min(len(text), recipe.training.validation_examples)
        rows = np.linspace(0, len(text) - 1, count).astype(np.int64)
        plan = plan_epoch(
            encoded.source_lengths[rows],
            encoded.target_lengths[rows],
            max_tokens=recipe.training.batch_tokens,
            max_length=np.iinfo(np.int32).max,
            seed=0,
            epoch=0,
        )
        return cls(
            run,
            Translator(recipe, run.model, tokenizers, run.device),
            list(_batches(encoded, [rows[places] for places in plan], recipe.training.noise)),
            [text[int(row)].source for row in rows],
            [text[int(row)].target for row in rows],
        )

    def __call__(self) -> Mapping[str, float]:
        """Return the scores of the reference tokens, then the text scores of greedy output.

        Of the tokens: loss, perplexity and accuracy. With a latent connection, which hands over its
        mean: the loss is the whole lower bound for each token, and there are, for each sentence,
        the nats of `reconstruction` (without label smoothing) and of `kl`, and the `active_units`.
        """
        return {**self._token_scores(), **self._text_scores()}

    @torch.inference_mode()
    def _token_scores(self) -> dict[str, float]:
        objective = cross_entropy = correct = 0.0
        tokens = 0
        latents: list[Gaussian] = []
        settings = self.run.settings
        for batch in (batch.to(self.run.device) for batch in self.batches):
            with autocast(settings, self.run.device):
                output = self.run.model(batch)
                logits = self.run.model.logits(output.hidden[batch.target_mask])
            if output.latent is not None:
                latents.append(output.latent)
            target = batch.target_output[batch.target_mask]
            sums = score_batch(logits.float(), target, settings.label_smoothing)
            objective += float(sums.objective)
            cross_entropy += float(sums.cross_entropy)
            correct += float(sums.correct)
            tokens += sums.tokens
        scores = {
            "loss": objective / tokens,
            "perplexity": math.exp(min(100.0, cross_entropy / tokens)),
            "token_accuracy": 100 * correct / tokens,
        }
        if not latents:
            return scores
        latent = join(latents)
        kl = float(kl_divergence(latent).sum())
        return {
            **scores,
            "loss": (objective + kl) / tokens,
            "reconstruction": cross_entropy / len(latent.mean),
            "kl": kl / len(latent.mean),
            "active_units": active_units(latent),
        }

    def _text_scores(self) -> dict[str, float]:
        found = self.translator.search(self.sources, GREEDY, with_attention=False)
        hypotheses = [each.hypotheses[0].text if each.hypotheses else "" for each in found]
        settings = MetricSettings(resamples=0)
        return {
            name: METRICS[name](hypotheses, self.references, settings).value
            for name in METRICS
            if name in TEXT_METRICS or name == self.run.settings.metric
        }
