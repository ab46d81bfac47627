"""`s2s evaluate`: score a model on a split or on files, or score existing outputs."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from s2scli.data.cleaning import is_blank
from s2scli.data.codecs.image import PictureCodec
from s2scli.data.codecs.text import one_line
from s2scli.data.lines import folder_of
from s2scli.data.stream import Line
from s2scli.errors import CheckpointError, CorpusError, MissingInputError, UsageError
from s2scli.files import new_file, require_writable
from s2scli.manifest import in_one_generation, read_manifest
from s2scli.metrics import METRICS
from s2scli.metrics.diversity import diversity
from s2scli.metrics.reference_rules import closest_references
from s2scli.metrics.score import Score
from s2scli.metrics.sentences import Sentence, choose_examples, score_sentences
from s2scli.metrics.settings import MetricSettings
from s2scli.pipeline.evaluate_request import EvaluateRequest
from s2scli.pipeline.evaluation import TEST, Diversities, Evaluation, Speed
from s2scli.pipeline.reproducing import evaluating_command
from s2scli.pipeline.texts import Texts, ask, hint_at_repeats, read_files, read_split, references_of
from s2scli.report.console import Talk
from s2scli.report.counting import Advance, counting
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree, flag_of
from s2scli.sides import TEXT
from s2scli.tokenizer.pictures import Bits
from s2scli.translation.loading import load_in_torch
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
        UsageError: the flags contradict each other or have no effect, the models of an ensemble do
            not share a tokenizer, or the model does not know the tag.
        ConfigError: a search setting is wrong, or the device does not exist.
        MissingInputError: a file, the corpus or the model is missing.
        CheckpointError: the corpus or the model is damaged.
        CorpusError: a file is damaged, or the files have different numbers of lines.
        StorageError: the outputs cannot be written.
    """
    request.check()
    _refuse_unread(overrides, request)
    if request.output:
        require_writable(request.output)
    if request.hypothesis and request.reference:
        return _evaluate_file(
            read_files(request.files, request.reading), request.with_metrics(TEXT), settings
        )
    corpus, texts = _read(workspace, request)
    if translator is None:
        translator = load_in_torch(workspace, request.models, request.device, request.int8)
    if request.files:
        texts = texts.beside(folder_of(request.files[0]), translator.sides)
    translator.require_tag(request.tag)
    if translator.sides.target:
        request = request.for_pictures()
        _refuse_unread(overrides, request)
        say_latent(translator, talk)
    if request.searches and not request.multi_reference:
        hint_at_repeats(texts, talk)
    if corpus and request.of_workspace:
        warn_if_stale(workspace, corpus, talk)
    request, search = request.with_metrics(translator.sides), translator.settings(overrides)
    search.refuse_unread(overrides)
    found = evaluate_model(texts, translator, search, request, settings, talk)
    if corpus and request.of_workspace:
        command = _command(found, request, settings)
        found = replace(found, command=command, model=translator.identity[0])
    latent = _latent_scores(texts, translator, corpus, request.importance_samples, talk)
    noise = _noise_scores(texts, found, translator, search, request, settings, talk)
    return replace(found, int8=request.int8, latent=latent, noise=noise)


def _read(workspace: Workspace, request: EvaluateRequest) -> tuple["Corpus | None", Texts]:
    """Return the texts to score, and the corpus if they are a split of it."""
    if request.files:
        return None, read_files(request.files, request.reading)
    from s2scli.data.store import Corpus

    folder = workspace.find_corpus()

    def read() -> tuple[Corpus, Texts]:
        corpus = Corpus.load(folder)
        return corpus, read_split(corpus, request.split or TEST)

    return in_one_generation(folder, read)


def _refuse_unread(overrides: Tree, request: EvaluateRequest) -> None:
    """Refuse settings of a search where nothing is translated.

    Raises:
        UsageError: some are given.
    """
    if overrides and (request.hypothesis or not request.searches):
        raise UsageError(f"{flag_of(min(overrides))} has no effect: nothing is translated")


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
        name = f"{texts.name} with {kind}"
        other = Texts(name, tuple(sources), texts.references, texts.sources)
        found = evaluate_model(other, translator, search, scores_only, settings, talk)
        return Rescored(found.scores, found.failed)

    return evaluate_noise(texts.sources, clean.scores, request.noise, again, translator.tags)


def _command(found: Evaluation, request: EvaluateRequest, settings: MetricSettings) -> str:
    """Return the command that makes the scores again."""
    changed = {name: found.search[name] for name in found.changed}
    return evaluating_command(
        request.split or TEST,
        request.metrics,
        settings,
        changed,
        multi_reference=request.multi_reference,
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
    references = references_of(texts, asked)
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
            references = references_of(texts, asked)
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
