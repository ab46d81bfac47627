"""`s2s evaluate`: score a model on a split or on files, or score existing outputs."""

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from s2scli.data.cleaning import is_blank
from s2scli.data.codecs.image import PictureCodec
from s2scli.data.codecs.text import one_line
from s2scli.data.lines import STDIN
from s2scli.data.row_stream import names_pairs, open_pairs
from s2scli.data.rows import require_examples
from s2scli.data.settings import BY_NAME, InputSettings, NoiseTestSettings
from s2scli.data.stream import Line
from s2scli.errors import (
    CheckpointError,
    CorpusError,
    MissingInputError,
    StorageError,
    UsageError,
)
from s2scli.files import new_file, require_writable, write_file
from s2scli.manifest import encode_json, in_one_generation, read_manifest
from s2scli.metrics import METRICS, PICTURE_METRICS, usual_metrics
from s2scli.metrics.diversity import Diversity, diversity
from s2scli.metrics.reference_rules import closest_references
from s2scli.metrics.score import Score
from s2scli.metrics.sentences import Example, Sentence, choose_examples, score_sentences
from s2scli.metrics.settings import MetricSettings
from s2scli.pipeline.reproducing import evaluating_command
from s2scli.report.console import Talk
from s2scli.report.counting import Advance, counting
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree, flag_of
from s2scli.sides import TEXT, Sides
from s2scli.tokenizer.pictures import Bits
from s2scli.translation.loading import load_in_torch
from s2scli.translation.model_card import HeldOut
from s2scli.translation.options import Options
from s2scli.translation.pairs import pairs_of
from s2scli.translation.records import Record
from s2scli.translation.results import TargetText
from s2scli.translation.tally import NAMED
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace

if TYPE_CHECKING:
    from s2scli.data.store import Corpus
    from s2scli.pipeline.evaluate_latent import LatentScores
    from s2scli.pipeline.evaluate_noise import NoiseScores

MANY_REPEATS = 0.02
KEPT, TEST = "evaluation.json", "test"
NO_NOISE = NoiseTestSettings()
OPTIONAL = ("bits_per_pixel", "latent", "diversity")
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


@dataclass(frozen=True)
class Texts:
    """Aligned lines: each source, or output, with its reference.

    Attributes:
        name: a description of the lines.
        sources: the sources; the outputs if existing outputs are scored.
        references: the reference targets, one per source.
    """

    name: str
    sources: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True)
class Diversities:
    """How much the outputs repeat each other, and how much the references do."""

    outputs: Diversity
    references: Diversity


@dataclass(frozen=True)
class Asked:
    """The lines to translate.

    Attributes:
        lines: the sources.
        indices: for each pair, the index of its source in `lines`.
    """

    lines: tuple[Line, ...]
    indices: tuple[int, ...]


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

    def as_json(self) -> dict[str, Any]:
        """Convert to a JSON document, without the measurements of OPTIONAL that are None."""
        tree = asdict(replace(self, scores=(), examples=(), noise=()))
        for name in OPTIONAL:
            if tree[name] is None:
                del tree[name]
        del tree["noise"]
        if self.noise:
            tree["noise"] = [scores.as_json() for scores in self.noise]
        return {
            **tree,
            "scores": [score.as_json() for score in self.scores],
            "examples": [example.as_json() for example in self.examples],
        }


@dataclass(frozen=True)
class Outputs:
    """The translations, the speed, and the number of failed and overlong lines."""

    hypotheses: tuple[str, ...]
    speed: Speed
    failed: int
    overlong: int


def evaluate(
    workspace: Workspace,
    request: EvaluateRequest,
    overrides: Tree,
    settings: MetricSettings,
    talk: Talk,
    translator: Translator | None = None,
) -> Evaluation:
    """Translate and score a split or files, or score existing outputs.

    Args:
        workspace: the workspace of the corpus and the model, unless `request` names others.
        request: what to score.
        overrides: search settings that override the model's own.
        settings: the settings of the metrics.
        talk: shows progress and warnings.
        translator: the models of the request, if they are loaded already; None loads them.

    Raises:
        UsageError: the flags contradict each other, the models of an ensemble do not share a
            tokenizer, or the model does not know the tag.
        ConfigError: a search setting is wrong, or the device does not exist.
        MissingInputError: a file, the corpus or the model is missing.
        CheckpointError: the corpus or the model is damaged.
        CorpusError: a file is damaged, or the files have different numbers of lines.
        StorageError: the outputs cannot be written.
    """
    request.check()
    if request.output:
        require_writable(request.output)
    if request.hypothesis and request.reference:
        return _evaluate_file(
            read_files(request.files, request.reading), request.with_metrics(TEXT), settings
        )
    corpus = None
    if request.files:
        texts = read_files(request.files, request.reading)
    else:
        from s2scli.data.store import Corpus

        folder, split = workspace.find_corpus(), request.split or TEST

        def read() -> tuple[Corpus, Texts]:
            corpus = Corpus.load(folder)
            return corpus, read_split(corpus, split)

        corpus, texts = in_one_generation(folder, read)
    if translator is None:
        translator = load_in_torch(workspace, request.models, request.device, request.int8)
    translator.require_tag(request.tag)
    if translator.sides.target:
        request = request.for_pictures()
        say_latent(translator, talk)
    if request.searches and not request.multi_reference:
        hint_at_repeats(texts, talk)
    if corpus and request.of_workspace:
        warn_if_stale(workspace, corpus, talk)
    request, search = request.with_metrics(translator.sides), translator.settings(overrides)
    found = evaluate_model(texts, translator, search, request, settings, talk)
    if corpus and request.of_workspace:
        found = replace(found, command=_command(found, split, request, settings))
    latent = _latent_scores(texts, translator, corpus, request.importance_samples, talk)
    noise = _noise_scores(texts, found, translator, search, request, settings, talk)
    return replace(found, int8=request.int8, latent=latent, noise=noise)


def _noise_scores(
    texts: Texts,
    clean: Evaluation,
    translator: Translator,
    search: SearchSettings,
    request: EvaluateRequest,
    settings: MetricSettings,
    talk: Talk,
) -> tuple["NoiseScores", ...]:
    """Score the texts again with each requested kind of noise in the sources."""
    if not request.noise.kinds:
        return ()
    from s2scli.pipeline.evaluate_noise import Rescored, evaluate_noise

    scores_only = replace(request, output=None, examples=0, diversity=False)

    def again(kind: str, sources: Sequence[str]) -> Rescored:
        other = Texts(f"{texts.name} with {kind}", tuple(sources), texts.references)
        found = evaluate_model(other, translator, search, scores_only, settings, talk)
        return Rescored(found.scores, found.failed)

    return evaluate_noise(texts.sources, clean.scores, request.noise, again, translator.tags)


def _command(
    found: Evaluation, split: str, request: EvaluateRequest, settings: MetricSettings
) -> str:
    """Return the command that makes the scores again."""
    changed = {name: found.search[name] for name in found.changed}
    return evaluating_command(
        split, request.metrics, settings, changed, multi_reference=request.multi_reference
    )


def say_latent(translator: Translator, talk: Talk) -> None:
    """Explain that nats of a model with a latent vector are not the likelihood of the picture."""
    if translator.engine.is_latent:
        talk.say(
            "the model has a latent vector z: nats and perplexity are of p(target | z) at the mean "
            "of q(z | source), without the KL term; --importance-samples 100 shows bounds of "
            "log p(target)"
        )


def _latent_scores(
    texts: Texts, translator: Translator, corpus: "Corpus | None", samples: int, talk: Talk
) -> "LatentScores | None":
    """Evaluate a variational autoencoder; None if `samples` is 0."""
    if not samples:
        return None
    from s2scli.pipeline.evaluate_latent import evaluate_latent

    return evaluate_latent(
        texts.name, texts.sources, texts.references, translator, corpus, samples, talk
    )


def read_split(corpus: "Corpus", split: str) -> Texts:
    """Read one split of a corpus.

    Raises:
        MissingInputError: the split does not exist.
        CheckpointError: the corpus is damaged.
        CorpusError: the split is empty.
    """
    found = corpus.open_split(split)
    if not len(found):
        raise CorpusError(f"{corpus.folder}: the {split} split is empty")
    return Texts(f"{split} split", tuple(found.sources()), tuple(found.targets()))


def read_files(files: Sequence[Path], reading: InputSettings) -> Texts:
    """Read two line-aligned files, or one file of pairs.

    Raises:
        UsageError: both are stdin, or the format has another number of files.
        MissingInputError: a file is missing.
        CorpusError: a file is damaged, empty or not UTF-8, or they have different numbers of lines.
    """
    if list(files) == [STDIN, STDIN]:
        raise UsageError("- is given twice, but stdin can be read only once")
    with open_pairs(files, reading, "parallel") as rows:
        pairs = [(row.source, row.target) for row in require_examples(rows)]
    if not pairs:
        raise CorpusError(f"{files[0]}: no rows")
    left, right = zip(*pairs, strict=True)
    return Texts(" against ".join(file.name for file in files), left, right)


def hint_at_repeats(texts: Texts, talk: Talk) -> None:
    """Suggest --multi-reference if many sources occur more than once."""
    repeats = len(texts.sources) - len(set(texts.sources))
    if repeats > MANY_REPEATS * len(texts.sources):
        talk.say(
            f"{repeats:,} of {len(texts.sources):,} pairs repeat the source of an earlier pair; "
            "--multi-reference scores each source once, against the closest of its targets"
        )


def evaluate_outputs(texts: Texts, metrics: Sequence[str], settings: MetricSettings) -> Evaluation:
    """Score outputs against their references, without a model."""
    request, references = EvaluateRequest(tuple(metrics)), [(one,) for one in texts.references]
    scores = _text_scores(texts.sources, references, request, settings)
    return Evaluation(texts.name, len(texts.sources), tuple(scores))


def _evaluate_file(texts: Texts, request: EvaluateRequest, settings: MetricSettings) -> Evaluation:
    """Score a file of outputs, and write the table of its sentences if requested.

    Raises:
        CorpusError: the sources have another number of lines, or the outputs of a source differ.
    """
    asked = ask(_sources_of(texts, request), once=request.multi_reference)
    firsts = [line.number - 1 for line in asked.lines]
    outputs = [texts.sources[first] for first in firsts]
    for index, output in zip(asked.indices, texts.sources, strict=True):
        if request.multi_reference and output != outputs[index]:
            raise CorpusError(
                f"{asked.lines[index].where}: this source has different outputs; "
                "--multi-reference scores one output for each source"
            )
    references = _references(texts, asked)
    found = Evaluation(
        texts.name,
        len(outputs),
        tuple(_text_scores(outputs, references, request, settings)),
        diversity=_diversities(outputs, references, request),
    )
    if not request.scores_sentences:
        return found
    closest = closest_references(outputs, references, settings)
    known = [line.text for line in asked.lines] if request.source else [None] * len(outputs)
    numbers = [line.number for line in asked.lines]
    sentences = score_sentences(numbers, known, closest, outputs)
    with _output_file(request.output) as write:
        write(table_lines(sentences))
    return replace(found, examples=choose_examples(sentences, request.examples))


def _sources_of(texts: Texts, request: EvaluateRequest) -> Texts:
    """Return the texts with the source of each output, if a file of sources was given."""
    if not (request.source and request.reference):
        return texts
    given = read_files([request.source, request.reference], request.reading)
    return replace(given, name=str(request.source))


def _diversities(
    outputs: Sequence[str], references: Sequence[Sequence[str]], request: EvaluateRequest
) -> Diversities | None:
    """Return the diversity of outputs and first references; None if it is not requested."""
    if not request.diversity:
        return None
    return Diversities(diversity(outputs), diversity([several[0] for several in references]))


def evaluate_model(
    texts: Texts,
    translator: Translator,
    search: SearchSettings,
    request: EvaluateRequest,
    settings: MetricSettings,
    talk: Talk,
) -> Evaluation:
    """Translate and score; write the outputs to a file if requested.

    Raises:
        StorageError: the outputs cannot be written; this is checked before translating.
        CorpusError: a metric needs the model, and there is no pair to score.
    """
    scores: list[Score] = []
    found = diversities = None
    sentences: tuple[Sentence, ...] = ()
    asked = ask(texts, once=request.multi_reference)
    if request.searches:
        with _output_file(request.output) as write:
            found = _translate(asked.lines, translator, Options(search, tag=request.tag), talk)
            outputs = found.hypotheses
            references = _references(texts, asked)
            if request.scores_sentences:
                closest = closest_references(outputs, references, settings)
                sentences = _sentences(asked.lines, closest, outputs)
            plain = [outputs[index] for index in asked.indices]
            write(table_lines(sentences) if request.wants_table else plain)
        scores += _text_scores(outputs, references, request, settings)
        diversities = _diversities(outputs, references, request)
    unscored = 0
    if names := request.needing("model"):
        forced = _force(texts, translator, request.tag, talk)
        scores += [METRICS[name].function(forced, settings) for name in names]
        unscored = len(texts.sources) - len(forced)
    if not found:
        return Evaluation(
            texts.name,
            len(texts.sources),
            tuple(scores),
            unscored=unscored,
            bits_per_pixel=_bits_per_pixel(scores, translator),
            noun=translator.sides.noun,
        )
    return Evaluation(
        texts.name,
        len(asked.lines),
        tuple(scores),
        found.speed,
        found.failed,
        found.overlong,
        search.model_dump(),
        unscored=unscored,
        changed=_changed(search, translator),
        examples=choose_examples(sentences, request.examples),
        diversity=diversities,
        noun=translator.sides.noun,
    )


def ask(texts: Texts, *, once: bool) -> Asked:
    """Return the sources to translate: one per pair or, with `once`, each distinct source once."""
    lines: list[Line] = []
    indices: list[int] = []
    first: dict[str, int] = {}
    for number, source in enumerate(texts.sources, 1):
        index = first.setdefault(source, len(lines)) if once else len(lines)
        if index == len(lines):
            lines.append(Line(texts.name, number, source))
        indices.append(index)
    return Asked(tuple(lines), tuple(indices))


def table_lines(sentences: Sequence[Sentence]) -> list[str]:
    """Return one line per sentence: source, reference, output and chrF, separated by TABs."""
    return [
        "\t".join(
            (
                one_line(sentence.source or ""),
                one_line(sentence.reference),
                one_line(sentence.output),
                f"{sentence.chrf:.{METRICS['chrf'].digits}f}",
            )
        )
        for sentence in sentences
    ]


def _bits_per_pixel(scores: Sequence[Score], translator: Translator) -> float | None:
    """Return the nats of the scores as bits per pixel; None if tokens are not exact."""
    target = translator.target
    if not isinstance(target, PictureCodec) or not isinstance(target.tokenizer, Bits):
        return None
    if translator.engine.is_latent:
        return None
    pixels = target.tokenizer.height * target.tokenizer.width
    named = METRICS["nats"].name
    found = (score.value / math.log(2) / pixels for score in scores if score.name == named)
    return next(found, None)


def _sentences(
    lines: Sequence[Line], references: Sequence[str], outputs: Sequence[str]
) -> tuple[Sentence, ...]:
    """Score the translation of each line."""
    numbers, sources = [line.number for line in lines], [line.text for line in lines]
    return score_sentences(numbers, sources, references, outputs)


def _changed(search: SearchSettings, translator: Translator) -> tuple[str, ...]:
    """Return the names of the settings whose values differ from the model's own."""
    own = translator.settings({}).model_dump()
    return tuple(name for name, value in search.model_dump().items() if value != own[name])


def _references(texts: Texts, asked: Asked) -> list[tuple[str, ...]]:
    """Return the references of each line."""
    found: list[list[str]] = [[] for _ in asked.lines]
    for index, reference in zip(asked.indices, texts.references, strict=True):
        found[index].append(reference)
    return list(map(tuple, found))


def _text_scores(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    request: EvaluateRequest,
    settings: MetricSettings,
) -> Iterator[Score]:
    """Yield the score of each requested metric that compares the outputs with the references.

    If an output has several references, each metric chooses one.
    """
    chosen: dict[str, list[str]] = {}
    for name in request.needing("outputs"):
        metric = METRICS[name]
        rule = metric.references(settings)
        if rule.name not in chosen:
            chosen[rule.name] = rule.choose(hypotheses, references, settings)
        score = metric.function(hypotheses, chosen[rule.name], settings)
        named = f"|refs:{rule.name}" if request.multi_reference else ""
        yield replace(score, signature=f"{score.signature}{named}")


def save_evaluation(evaluation: Evaluation, workspace: Workspace, talk: Talk) -> None:
    """Write the evaluation and the digest of the workspace's model to `evaluation.json`.

    The scores were already shown, so a failure to write the file is only a warning.
    """
    try:
        digest = read_manifest(workspace.model, "model").digest
        document = {"model": digest, **evaluation.as_json()}
        write_file(workspace.root / KEPT, encode_json(document))
    except (CheckpointError, MissingInputError, StorageError) as error:
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


def warn_if_stale(workspace: Workspace, corpus: "Corpus", talk: Talk) -> None:
    """Warn if the model was trained on a different corpus than the workspace holds now.

    The manifest of the newest checkpoint records the corpus; without checkpoints, the tokenizer's
    manifest does.
    """
    from s2scli.training.checkpoint import list_checkpoints

    checkpoints = [(folder, "checkpoint") for folder in list_checkpoints(workspace.training)]
    for folder, kind in (*checkpoints, (workspace.tokenizer, "tokenizer")):
        with contextlib.suppress(CheckpointError, MissingInputError):
            trained_on = read_manifest(folder, kind).made_from.get("corpus")
            if trained_on != corpus.digest:
                talk.warn(
                    "the model was trained on a different corpus than the workspace holds now; it "
                    "may have been trained on rows that are scored here; train it again: "
                    f"{workspace.command('train --restart')}"
                )
            return


@contextlib.contextmanager
def _output_file(path: Path | None) -> Iterator[Callable[[Sequence[str]], None]]:
    """Open a file and yield a function that writes lines to it; without a path it does nothing."""
    if path is None:
        yield lambda texts: None
        return
    with new_file(path) as file:
        yield lambda texts: file.writelines(f"{text}\n".encode(errors="replace") for text in texts)


def _translate(
    lines: Sequence[Line], translator: Translator, options: Options, talk: Talk
) -> Outputs:
    started = time.perf_counter()
    with counting(talk, "translating", translator.sides.noun, len(lines)) as advance:
        records = _counted(translator.translate(lines, options), advance)
    seconds = max(time.perf_counter() - started, 1e-9)
    failures = _warn_of_failures(records, "translated", talk)
    tokens = sum(len(record.best.pieces) for record in records if record.best)
    return Outputs(
        tuple(record.text for record in records),
        Speed(seconds, len(lines) / seconds, tokens / seconds),
        failures,
        sum(record.overlong for record in records),
    )


def _counted(records: Iterator[Record], advance: Advance) -> list[Record]:
    """Return all records; advance the progress display for each."""
    found = []
    for record in records:
        found.append(record)
        advance(1)
    return found


def _warn_of_failures(records: Sequence[Record], done: str, talk: Talk) -> int:
    """Warn about failed lines, naming the first ones; return the number of failures."""
    failures = [record for record in records if record.status == "failed"]
    for record in failures[:NAMED]:
        talk.warn(f"{record.line.where}: not {done} ({record.fault})")
    if len(failures) > NAMED:
        talk.warn(f"not {done}: {len(failures) - NAMED:,} more lines")
    return len(failures)


def _force(texts: Texts, translator: Translator, tag: str, talk: Talk) -> list[TargetText]:
    """Score the tokens of each reference with the model.

    Pairs with a blank side, and pairs that the model cannot score, are left out.

    Raises:
        CorpusError: no pair is left.
    """
    pairs = [
        pair
        for pair in pairs_of(texts.name, texts.sources, texts.references)
        if not (is_blank(pair.source) or is_blank(pair.target))
    ]
    options = Options(translator.engine.settings, tag=tag)
    with counting(talk, "scoring", translator.sides.noun, len(pairs)) as advance:
        records = _counted(translator.score(pairs, options), advance)
    _warn_of_failures(records, "scored", talk)
    forced = [replace(record.best, text=record.target) for record in records if record.best]
    if not forced:
        raise CorpusError(f"{texts.name}: no pair can be scored; expected text on both sides")
    return forced
