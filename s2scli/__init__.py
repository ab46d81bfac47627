"""s2s trains sequence-to-sequence models and translates with them.

The commands `s2s prepare`, `train` and `evaluate` are functions here, and `load` returns a trained
model::

    import s2scli

    s2scli.prepare("corpus.tsv")
    s2scli.train(max_minutes=30)
    print(s2scli.evaluate(metrics=["bleu"]).scores)
    model = s2scli.load("workspace/model")
    model.translate(["..."])

Errors are subclasses of `s2scli.errors.S2SError`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2scli.data.accounting import Report
    from s2scli.data.settings import InputSettings
    from s2scli.metrics.settings import MetricSettings
    from s2scli.pipeline.evaluation import Evaluation
    from s2scli.pipeline.train import TrainReport
    from s2scli.translation.api import TextModel

__version__ = "0.2.0"
__all__ = ["evaluate", "load", "prepare", "train"]


def prepare(
    corpus: str | Path | Sequence[str | Path],
    workspace: str | Path = "workspace",
    *,
    valid: str | Path | Sequence[str | Path] = (),
    test: str | Path | Sequence[str | Path] = (),
    weights: Sequence[float] = (),
    tags: str | Sequence[str] = (),
    overwrite: bool = False,
    quiet: bool = True,
    **settings: Any,
) -> "Report":
    """Read, clean, deduplicate and split a corpus, as `s2s prepare` does.

    Example:
        >>> report = s2scli.prepare("corpus.tsv", valid_size=500)
        >>> report.splits["train"].rows

    Args:
        corpus: one or more files of pairs, or folders of datasets; a source file and a target file;
            or a .txt file of sentences.
        workspace: the folder to write the corpus to.
        valid: your own valid split: TSV files, or a source file and a target file.
        test: your own test split.
        weights: how often the rows of each file are seen in an epoch of training; none is once.
        tags: the tag of each corpus, or one for all, as `s2s prepare --tag`.
        overwrite: replace a corpus that a model was trained on.
        quiet: print only warnings on stderr, and no messages or progress.
        settings: how the corpus is cleaned and split; the flags of `s2s prepare` with underscores.

    Returns:
        What happened to every row, a summary of each split, and the warnings.

    Raises:
        ConfigError: a setting is unknown or has a wrong value.
        UsageError: the files or settings contradict each other.
        MissingInputError: a file is missing or unreadable.
        CorpusError: a file cannot be read as a corpus.
        LockedError: another run uses the workspace, or a model was trained on its corpus.
        StorageError: the disk is full or a write failed.
    """
    from s2scli.data.settings import PrepareSettings
    from s2scli.pipeline.inputs import Inputs
    from s2scli.pipeline.prepare import prepare
    from s2scli.report.console import Talk
    from s2scli.settings import load_settings
    from s2scli.workspace import Workspace

    return prepare(
        Workspace(Path(workspace)),
        Inputs(*(_paths(corpus), _paths(valid), _paths(test)), tuple(weights), _names(tags)),
        load_settings(PrepareSettings, settings, "prepare"),
        Talk(quiet=quiet, interactive=False),
        overwrite=overwrite,
    )


def train(
    workspace: str | Path = "workspace",
    *,
    recipe: str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    restart: bool = False,
    overwrite: bool = False,
    override: bool = False,
    init_from: str | Path | None = None,
    device: str = "auto",
    quiet: bool = True,
    **limits: Any,
) -> "TrainReport":
    """Train a model, or resume its run, as `s2s train` does.

    The first Ctrl-C saves the run and returns; the same call resumes it.

    Example:
        >>> report = s2scli.train(recipe="tiny", changes={"training.seed": 2}, max_steps=1000)
        >>> report.best["chrf"]

    Args:
        workspace: the folder with the corpus.
        recipe: a built-in recipe's name, or a TOML file; None means the recipe of the run or of
            the model in `init_from`, otherwise the default.
        changes: changes to the recipe, by the dotted path of the setting (`--set`).
        restart: remove the existing run and start a new one.
        overwrite: let `restart` remove a run that has a checkpoint or a model.
        override: resume the run with changed settings, if they are safe to change.
        init_from: start a new run from the weights of this model folder.
        device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:N`.
        quiet: print only warnings on stderr, and no messages or progress.
        limits: when to stop: `max_minutes`, `max_steps`, `max_epochs`, `patience`.

    Returns:
        How the run ended, with the validation scores of the best checkpoint.

    Raises:
        MissingInputError: the workspace has no corpus, or no valid split.
        CorpusError: the corpus is too small to train or validate on.
        TokenizerError: the tokenizer is damaged, or none can be learned.
        ConfigError: a recipe, a setting or the device is wrong, or the recipe differs from the
            run's.
        LockedError: another run uses the workspace, or `restart` would remove a run.
        CheckpointError: the corpus, or every checkpoint of the run, is damaged.
        DivergedError: losses or gradients are no longer finite.
        OutOfMemoryError: a batch does not fit into memory.
        StorageError: the disk is full or a write failed.
    """
    from s2scli.pipeline import train as command
    from s2scli.report.console import Talk
    from s2scli.settings import toml_text
    from s2scli.workspace import Workspace

    request = command.TrainRequest(
        None if recipe is None else str(recipe),
        [f"{path}={toml_text(value)}" for path, value in (changes or {}).items()],
        limits,
        device,
        restart,
        _path(init_from),
        overwrite,
        override=override,
    )
    talk = Talk(quiet=quiet, interactive=False)
    return command.train(Workspace(Path(workspace)), request, talk)


def evaluate(
    workspace: str | Path = "workspace",
    *,
    metrics: str | Sequence[str] = (),
    split: str | None = None,
    source: str | Path | None = None,
    hypothesis: str | Path | None = None,
    reference: str | Path | None = None,
    output: str | Path | None = None,
    models: str | Path | Sequence[str | Path] = (),
    multi_reference: bool = False,
    examples: int = 0,
    int8: bool = False,
    device: str = "auto",
    quiet: bool = True,
    **settings: Any,
) -> "Evaluation":
    """Score a model on a split or on files, or score existing outputs, as `s2s evaluate` does.

    Example:
        >>> found = s2scli.evaluate(metrics=["bleu", "chrf"], beam_size=1)
        >>> {score.name: score.value for score in found.scores}

    Args:
        workspace: the folder with the corpus and the model.
        metrics: names of `s2scli.metrics.METRICS`, or rouge for all three of ROUGE; empty means
            bleu, chrf and exact_match; for a model that reads sound, wer, cer and exact_match.
        split: train, valid or test; None means test.
        source: translate and score this file, not a split; fields can hold the references, too.
        hypothesis: score the outputs in this file; no model is used.
        reference: the file of reference targets for `source` or `hypothesis`.
        output: write the outputs to this file; a .tsv file gets the score of each sentence too.
        models: model folders to use instead of the workspace's; several are an ensemble.
        multi_reference: accept the targets of all pairs with the same source.
        examples: number of example sentences to return.
        int8: use 8-bit weights, on a CPU.
        device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:N`.
        quiet: print only warnings on stderr, and no messages or progress.
        settings: metric settings (`tokenize`, `resamples`), and search settings that override the
            model's own, such as `beam_size=1`; for files, `input_format`, `source_field` and
            `target_field`.

    Returns:
        The scores with their 95 % intervals and signatures, and what was scored.

    Raises:
        UsageError: the arguments contradict each other, a metric does not exist, a setting cannot
            be set for evaluation, or the models of an ensemble do not share a tokenizer.
        ConfigError: a setting is unknown or has a wrong value, or there is no such device.
        MissingInputError: a file, the corpus or the model is missing.
        CheckpointError: the corpus or the model is damaged.
        CorpusError: a file is damaged, or line counts differ.
        StorageError: the outputs cannot be written.
    """
    from s2scli.metrics import metric_names
    from s2scli.pipeline.evaluate import evaluate
    from s2scli.pipeline.evaluate_request import EvaluateRequest
    from s2scli.pipeline.evaluation import save_evaluation
    from s2scli.report.console import Talk
    from s2scli.workspace import Workspace

    reading, (metric_settings, search) = _reading(settings), _divided(settings)
    request = EvaluateRequest(
        metric_names(_names(metrics)),
        split,
        *(_path(source), _path(hypothesis), _path(reference), _path(output), _paths(models)),
        device=device,
        multi_reference=multi_reference,
        int8=int8,
        examples=examples,
        reading=reading,
    )
    home, talk = Workspace(Path(workspace)), Talk(quiet=quiet, interactive=False)
    found = evaluate(home, request, search, metric_settings, talk)
    if request.of_workspace:
        save_evaluation(found, home, talk)
    return found


def _reading(settings: dict[str, Any]) -> "InputSettings":
    """Remove the settings of reading files from the others, and return them."""
    from s2scli.data.settings import InputSettings
    from s2scli.settings import load_settings

    names = InputSettings.model_fields.keys() & settings.keys()
    return load_settings(InputSettings, {name: settings.pop(name) for name in names}, "evaluate")


def load(
    folder: str | Path, *others: str | Path, device: str = "auto", int8: bool = False
) -> "TextModel":
    """Load a model folder.

    Example:
        >>> model = s2scli.load("workspace/model")
        >>> model.translate(["samedi 21 novembre 2026"])
        ['2026-11-21']

    Args:
        folder: a model folder written by `s2s train`; it may have been copied elsewhere.
        others: more model folders, for an ensemble, which averages the token probabilities of its
            models.
        device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:N`.
        int8: use 8-bit weights, on a CPU: faster, with nearly the same outputs.

    Returns:
        A model that translates and scores texts.

    Raises:
        MissingInputError: there is no model in a folder.
        CheckpointError: a folder is damaged or was written by a newer version.
        UsageError: the models do not share a tokenizer.
        ConfigError: there is no such device, or PyTorch has no 8-bit matrix products for it.
    """
    from s2scli.translation import torch_engine
    from s2scli.translation.api import TextModel

    translator = torch_engine.load(Path(folder), *map(Path, others), device=device, int8=int8)
    return TextModel(translator)


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def _paths(given: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    return (Path(given),) if isinstance(given, str | Path) else tuple(map(Path, given))


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _divided(settings: dict[str, Any]) -> "tuple[MetricSettings, dict[str, Any]]":
    """Divide settings into those of the metrics and those of the search, and check them."""
    from s2scli.errors import UsageError
    from s2scli.metrics.settings import MetricSettings
    from s2scli.search.settings import NOT_EVALUATED, SearchSettings
    from s2scli.settings import load_settings

    names = MetricSettings.model_fields.keys()
    of_metrics = {name: value for name, value in settings.items() if name in names}
    search = {name: value for name, value in settings.items() if name not in names}
    for name in sorted(search.keys() & NOT_EVALUATED):
        raise UsageError(f"evaluate: {name} cannot be set, because only the best output is scored")
    load_settings(SearchSettings, search, "evaluate")
    return load_settings(MetricSettings, of_metrics, "evaluate"), search
