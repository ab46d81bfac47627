"""The commands that make a corpus and its tokenizer again, from what their manifests record."""

import shlex
from collections.abc import Iterator

from s2scli.data.accounting import FileAccount, read_report
from s2scli.data.settings import PrepareSettings
from s2scli.manifest import is_published, read_manifest
from s2scli.settings import flags_for
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.workspace import Workspace


def preparing_commands(workspace: Workspace) -> list[str]:
    """Return the commands; files have their names without folders.

    A tokenizer that was taken from a model has no command.

    Raises:
        MissingInputError: there is no corpus.
        CheckpointError: an artifact is damaged.
    """
    folder = workspace.find_corpus()
    facts = read_manifest(folder, "corpus").facts
    files = [word for one in read_report(folder).files for word in _named(one)]
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


def _named(account: FileAccount) -> Iterator[str]:
    """Yield the files of an account, those of the valid and test splits after their flag."""
    for name in account.names:
        yield from [name] if account.role == "corpus" else [f"--{account.role}", name]


def _with_weights(files: list[str], weights: list[float]) -> list[str]:
    """Return the words with the weights of the first files, which are those of the corpus."""
    given = [f"{name}={weight:g}" for name, weight in zip(files, weights, strict=False)]
    return [*given, *files[len(given) :]]
