"""`s2s doctor`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from s2scli.cli.options import CommonOptions
from s2scli.errors import CheckpointError
from s2scli.report.console import visible
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.doctor import Diagnosis, Extra, Health

STYLES = {"damaged": "red", "stale": "yellow", "sound": "green", "absent": "dim"}

PURPOSES = {
    "clean": "encoding repair and language identification (s2s prepare)",
    "ctranslate2": "faster translation (s2s export)",
    "huggingface": "export for Transformers (s2s export --to huggingface)",
    "metrics": "ROUGE (s2s evaluate --rouge)",
    "onnx": "export for ONNX Runtime (s2s export --to onnx)",
    "scale": "workers on other machines (--dask)",
    "sentences": "sentence splitting (s2s translate --language)",
    "serve": "the server and its page (s2s serve)",
    "speech": "sound: FLAC, Ogg and MP3 files, and other sample rates",
    "track": "logs for TensorBoard (s2s train)",
    "tune": "better settings by trials (s2s tune)",
    "vision": "pictures: PNG, JPEG and other files",
}

PROCESSOR = {
    "capability": "vector instructions",
    "vendor": "processor",
    "has_mkl": "MKL",
    "has_one_dnn": "oneDNN",
    "has_int8": "8-bit matrix products (--int8)",
    "int8_levels": "8-bit levels",
    "has_bfloat16": "bfloat16 in hardware",
    "prefers_one_dnn": "oneDNN for float32 products",
}


def command(*, common: CommonOptions) -> None:
    """Check the installation and the files of a workspace.

    The exit status is 65 if anything in the workspace is damaged.

    s2s doctor
    s2s doctor -w other --json
    """
    from s2scli.pipeline.doctor import diagnose

    found = diagnose(common.workspace)
    common.show(found.as_json(), *_tables(found))
    if found.damaged:
        names = ", ".join(_name(one, found.workspace) for one in found.damaged)
        raise CheckpointError(f"{found.workspace}: damaged: {names}; restore or rebuild it")


def _tables(found: "Diagnosis") -> Iterator[Table | str]:
    """Yield the tables, with an empty line between them."""
    yield make_table(("installation", ""), installation_rows(found))
    if found.extras:
        yield ""
        yield make_table(("extra", "", "missing", "for"), map(_extra, found.extras))
    yield ""
    rows = [_artifact(one, found.workspace) for one in found.artifacts]
    yield make_table((f"in {visible(str(found.workspace))}", "", ""), rows)


def installation_rows(found: "Diagnosis") -> Iterator[tuple[str, str]]:
    """Yield the versions, the devices and what is known of the processor, each with a name."""
    yield from found.versions.items()
    for device in found.devices:
        auto = " (chosen by --device auto)" * device.is_default
        yield f"--device {device.name}", f"{device.model}{auto}"
    yield "threads", str(found.threads)
    for name, value in found.processor.items():
        yield PROCESSOR[name], _said(value)


def _said(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value or "unknown")


def _extra(extra: "Extra") -> tuple[str, str, str, str]:
    purpose = PURPOSES.get(extra.name, "development")
    if not extra.missing:
        return extra.name, "installed", "", purpose
    return extra.name, extra.install, ", ".join(extra.missing), purpose


def _artifact(one: "Health", workspace: Path) -> tuple[str, Text, str]:
    return _name(one, workspace), Text(one.state, STYLES[one.state]), one.why


def _name(one: "Health", workspace: Path) -> str:
    """Return the path relative to the workspace."""
    return one.path.relative_to(workspace).as_posix()
