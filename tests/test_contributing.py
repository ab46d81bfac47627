"""What the guide for contributors says is true: its files, names, commands and worked examples."""

import ast
import io
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from s2scli.data.formats import sentences
from s2scli.data.lines import BadLineError
from tests.bench.tables import TABLES

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TEXT = re.sub(r"^```.*?^```", "", GUIDE, flags=re.MULTILINE | re.DOTALL)
METRIC, ENTRY, CELL, FORMAT = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    shlex.split(command, comments=True)
    for block in re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    for command in line.split(" && ")
]
MAX_LINES = 150


def spans(text: str) -> list[str]:
    """The pieces of code in a text."""
    return re.findall(r"`([^`]+)`", text)


def test_it_stays_short() -> None:
    assert len(GUIDE.splitlines()) <= MAX_LINES


def test_the_files_it_names_exist() -> None:
    named = [span for span in spans(TEXT) if re.fullmatch(r"[\w.]+/[\w./]+|[\w.]+\.md", span)]
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def names_in(path: Path) -> set[str]:
    """The names that a module binds at its top level."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_the_names_it_gives_are_in_the_files_beside_them() -> None:
    checked = set()
    for paragraph in re.split(r"\n\n|\n(?=\d\. )", TEXT):
        paths = [ROOT / span for span in spans(paragraph) if re.fullmatch(r"s2scli/.*\.py", span)]
        names = {
            name for name in spans(paragraph) if re.fullmatch(r"[A-Z_]{5,}|Cell|__\w+__", name)
        }
        if paths:
            assert names <= set().union(*map(names_in, paths)), paragraph
            checked |= names
    assert checked >= {"METRICS", "FORMATS", "Cell", "LAYERS", "CELLS", "__version__"}


def test_its_commands_can_be_given() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    markers = [
        marker.partition(":")[0] for marker in PROJECT["tool"]["pytest"]["ini_options"]["markers"]
    ]
    for words in COMMANDS:
        words = [word for word in words if not re.match(r"[A-Z_]+=", word)]
        if words[0] == "python":
            assert words[:3] == ["python", "-m", "tests.bench"], words
            assert {word for word in words[3:] if word not in ("--list", "--only")} <= {*TABLES}
            continue
        assert words[0] in ("pip", "pre-commit", "ruff", "mypy", "pytest", ".ci/run", "git"), words
        for named in re.findall(r"\.\[(.*)\]", " ".join(words)):
            assert set(named.split(",")) <= set(extras), words
        if words[0] == "pytest":
            marked = words.index("-m") + 1 if "-m" in words else None
            assert marked is None or words[marked] in markers, words
            paths = [word for word in words[1:] if "/" in word]
            assert all((ROOT / path).exists() for path in paths), words


def test_the_metric_measures_what_it_says() -> None:
    namespace: dict[str, Any] = {}
    exec(METRIC, namespace)
    score = namespace["prefix_match"](["abxd", "", "e"], ["abcd", "ab", ""])
    assert score.value == pytest.approx(100 * (2 + 0 + 0) / (4 + 2 + 1))
    assert score.interval[0] <= score.value <= score.interval[1]


def test_the_entry_of_the_metric_is_one() -> None:
    from s2scli.metrics.metric import Metric

    namespace: dict[str, Any] = {"Metric": Metric, "prefix_match": print}
    exec(ENTRY, namespace)
    assert namespace["METRICS"]["prefix_match"].higher_is_better


def test_the_cell_begins_with_open_forget_gates() -> None:
    namespace: dict[str, Any] = {"nn": nn}
    exec(CELL, namespace)
    layer = namespace["OpenLSTM"](3, 4, 2, bidirectional=True)
    biases = [bias for name, bias in layer.named_parameters() if name.startswith("bias_hh")]
    assert len(biases) == 4
    for bias in biases:
        enters, forgets, *_ = bias.detach().chunk(4)  # the order of PyTorch's gates
        assert (forgets == 1).all() and (enters < 1).all()
        assert bias.requires_grad
    assert layer(torch.zeros(5, 2, 3))[0].shape == (5, 2, 8)


def test_the_format_reads_what_it_writes() -> None:
    namespace = {**vars(sentences)}
    exec(FORMAT, namespace)
    methods = {name: namespace[name] for name in ("pair", "source", "write")}
    fast_align = type("FastAlign", (sentences.Sentences,), methods)()
    fast_align.write([("a b", "c")], [written := io.BytesIO()])
    line = written.getvalue().decode().rstrip("\n")
    assert line == "a b ||| c"
    assert fast_align.pair(line) == ("a b", "c")
    assert fast_align.source(line) == fast_align.source("a b") == "a b"
    with pytest.raises(BadLineError, match="1 columns, expected source"):
        fast_align.pair("a b")
