"""`s2s evaluate`."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from s2scli.cli.flags import OWN, flag_errors, flags
from s2scli.cli.options import (
    Common,
    CommonOptions,
    DeviceOption,
    ModelsOption,
    TagOption,
    not_stdout,
    translate_example,
)
from s2scli.data.settings import InputSettings, NoiseTestSettings
from s2scli.errors import UsageError
from s2scli.export.settings import EngineSettings
from s2scli.metrics import METRICS, digits_of, metric_names, value_and_interval
from s2scli.metrics.choice import metric_choice
from s2scli.metrics.links import NAME, AlignmentFiles
from s2scli.metrics.settings import MetricSettings
from s2scli.report.console import shortened, visible, without_content
from s2scli.report.tables import make_table
from s2scli.search.settings import NOT_EVALUATED, SearchSettings
from s2scli.settings import Tree, flag_of

if TYPE_CHECKING:
    from s2scli.metrics.score import Score
    from s2scli.metrics.sentences import Example
    from s2scli.pipeline.evaluate_latent import LatentScores
    from s2scli.pipeline.evaluate_noise import NoiseScores
    from s2scli.pipeline.evaluation import Diversities, Evaluation
    from s2scli.report.console import Talk

USUAL_EXAMPLES = 3


def _file(path: Path | None) -> Path | None:
    if path is not None and not_stdout(path) is None:
        raise UsageError("-o -: stdout has the scores; give a file for the outputs")
    return path


def command(
    split: Annotated[
        str | None,
        typer.Option(metavar="SPLIT", help="Split to score: train, valid or test. [default: test]"),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            help="Translate and score this file instead of a split; one with fields, such as "
            "test.jsonl, has the references, too."
        ),
    ] = None,
    hypothesis: Annotated[
        Path | None, typer.Option(help="Score these outputs; no model is used.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="The reference targets, plain or compressed.")
    ] = None,
    tag: TagOption = "",
    multi_reference: Annotated[
        bool,
        typer.Option(
            "--multi-reference",
            help="Score each source once, against the closest of all targets that it is "
            "paired with; ROUGE and F1 use the target with the highest ROUGE-1 or F1. With "
            "--hypothesis, --source has the source of each output.",
            rich_help_panel=MetricSettings.panel,
        ),
    ] = False,
    gold: Annotated[
        Path | None,
        typer.Option(
            "--aer",
            metavar="GOLD",
            help="Score word alignments against this file of gold alignments: the alignment error "
            "rate (Och & Ney 2003), precision and recall. A line has the links of one pair: 1-2 is "
            "sure, 1p2 possible. Give --source and --reference with tokenised texts, which the "
            "model aligns; or --hypothesis with alignments such as 0-1, counted from 0.",
            rich_help_panel=MetricSettings.panel,
        ),
    ] = None,
    first_word: Annotated[
        int | None,
        typer.Option(
            "--aer-from",
            min=0,
            max=1,
            help="The number of the first word in the gold alignments. [default: 0 if any word has "
            "the number 0, otherwise 1]",
            rich_help_panel=MetricSettings.panel,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            callback=_file,
            help="Write the outputs to this file, one per line. A .tsv file gets the source, "
            "reference, output and chrF of each sentence, separated by tabs.",
        ),
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Show N sentences with source, reference and output: one third each from the "
            "best, the middle and the worst by chrF. [default: 3 on a terminal, otherwise 0]",
        ),
    ] = None,
    diversity: Annotated[
        bool,
        typer.Option(
            "--diversity",
            help="Show how much the outputs repeat each other, beside the references: distinct "
            "words and pairs of words (distinct-1 and -2: Li et al. 2016), and the share of the "
            "commonest output.",
            rich_help_panel=MetricSettings.panel,
        ),
    ] = False,
    importance_samples: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000_000,
            metavar="K",
            help="For a variational autoencoder: show lower bounds of the log-likelihood from K "
            "samples of each latent vector (ELBO, and importance-weighted: Burda et al. 2016, "
            "eq. 8), the active units and, for pictures, the reconstruction errors of the model "
            "and of a PCA.",
            rich_help_panel=MetricSettings.panel,
        ),
    ] = None,
    models: ModelsOption = None,
    device: DeviceOption = "auto",
    *,
    metrics: Annotated[Tree, flags(metric_choice("outputs", "model"), load=False)],
    settings: Annotated[MetricSettings, flags(MetricSettings)],
    noise: Annotated[NoiseTestSettings, flags(NoiseTestSettings)],
    reading: Annotated[InputSettings, flags(InputSettings)],
    engine: Annotated[EngineSettings, flags(EngineSettings, only=("int8",))],
    overrides: Annotated[Tree, flags(SearchSettings, but=NOT_EVALUATED, load=False, default=OWN)],
    common: CommonOptions,
) -> None:
    """Score a model on a split of the corpus or on files, or score existing outputs.

    Without a metric flag the scores are BLEU, chrF and exact match; for a model that reads sound,
    WER, CER and exact match; for target pictures, nats and perplexity.

    s2s evaluate --bleu
    s2s evaluate --examples 9 -o sentences.tsv
    s2s evaluate --hypothesis output.txt --reference target.txt --rouge
    s2s evaluate --noise typos,case,drop,swap,unknown
    s2s evaluate --aer gold.txt --source source.txt --reference target.txt
    """
    from s2scli.pipeline.evaluate import evaluate
    from s2scli.pipeline.evaluate_request import EvaluateRequest
    from s2scli.pipeline.evaluation import save_evaluation

    if gold:
        given = {"int8": engine.int8, "tag": tag, "diversity": diversity}
        others = [*metrics, *overrides, *reading.model_fields_set, *filter(given.get, given)]
        unread = (split, multi_reference, output, examples, importance_samples, noise.noise)
        refuse_beside_aer(unread, others)
        files = AlignmentFiles(gold, source, reference, hypothesis, first_word)
        _evaluate_alignment(files, models or [], device, settings, common)
        return
    if first_word is not None:
        raise UsageError("--aer-from has no effect without --aer GOLD")
    request = EvaluateRequest(
        metric_names(metrics),
        split,
        source,
        hypothesis,
        reference,
        output,
        tuple(models or ()),
        device,
        multi_reference,
        engine.int8,
        examples or 0,
        importance_samples or 0,
        diversity,
        *(noise, reading, tag),
    )
    if examples is None and request.searches and sys.stdout.isatty() and not common.json:
        request = replace(request, examples=USUAL_EXAMPLES)
    with flag_errors():
        found = evaluate(common.workspace, request, overrides, settings, common.talk)
    if common.json:
        common.talk.show_json(found.as_json())
    else:
        show_evaluation(found, common.talk)
    if request.of_workspace:
        save_evaluation(found, common.workspace, common.talk)
    if not (models or hypothesis):
        common.say_next(translate_example(common.workspace.model))


def show_evaluation(found: "Evaluation", talk: "Talk") -> None:
    """Show the scores, what was scored and how, and all else that was asked for."""
    talk.show(Group(scores_table(found), "", facts_table(found, all_settings=talk.verbose)))
    if found.diversity:
        talk.show(Group("", diversity_table(found.diversity)))
    if found.noise:
        talk.show(Group("", noise_table(found.scores, found.noise)))
    if found.latent:
        talk.show(Group("", latent_table(found.latent)))
    if found.examples:
        talk.show(Group("", examples_table(found.examples)))
    talk.show(signatures(found.scores), soft_wrap=True)


UNREAD_BY_AER = (
    *("--split", "--multi-reference", "-o", "--examples", "--importance-samples", "--noise"),
)


def refuse_beside_aer(unread: "Sequence[object]", others: "Sequence[str]") -> None:
    """Refuse flags that --aer does not read.

    Args:
        unread: the values of `UNREAD_BY_AER`; None or False is not given.
        others: the settings of other flags that were given.

    Raises:
        UsageError: a flag was given; the message names it.
    """
    given = [
        flag
        for flag, value in zip(UNREAD_BY_AER, unread, strict=True)
        if value not in (None, False)
    ]
    if names := [*given, *map(flag_of, others)]:
        raise UsageError(f"--aer scores only alignments: leave {names[0]} out")


def _evaluate_alignment(
    files: AlignmentFiles,
    models: "Sequence[Path]",
    device: str,
    settings: MetricSettings,
    common: Common,
) -> None:
    """Score alignments, and show the scores of each reading."""
    from s2scli.pipeline.evaluate_alignment import evaluate_alignment

    found = evaluate_alignment(common.workspace, files, models, device, settings, common.talk)
    headings = ("links of", NAME, "95 % interval", "precision", "recall")
    rows = [
        (
            name,
            *value_and_interval(scores.error_rate),
            f"{scores.precision:.2f}",
            f"{scores.recall:.2f}",
        )
        for name, scores in found.scores.items()
    ]
    facts = f"{found.scored}: {found.pairs:,} pairs"
    if found.unscored:
        facts += f", of which {found.unscored:,} could not be aligned and have no links"
    table = make_table(headings, rows, numbers=headings[1:])
    common.show(found.as_json(), Group(table, "", Text(visible(facts))))
    if not common.json:
        common.talk.show(signatures([next(iter(found.scores.values())).error_rate]), soft_wrap=True)


def scores_table(evaluation: "Evaluation") -> Table:
    """Return one row for each metric."""
    headings = ("metric", "value", "95 % interval")
    rows = [(score.name, *value_and_interval(score)) for score in evaluation.scores]
    return make_table(headings, rows, numbers=headings[1:])


def signatures(scores: "Sequence[Score]") -> Text:
    """Return the signature of each metric, on a line of its own."""
    return Text("".join(f"\n{score.name}|{score.signature}" for score in scores))


def facts_table(evaluation: "Evaluation", *, all_settings: bool) -> Table:
    """Return what was scored, the search settings and the speed."""
    speed = evaluation.speed
    rows = {
        "scored": evaluation.scored,
        evaluation.noun: f"{evaluation.sentences:,}",
        "failed (scored as empty)": f"{evaluation.failed:,}" if evaluation.failed else "",
        "too long (split and joined)": f"{evaluation.overlong:,}" if evaluation.overlong else "",
        "left out of perplexity": f"{evaluation.unscored:,}" if evaluation.unscored else "",
        "bits per pixel": ""
        if evaluation.bits_per_pixel is None
        else f"{evaluation.bits_per_pixel:.4f}",
        "weights": "8-bit" if evaluation.int8 else "",
        "search": search_text(evaluation, all_settings=all_settings),
        "speed": f"{speed.sentences_per_second:,.1f} {evaluation.noun}/s  "
        f"{speed.tokens_per_second:,.0f} tokens/s  ({speed.seconds:.1f} s)"
        if speed
        else "",
    }
    return make_table(("evaluation", ""), [(name, fact) for name, fact in rows.items() if fact])


def diversity_table(diversities: "Diversities") -> Table:
    """Return how much the outputs and the references repeat each other."""
    both = (diversities.outputs, diversities.references)
    rows = [
        ("distinct-1, %", *(f"{one.distinct1:.2f}" for one in both)),
        ("distinct-2, %", *(f"{one.distinct2:.2f}" for one in both)),
        ("commonest text, %", *(f"{one.commonest:.2f}" for one in both)),
        ("commonest text", *(shortened(one.commonest_text) for one in both)),
        ("words per text", *(f"{one.words:.1f}" for one in both)),
    ]
    return make_table(("diversity", "outputs", "references"), rows)


def noise_table(clean: "Sequence[Score]", noise: "Sequence[NoiseScores]") -> Table:
    """Return one row for each metric of clean sources, and of each kind of noise in them."""
    rate = f"{100 * noise[0].rate:g} % of the words"
    headings = (f"noise: {rate}", "metric", "value", "difference", "95 % interval")
    rows = [("none", score.name, value_and_interval(score)[0], "", "") for score in clean]
    for one in noise:
        for fall in one.falls:
            digits = digits_of(fall.score)
            ends = " to ".join(f"{end:+.{digits}f}" for end in fall.interval or ())
            value, _ = value_and_interval(fall.score)
            rows.append((one.kind, fall.score.name, value, f"{fall.difference:+.{digits}f}", ends))
    return make_table(headings, rows, numbers=headings[2:])


def latent_table(latent: "LatentScores") -> Table:
    """Return the bounds of the log-likelihood, the active units and the errors of pictures."""
    errors = {
        "reconstruction error": latent.reconstruction_error,
        f"PCA with {latent.latent_dim} components": latent.pca_error,
    }
    rows = {
        "ELBO": f"{latent.elbo:.2f}",
        f"importance-weighted, {latent.samples:,} samples": f"{latent.importance_weighted:.2f}",
        "active units": f"{latent.active_units} of {latent.latent_dim}",
        **{name: f"{error:.4f}" for name, error in errors.items() if error is not None},
    }
    heading = "log-likelihood, nats per target"
    return make_table((heading, ""), list(rows.items()), numbers=("",))


def search_text(evaluation: "Evaluation", *, all_settings: bool) -> str:
    """Return the search settings that differ from the model's own, or all of them."""
    shown = {
        name: value
        for name, value in evaluation.search.items()
        if value is not None and (all_settings or name in evaluation.changed)
    }
    own = "the model's own settings" if evaluation.search else ""
    return "  ".join(f"{name} {value}" for name, value in shown.items()) or own


def examples_table(examples: "Sequence[Example]") -> Table:
    """Return the source, reference and output of each sentence, one per row."""
    headings = ("example", "line", "chrF2", "", "text")
    rows: list[tuple[str, ...]] = []
    for example in examples:
        sentence = example.sentence
        head: tuple[str, ...] = (
            example.rank,
            f"{sentence.number:,}",
            f"{sentence.chrf:.{METRICS['chrf'].digits}f}",
        )
        if sentence.source is not None:
            rows.append((*head, "source", without_content(sentence.source)))
            head = ("", "", "")
        rows.append((*head, "reference", sentence.reference))
        rows.append(("", "", "", "output", sentence.output))
        rows.append(("",) * len(headings))
    return make_table(headings, rows[:-1], numbers=headings[1:3])
