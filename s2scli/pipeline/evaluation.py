"""What `s2s evaluate` found, and the file in which a workspace keeps it."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2scli.errors import StorageError
from s2scli.files import write_file
from s2scli.manifest import encode_json
from s2scli.metrics.diversity import Diversity
from s2scli.metrics.score import Score
from s2scli.metrics.sentences import Example
from s2scli.report.console import Talk
from s2scli.settings import Tree
from s2scli.sides import TEXT
from s2scli.translation.model_card import HeldOut
from s2scli.workspace import Workspace

if TYPE_CHECKING:
    from s2scli.pipeline.evaluate_latent import LatentScores
    from s2scli.pipeline.evaluate_noise import NoiseScores

KEPT, TEST = "evaluation.json", "test"
OPTIONAL = ("bits_per_pixel", "latent", "diversity")


@dataclass(frozen=True)
class Diversities:
    """How much the outputs repeat each other, and how much the references do."""

    outputs: Diversity
    references: Diversity


@dataclass(frozen=True)
class Speed:
    """The speed of the search in wall-clock time; end tokens count as target tokens."""

    seconds: float
    sentences_per_second: float
    tokens_per_second: float


@dataclass(frozen=True)
class Evaluation:
    """The scores and a description of what was scored.

    Attributes:
        scored: a description of the scored text.
        sentences: the number of scored sentences.
        scores: one for each requested metric.
        speed: the speed of the search; None if nothing was translated.
        failed: the number of sentences that could not be translated; they count as empty outputs.
        overlong: the number of sentences that were too long for the model; they were translated
            in parts.
        search: the search settings, by name; empty if nothing was translated.
        int8: whether the model's weights were rounded to 8 bits.
        unscored: the number of pairs that perplexity and token accuracy leave out, because they
            are blank, too long, or made the model fail.
        changed: the names in `search` whose values differ from the model's own settings.
        examples: some of the sentences, best first; empty if none were requested.
        bits_per_pixel: the exact negative log-likelihood of the target pictures, per pixel, end
            tokens included; None unless the tokens are black and white, `nats` is requested, and
            the model has no latent vector.
        latent: the bounds of a variational autoencoder, if requested.
        diversity: how much the outputs repeat each other, if requested.
        noun: what was scored: sentences, recordings or pictures.
        noise: the scores with each requested kind of noise in the sources.
        command: the command that makes the scores again; "" if they are not of the workspace's own
            model on a split of its corpus.
        model: the digest of this model; "" likewise.
    """

    scored: str
    sentences: int
    scores: tuple[Score, ...]
    speed: Speed | None = None
    failed: int = 0
    overlong: int = 0
    search: Tree = field(default_factory=dict)
    int8: bool = False
    unscored: int = 0
    changed: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    bits_per_pixel: float | None = None
    latent: "LatentScores | None" = None
    diversity: Diversities | None = None
    noun: str = TEXT.noun
    noise: tuple["NoiseScores", ...] = ()
    command: str = ""
    model: str = ""

    def as_json(self) -> dict[str, Any]:
        """Convert to a JSON document, without the measurements of OPTIONAL that are None."""
        tree = asdict(replace(self, scores=(), examples=(), noise=()))
        for name in OPTIONAL:
            if tree[name] is None:
                del tree[name]
        del tree["noise"], tree["model"]
        if self.noise:
            tree["noise"] = [scores.as_json() for scores in self.noise]
        return {
            **tree,
            "scores": [score.as_json() for score in self.scores],
            "examples": [example.as_json() for example in self.examples],
        }


def save_evaluation(evaluation: Evaluation, workspace: Workspace, talk: Talk) -> None:
    """Write the evaluation and the digest of the scored model to `evaluation.json`.

    The scores were already shown, so a failure to write the file is only a warning.
    """
    document = {"model": evaluation.model, **evaluation.as_json()}
    try:
        write_file(workspace.root / KEPT, encode_json(document))
    except StorageError as error:
        talk.warn(f"the scores were not saved: {error}")


def read_test_scores(model: Path, digest: str) -> HeldOut | None:
    """Return the scores on the test split that were saved beside a model folder.

    None if there are none: nothing was saved, or scores of another split or another model, or what
    is there cannot be read.

    Args:
        model: the model folder.
        digest: the digest of its manifest.
    """
    try:
        document = json.loads((model.resolve().parent / KEPT).read_bytes())
        if document["model"] != digest or document["scored"] != f"{TEST} split":
            return None
        scores = tuple(map(_score_of, document["scores"]))
        return HeldOut(int(document["sentences"]), scores, str(document["command"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _score_of(tree: Tree) -> Score:
    """Return a score from its JSON document."""
    interval = tree["interval"] and (float(tree["interval"][0]), float(tree["interval"][1]))
    return Score(str(tree["name"]), float(tree["value"]), str(tree["signature"]), interval or None)
