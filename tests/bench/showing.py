"""Show what a benchmark measured: one line of JSON."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DOCUMENTS = "S2S_BENCH_DOCUMENTS"


def show(document: Mapping[str, Any]) -> None:
    """Print a document as JSON, and append it to the file that S2S_BENCH_DOCUMENTS names."""
    line = json.dumps(document)
    print(line, flush=True)
    if path := os.environ.get(DOCUMENTS):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
