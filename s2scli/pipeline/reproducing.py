"""The commands that make a corpus, its tokenizer and the scores of a model again."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from s2scli.data.accounting import FileAccount, Report
from s2scli.data.settings import PrepareSettings
from s2scli.manifest import is_published, read_manifest
from s2scli.metrics.settings import MetricSettings
from s2scli.search.settings import SearchSettings
from s2scli.settings import flag_of, flags_for
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.workspace import Workspace


def preparing_commands(workspace: Workspace, report: Report, facts: Mapping[str, Any]) -> list[str]:
    """Return the commands; files have their names without folders.

    A tokenizer that was taken from a model has no command.

    Args:
        workspace: the workspace.
        report: the report of its corpus.
        facts: the facts in the manifest of its corpus.

    Raises:
        CheckpointError: the tokenizer is damaged.
    """
    files = [word for one in report.files for word in _named(one)]
    weighted = _with_weights(files, facts.get("weights", ()))
    tags = [word for tag in facts.get("given_tags", ()) for word in ("--tag", tag)]
    words = [*weighted, *tags, *flags_for(PrepareSettings, facts)]
    commands = [shlex.join(["s2s", "prepare", *words])]
    if is_published(workspace.tokenizer):
        manifest = read_manifest(workspace.tokenizer, "tokenizer")
        if "model" not in manifest.made_from:
            flags = flags_for(TokenizerSettings, manifest.facts)
            commands.append(shlex.join(["s2s", "train-tokenizer", *flags]))
    return commands


def evaluating_command(
    split: str,
    metrics: Sequence[str],
    settings: MetricSettings,
    search: Mapping[str, Any],
    *,
    multi_reference: bool,
) -> str:
    """Return the command that makes the scores of a model on a split again.

    Args:
        split: the split of the corpus.
        metrics: the names of the metrics.
        settings: the settings of the metrics.
        search: the search settings that differ from the model's own, by name.
        multi_reference: whether the targets of all rows with the same source were accepted.
    """
    words = ["s2s", "evaluate", "--split", split, *map(flag_of, metrics)]
    words += ["--multi-reference"] * multi_reference
    words += flags_for(MetricSettings, settings.model_dump())
    words += flags_for(SearchSettings, search, given=search.keys())
    return shlex.join(words)


def _named(account: FileAccount) -> Iterator[str]:
    """Yield the files of an account, those of the valid and test splits after their flag."""
    for name in account.names:
        yield from [name] if account.role == "corpus" else [f"--{account.role}", name]


def _with_weights(files: list[str], weights: list[float]) -> list[str]:
    """Return the words with the weights of the first files, which are those of the corpus."""
    given = [f"{name}={weight:g}" for name, weight in zip(files, weights, strict=False)]
    return [*given, *files[len(given) :]]
