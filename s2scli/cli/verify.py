"""`s2s verify`."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from s2scli.cli.options import CommonOptions
from s2scli.errors import CheckpointError, MissingInputError, UsageError
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from s2scli.pipeline.doctor import Health

STYLES = {"damaged": "red", "stale": "yellow", "sound": "green", "absent": "red"}


def command(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Folders of artifacts (corpus, tokenizer, encoded, checkpoint, model, export), "
            "runs (training) or workspaces. [default: the workspace]",
        ),
    ] = None,
    digest: Annotated[
        bool,
        typer.Option(
            "--digest",
            help="Print only the digest of each artifact, one per line. It is the SHA-256 of the "
            "manifest, which holds the hash of every file: equal digests mean equal contents.",
        ),
    ] = False,
    *,
    common: CommonOptions,
) -> None:
    """Check artifacts completely: their files, hashes and contents.

    s2s verify
    s2s verify workspace/model other/model
    s2s verify --digest workspace/model

    Nothing in the folders is trusted or executed. A stale artifact is undamaged, but was made from
    an artifact of its workspace that has been replaced since. The exit status is 0 if all are
    undamaged, 65 if one is damaged, and 66 if there is nothing to check in one of the folders.
    """
    from s2scli.pipeline.verify import verify

    found = list(verify(paths or [common.workspace.root]))
    sound = all(one.state in ("sound", "stale") for one in found)
    if digest and sound and not common.json:
        common.show(None, *map(Text, _digests(paths or [common.workspace.root], found)))
    elif not digest or common.json:
        common.show(
            {"sound": sound, "artifacts": [asdict(one) | {"path": str(one.path)} for one in found]},
            make_table(("artifact", "kind", "", ""), map(_row, found)),
        )
    _raise_worst(found)


def _digests(paths: "Sequence[Path]", found: "Sequence[Health]") -> "Iterator[str]":
    """Yield the digest of each path, which must be a single artifact.

    Raises:
        UsageError: a path is a run or a workspace.
    """
    by_path = {one.path: one.digest for one in found}
    for path in paths:
        if path not in by_path:
            raise UsageError(
                f"--digest needs the folders of single artifacts, and {path} holds several; for "
                f"its model: s2s verify --digest {shlex.quote(str(path / 'model'))}"
            )
        yield by_path[path]


def _row(one: "Health") -> tuple[str, str, Text, str]:
    return str(one.path), one.kind, Text(one.state, STYLES[one.state]), one.why


def _raise_worst(found: "Sequence[Health]") -> None:
    """Raise an error if an artifact is damaged or absent; one damaged artifact is named."""
    damaged = [one for one in found if one.state == "damaged"]
    absent = [one for one in found if one.state == "absent"]
    if damaged:
        more = f"; {len(damaged) - 1} more are damaged" if len(damaged) > 1 else ""
        raise CheckpointError(f"{damaged[0].why}{more}; restore or rebuild it")
    if absent:
        raise MissingInputError(absent[0].why)
