"""CPU time of `s2s translate --engine ctranslate2`, beside CTranslate2 driven directly.

    pytest -m bench tests/bench/test_engine.py -s

prints JSON: medians of the CPU seconds of interleaved rounds, and ours over each other in the same
round. Everybody begins and ends with text: ours with lines and records, as the filter has them; the
others with SentencePiece, in batches that CTranslate2 sorts by length. They share
one engine, a worker for each of `OMP_NUM_THREADS`. `S2S_BENCH_EXPORT` is a folder that
`s2s export` wrote, `S2S_BENCH_TEXT` a file of sources; without them model and text are random.

`test_engines` measures our own engines beside each other: PyTorch, CTranslate2 and ONNX Runtime.
`S2S_BENCH_MODEL` is then a model folder.
"""

import dataclasses
import os
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
import torch
from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.config import load_recipe
from s2scli.data.stream import Line
from s2scli.model.weights import model_weights
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer.learning import learn_sentencepiece
from s2scli.tokenizer.plan import TokenizerPlan
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation import ctranslate2_engine, onnx_engine, torch_engine
from s2scli.translation.ctranslate2_engine import TARGET, CTranslate2Engine
from s2scli.translation.loading import folder_beside
from s2scli.translation.model_folder import build_model, write_model_folder
from s2scli.translation.options import Options, Wanted
from s2scli.translation.translator import Translator
from tests.bench.race import median_ratio
from tests.bench.showing import show

WORDS = 4000
UNTIED = ("model.tie_embeddings=none",)  # a random model that is tied repeats what it read
SENTENCES = int(os.environ.get("S2S_BENCH_SENTENCES", "256"))
ROUNDS = int(os.environ.get("S2S_BENCH_ROUNDS", "5"))
LAYOUTS = ((32, "examples"), (64, "examples"), (1024, "tokens"))

Translate = Callable[[], Sequence[str]]


def make_texts() -> list[str]:
    """Return sources as long as those of Multi30k in pieces."""
    random = np.random.default_rng(0)
    lengths = np.clip(random.normal(13, 4, SENTENCES).round().astype(int), 4, 35)
    return [" ".join(f"w{word}" for word in random.integers(0, WORDS, n)) for n in lengths]


def make_model(folder: Path) -> Path:
    """Write a random model that ends its sentences, at random."""
    words = tuple(f"w{word}" for word in range(WORDS))
    pieces = learn_sentencepiece(
        lambda: words, TokenizerPlan("word", WORDS + 4, False, 1.0, False), "none"
    )
    recipe, tokenizers = (
        load_recipe("transformer-tiny", UNTIED),
        Tokenizers(pieces, pieces, joint=True),
    )
    torch.manual_seed(0)
    model = build_model(recipe, tokenizers)
    with torch.no_grad():
        model.output.bias[EOS_ID] += 1.5
    write_model_folder(folder, recipe, model_weights(model), tokenizers, {})
    return folder


def make_export(model: Path, kind: str = TARGET.kind) -> Path:
    """Export a model beside it."""
    result = CliRunner().invoke(app, ["export", "-q", "-m", str(model), "--to", kind])
    assert result.exit_code == 0, result.output
    return folder_beside(model, kind)


def ours(translator: Translator, texts: Sequence[str], beam_size: int) -> Translate:
    """What `s2s translate` does with lines."""
    settings = translator.settings({"beam_size": beam_size})
    options = Options(settings, wanted=Wanted(scores=False), window=len(texts))
    lines = [Line("bench", number, text) for number, text in enumerate(texts, 1)]

    def translate() -> list[str]:
        return [record.text for record in translator.translate(lines, options)]

    return translate


def directly(
    program: Any, pieces: Any, texts: Sequence[str], beam_size: int, most: int, of: str
) -> Translate:
    """What one does with CTranslate2 and SentencePiece alone, in batches of at most so many."""

    def translate() -> list[str]:
        results = program.translate_batch(
            pieces.encode(texts, out_type=str),
            beam_size=beam_size,
            max_batch_size=most,
            batch_type=of,
        )
        found: list[str] = pieces.decode([result.hypotheses[0] for result in results])
        return found

    return translate


def race(contenders: dict[str, Translate]) -> dict[str, object]:
    """Let everybody translate in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    outputs: dict[str, Sequence[str]] = {}
    for turn in range(ROUNDS + 1):
        for name, translate in contenders.items():
            start = time.process_time()
            outputs[name] = translate()
            if turn:  # the first one warms up
                seconds[name].append(time.process_time() - start)
    first, *others = contenders
    return {
        "cpu_seconds": {
            name: round(statistics.median(taken), 3) for name, taken in seconds.items()
        },
        f"{first} over": {
            name: round(median_ratio(seconds[first], seconds[name]), 3) for name in others
        },
        "lines that differ": {
            name: sum(a != b for a, b in zip(outputs[first], outputs[name], strict=True))
            for name in others
        },
    }


def bench_texts() -> list[str]:
    """Return the first sources of the file that was named, or random ones."""
    named = os.environ.get("S2S_BENCH_TEXT")
    return Path(named).read_text("utf-8").splitlines()[:SENTENCES] if named else make_texts()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that was named, or a random one."""
    named = os.environ.get("S2S_BENCH_EXPORT")
    if named:
        return Path(named)
    return make_export(make_model(tmp_path_factory.mktemp("engine") / "model"))


@pytest.mark.bench
@pytest.mark.timeout(0)
@pytest.mark.parametrize("beam_size", [5, 1])
@pytest.mark.parametrize("type", ["float32", "int8"])
def test_engine(exported: Path, type: str, beam_size: int) -> None:
    pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")
    texts = bench_texts()
    loaded = ctranslate2_engine.load(exported, "cpu")
    assert isinstance(loaded.engine, CTranslate2Engine)
    program = TARGET.open(exported, "cpu", type)
    engine = dataclasses.replace(loaded.engine, program=program)
    translator = dataclasses.replace(loaded, engine=engine)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(exported / "joint.model"))
    found = ours(translator, texts, beam_size)()
    theirs = directly(program, pieces, texts, beam_size, *LAYOUTS[0])()
    # a line that never ends is longer where nothing but CTranslate2's own limit ends it
    texts = [text for text, a, b in zip(texts, found, theirs, strict=True) if a == b]
    contenders = {"ours": ours(translator, texts, beam_size)}
    for most, of in LAYOUTS:
        name = f"directly, {most} {of}"
        contenders[name] = directly(program, pieces, texts, beam_size, most, of)
    facts = {"engine": type, "beam_size": beam_size, "workers": program.num_translators}
    counts = {"rounds": ROUNDS, "sentences": len(texts)}
    show({**facts, **counts, **race(contenders)})


@pytest.mark.bench
@pytest.mark.timeout(0)
@pytest.mark.parametrize("beam_size", [5, 1])
def test_engines(beam_size: int, tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    named = os.environ.get("S2S_BENCH_MODEL")
    model = tmp_path / "model"
    if named:
        shutil.copytree(named, model)
    else:
        make_model(model)
    texts = bench_texts()
    loaded = {
        "onnx": onnx_engine.load(make_export(model, "onnx")),
        "pytorch": torch_engine.load(model, device="cpu"),
        "ctranslate2": ctranslate2_engine.load(make_export(model), "cpu"),
    }
    found = race({name: ours(one, texts, beam_size) for name, one in loaded.items()})
    facts = {"beam_size": beam_size, "rounds": ROUNDS, "sentences": len(texts)}
    show({**facts, **found})
