"""The scripts of the examples, as modules."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / "examples"


STUB = """#!/bin/sh
printf '%s\\n' "$*" >> "$LOG"
"""


def asked_of_s2s(script: Path, *arguments: str | Path, folder: Path) -> list[list[str]]:
    """Run a script with a stand-in for s2s; return what it asks of it, word by word.

    Args:
        script: the script.
        arguments: its arguments.
        folder: an empty folder for the stand-in and its log.
    """
    tools, log = folder / "bin", folder / "log"
    tools.mkdir()
    for name, text in (("s2s", STUB), ("python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(EXAMPLES.parent),
        "LOG": str(log),
    }
    subprocess.run(["sh", str(script), *map(str, arguments)], check=True, env=environment)
    return [line.split() for line in log.read_text().splitlines()]


def load_script(path: Path) -> ModuleType:
    """Return a script as a module, without running its `main`."""
    spec = importlib.util.spec_from_file_location(f"example_{path.parent.name}_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module
