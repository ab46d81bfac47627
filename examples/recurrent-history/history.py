"""Twenty-five years of recurrent encoder-decoders on one corpus, under one budget.

    python examples/recurrent-history/history.py corpus.tsv --minutes 4

prepares the corpus once, trains each model below for the same number of minutes on one thread,
scores it on the test split with beam 5, and prints the table that README.md shows. It can be
stopped and started again: what is finished is not done twice.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GRU = ("model.encoder.kind=gru", "model.decoder.kind=gru")
ELMAN = ("model.encoder.kind=elman", "model.decoder.kind=elman")


@dataclass(frozen=True)
class Row:
    """One line of the table: a recipe, and what is changed in it."""

    name: str
    what: str
    recipe: str
    changes: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The name of its workspace."""
        return self.name.replace(" ", "-")


ROWS = (
    Row("elman", "Elman, fixed vector", "elman"),
    Row("elman gru", "the same with GRU cells", "elman", GRU),
    Row("keras-lstm", "LSTM, fixed vector, RMSprop", "keras-lstm"),
    Row(
        "keras-lstm reversed",
        "the same, source reversed",
        "keras-lstm",
        ("model.encoder.reverse=true",),
    ),
    Row("cho2014", "GRU, fixed vector at every step", "cho2014"),
    Row("sutskever2014", "four LSTM layers, source reversed", "sutskever2014"),
    Row("bahdanau2015 elman", "additive attention over Elman cells", "bahdanau2015", ELMAN),
    Row("bahdanau2015", "additive attention, GRU", "bahdanau2015"),
    Row("luong2015", "general attention, LSTM, input feeding", "luong2015"),
    Row("default", "scaled dot attention after the recurrence, LSTM", "default"),
)


def main() -> None:
    """Run everything that has not been run, and print the table."""
    arguments = read_arguments()
    base = arguments.out / "base"
    if not (base / "encoded").exists():
        s2s("prepare", *arguments.corpus, "-w", str(base))
        s2s("train-tokenizer", "-w", str(base))
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(lambda row: run(row, arguments, base), ROWS))
    (arguments.out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))


def read_arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("corpus", nargs="+", help="a TSV file, or a source and a target file")
    parser.add_argument("--minutes", type=float, default=4, help="training time of each model")
    parser.add_argument("--jobs", type=int, default=2, help="models trained side by side")
    parser.add_argument("--out", type=Path, default=Path("history"), help="where to work")
    return parser.parse_args()


def run(row: Row, arguments: argparse.Namespace, base: Path) -> dict[str, Any]:
    """Train and score one model; return its line of the table."""
    folder = arguments.out / row.folder
    result = folder / "result.json"
    if result.exists():
        known: dict[str, Any] = json.loads(result.read_text())
        return known
    if not folder.exists():
        shutil.copytree(base, folder)
    changes = [word for change in row.changes for word in ("--set", change)]
    limits = ["--max-minutes", str(arguments.minutes)]
    trained = json.loads(
        s2s("train", "-q", "--json", "-w", str(folder), "-r", row.recipe, *changes, *limits)
    )
    scored = json.loads(s2s("evaluate", "-q", "--json", "-w", str(folder)))
    line = {"name": row.name, "what": row.what, "trained": trained, "scored": scored}
    result.write_text(json.dumps(line, indent=2) + "\n")
    print(f"{row.name} done", file=sys.stderr)
    return line


def s2s(*words: str) -> str:
    """Run one command of s2s on one thread and return its output."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "s2scli", *words],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def table(results: Sequence[dict[str, Any]]) -> str:
    """Return the results as a Markdown table, best last."""
    lines = ["| recipe | what it is | parameters | epochs | BLEU |", "|---|---|---|---|---|"]
    for result in results:
        trained = result["trained"]
        bleu = next(score for score in result["scored"]["scores"] if score["name"] == "BLEU")
        low, high = bleu["interval"]
        lines.append(
            f"| {result['name']} | {result['what']} | {trained['parameters'] / 1e6:.1f} M "
            f"| {trained['epochs']:.1f} | {bleu['value']:.1f} ({low:.1f} to {high:.1f}) |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
