"""The options of `s2s evaluate`, and which of them fit together."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from s2scli.data.lines import STDIN
from s2scli.data.row_stream import names_pairs
from s2scli.data.settings import BY_NAME, InputSettings, NoiseTestSettings
from s2scli.errors import UsageError
from s2scli.metrics import METRICS, PICTURE_METRICS, usual_metrics
from s2scli.settings import flag_of
from s2scli.sides import Sides

NO_NOISE = NoiseTestSettings()
METRICS_OF_PICTURES = (*PICTURE_METRICS, "token_accuracy")


@dataclass(frozen=True)
class EvaluateRequest:
    """The options of `s2s evaluate`.

    Attributes:
        metrics: names from METRICS; empty means the default metrics of the model's sides.
        split: the split of the corpus to score; test if neither a split nor files are given.
        source: a file to translate.
        hypothesis: a file of outputs, scored without a model.
        reference: a file with the reference targets of `source` or `hypothesis`.
        output: the file to write the translations to; a path that ends in .tsv gets a table of
            the sentences instead.
        models: model folders to use instead of the workspace's; several form an ensemble.
        device: auto, cpu, cuda or cuda:N.
        multi_reference: accept the targets of all rows with the same source.
        int8: round the model's weights to 8 bits.
        examples: the number of sentences to show.
        importance_samples: the number of samples of z per pair, for the bounds of a variational
            autoencoder; 0 computes no bounds.
        diversity: whether to measure how much outputs and references repeat each other.
        noise: the noise with which sources are scored again.
        reading: the format and the fields of files.
        tag: the tag to put in front of each source of a file.
    """

    metrics: tuple[str, ...]
    split: str | None = None
    source: Path | None = None
    hypothesis: Path | None = None
    reference: Path | None = None
    output: Path | None = None
    models: tuple[Path, ...] = ()
    device: str = "auto"
    multi_reference: bool = False
    int8: bool = False
    examples: int = 0
    importance_samples: int = 0
    diversity: bool = False
    noise: NoiseTestSettings = NO_NOISE
    reading: InputSettings = BY_NAME
    tag: str = ""

    @property
    def of_workspace(self) -> bool:
        """Whether the workspace's own model is scored on the workspace's corpus, without int8."""
        return not (self.models or self.source or self.hypothesis or self.int8)

    def needing(self, needs: Literal["outputs", "model"]) -> list[str]:
        """Return the requested metrics that need the outputs, or those that need the model."""
        return [name for name in self.metrics if METRICS[name].needs == needs]

    def for_pictures(self) -> "EvaluateRequest":
        """Return the request with the metrics of pictures if those of texts were not chosen.

        Raises:
            UsageError: a metric of texts, a file of outputs or --multi-reference is requested.
        """
        given = {
            "-o": self.output,
            "--multi-reference": self.multi_reference,
            "--diversity": self.diversity,
            "--noise": self.noise.kinds,
        }
        for flag in (flag for flag, value in given.items() if value):
            raise UsageError(f"{flag} is for text, and the target is pictures")
        if not self.metrics:
            return replace(self, metrics=PICTURE_METRICS, examples=0)
        if texts := [name for name in self.metrics if name not in METRICS_OF_PICTURES]:
            raise UsageError(f"{flag_of(texts[0])} compares texts, and the target is pictures")
        both = ("nats",) * ("perplexity" in self.metrics and "nats" not in self.metrics)
        return replace(self, metrics=(*self.metrics, *both), examples=0)

    @property
    def searches(self) -> bool:
        """Whether translations are needed."""
        asked = not self.metrics or self.needing("outputs")  # the default metrics need outputs
        return self.output is not None or self.examples > 0 or self.diversity or bool(asked)

    @property
    def wants_table(self) -> bool:
        """Whether the output is a table of the sentences."""
        return self.output is not None and self.output.suffix.lower() == ".tsv"

    @property
    def scores_sentences(self) -> bool:
        """Whether each sentence gets its own score."""
        return self.wants_table or self.examples > 0

    def with_metrics(self, sides: Sides) -> "EvaluateRequest":
        """Return the request with the default metrics for these sides if none are requested.

        Raises:
            UsageError: --noise is requested, and the source is not text.
        """
        if self.noise.kinds and sides.source:
            raise UsageError("--noise is for text, and the model reads another kind of source")
        return replace(self, metrics=self.metrics or usual_metrics(sides))

    @property
    def _has_pairs(self) -> bool:
        """Whether the file of sources has the references, too."""
        only = self.source is not None and not self.hypothesis
        return only and self.source is not None and names_pairs(self.source, self.reading)

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of pairs, or those of the sources (or outputs) and of the references."""
        first = self.hypothesis or self.source
        return tuple(path for path in (first, self.reference) if path)

    def check(self) -> None:
        """Check that the flags do not contradict each other.

        Raises:
            UsageError: the flags contradict each other; the message says what to give instead.
        """
        for name in self.metrics:
            if name not in METRICS:
                raise UsageError(f"unknown metric {name!r}; expected one of {', '.join(METRICS)}")
        if self.source and self.hypothesis and not self.multi_reference:
            raise UsageError("give either --source (to translate it) or --hypothesis, not both")
        if (self.source or self.hypothesis) and not self.reference and not self._has_pairs:
            given = "--source" if self.source else "--hypothesis"
            raise UsageError(f"{given} needs --reference FILE with the reference targets")
        if self.reference and not (self.source or self.hypothesis):
            raise UsageError("--reference also needs --source FILE or --hypothesis FILE")
        if not self.files and self.reading.model_fields_set:
            flag = flag_of(min(self.reading.model_fields_set))
            raise UsageError(f"{flag} is for files: give --source FILE")
        if self.tag and (self.hypothesis or not self.files):
            raise UsageError("--tag is for the sources of a file: give --source FILE")
        if self.tag and self.importance_samples:
            raise UsageError("--importance-samples needs the tag in the file: leave --tag out")
        if self.files and self.split:
            raise UsageError("give either --split or files, not both")
        forced = self.needing("model")
        if self.hypothesis and forced:
            flag = flag_of(forced[0])
            raise UsageError(f"{flag} needs a model: give --source instead of --hypothesis")
        if self.split:
            from s2scli.data.store import require_split

            require_split(self.split)
        if self.multi_reference and not self.searches:
            raise UsageError("--multi-reference needs outputs: give a metric of outputs")
        if self.multi_reference and self.hypothesis and not self.source:
            raise UsageError(
                "--multi-reference with --hypothesis also needs --source FILE, with the source of "
                "each output: one line for each reference"
            )
        if self.hypothesis and self.source and self.reference:
            _require_readable_twice(self.reference)
        if self.hypothesis and self.models:
            raise UsageError("--hypothesis is scored without a model: leave --model out")
        if self.hypothesis and self.int8:
            raise UsageError("--int8 needs a model: give --source instead of --hypothesis")
        if self.hypothesis and self.importance_samples:
            raise UsageError("--importance-samples needs a model: give --source instead")
        if self.hypothesis and self.noise.kinds:
            raise UsageError("--noise needs a model: give --source instead of --hypothesis")
        if self.hypothesis and self.output and not self.wants_table:
            raise UsageError(
                "-o with --hypothesis writes only a table: give -o FILE.tsv for the score of every "
                "sentence, or leave out -o"
            )


def _require_readable_twice(reference: Path) -> None:
    """Check that references can be read beside the outputs, and again beside the sources.

    Raises:
        UsageError: they come from stdin or a pipe.
    """
    if reference == STDIN or reference.is_fifo():
        raise UsageError(
            f"--reference {reference} is read twice, beside --hypothesis and beside --source: "
            "write it to a file"
        )
