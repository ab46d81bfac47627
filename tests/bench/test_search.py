"""Sentences a second of the search, decoding only: ours, and others with a model of the same shape.

    pytest -m bench tests/bench/test_search.py -s

prints JSON: medians of interleaved rounds on one thread (`OMP_NUM_THREADS` for more), and ours over
each other in the same round. The models are random, and every output is as long as its source, so
that everybody takes the same steps. CTranslate2 (our weights, in float32 and int8) and HuggingFace
generate take part where they are installed. The recurrent models race a plain loop, which repeats
the memory for each row of the beam, steps on until the longest output ends and sorts all words:
with our cells and products, and with PyTorch's, as one would write it.

S2S_BENCH_DEVICE=cuda puts all on a GPU, in float32. There, ours searches on plain weights, and what
is for processors alone stays out: int8 of ours, and the choice of PyTorch's layers.
"""

import gc
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2scli.data.batch import make_source
from s2scli.export.ctranslate2_spec import make_spec
from s2scli.model.kernels.allocation import keep_freed_memory
from s2scli.model.kernels.layout import lay_out
from s2scli.model.kernels.machine import Kernel, this_machine
from s2scli.model.seq2seq import Seq2Seq, pick_device
from s2scli.model.settings import ModelSettings
from s2scli.model.states import EncoderOutput
from s2scli.search.loop import Notice, search_from
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree, load_settings
from s2scli.special_ids import BOS_ID, EOS_ID
from s2scli.translation.batches import similar_batches
from s2scli.translation.model_search import BATCH_TOKENS, MAX_WIDTH
from s2scli.translation.pool import SearchPool
from s2scli.translation.torch_engine import SEARCH_KERNELS
from tests.bench.peers import Marian
from tests.bench.race import median_ratio
from tests.bench.showing import show

VOCAB_SIZE = 8000
SENTENCES = int(os.environ.get("S2S_BENCH_SENTENCES", "1000"))
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
DEVICE = pick_device(os.environ.get("S2S_BENCH_DEVICE", "cpu"))
ON_PROCESSOR = DEVICE.type == "cpu"
ROUNDS = int(os.environ.get("S2S_BENCH_ROUNDS", "5"))
EMBEDDING = {"embedding_dim": 256}
STACK = {"kind": "transformer", "model_dim": 256, "num_layers": 3, "num_heads": 4, "ffn_dim": 1024}
TRANSFORMER: Tree = {
    "encoder": STACK,
    "decoder": STACK,
    "attention": {"kind": "multi_head", "num_heads": 4},
    "connection": {"kind": "none"},
}
RECURRENT: dict[str, Tree] = {
    "lstm-attention": {
        "encoder": {"kind": "lstm", "model_dim": 256},
        "decoder": {"kind": "lstm", "model_dim": 512},
        "attention": {"kind": "scaled_dot", "attention_dim": 256},
        "connection": {"kind": "mean"},
    },
    "bahdanau2015": {
        "encoder": {"kind": "gru", "model_dim": 256},
        "decoder": {
            "kind": "gru",
            "model_dim": 512,
            "attend": "before",
            "readout": "maxout",
            "deep_output": True,
        },
        "attention": {"kind": "additive", "attention_dim": 256},
    },
}

Source = NDArray[np.int32]
Decode = Callable[[Sequence[Source], int], object]


def make_model(tree: Tree, *, int8: bool = False) -> Seq2Seq:
    """Return a random model that never ends by itself."""
    settings = load_settings(ModelSettings, {"source": EMBEDDING, "target": EMBEDDING, **tree}, "")
    torch.manual_seed(0)
    model = Seq2Seq(settings, VOCAB_SIZE, VOCAB_SIZE, joint=True).eval()
    with torch.no_grad():
        model.output.bias[EOS_ID] = -100.0
    model = model.to(DEVICE)
    if ON_PROCESSOR:
        lay_out(model, int8=int8)
    return model


def make_sources() -> list[Source]:
    """Return sources as long as those of Multi30k in pieces, the shortest first."""
    random = np.random.default_rng(0)
    lengths = np.clip(random.normal(13, 4, SENTENCES).round().astype(int), 4, 35)
    return [random.integers(4, VOCAB_SIZE, n).astype(np.int32) for n in sorted(lengths)]


def of_one_length(sources: Sequence[Source]) -> Iterator[list[Source]]:
    """Yield batches of sources of one length."""
    for length in sorted({len(source) for source in sources}):
        batch = [source for source in sources if len(source) == length]
        yield from (batch[start : start + 64] for start in range(0, len(batch), 64))


def ours(model: Seq2Seq) -> Decode:
    """Our search, in batches as `s2s translate` makes them."""
    torch.set_num_threads(THREADS)
    pool = SearchPool(THREADS)

    def decode(sources: Sequence[Source], beam_size: int) -> None:
        settings = SearchSettings(beam_size=beam_size)

        @torch.inference_mode()
        def search_batch(indices: Sequence[int], _: Notice) -> Sequence[object]:
            source, lengths = make_source([sources[index] for index in indices])
            state = model.start(model.encode(source.to(DEVICE), lengths))
            keys = source.tolist()
            longest = lengths.to(DEVICE)
            return search_from(model, state, longest, settings, keys, attention=False)

        lengths = [len(source) for source in sources]
        batches = similar_batches(lengths, BATCH_TOKENS // min(beam_size, MAX_WIDTH), THREADS)
        pool.map(search_batch, batches)

    return decode


@torch.inference_mode()
def plain_loop(model: Seq2Seq, source: torch.Tensor, lengths: torch.Tensor, beam: int) -> None:
    """Search the textbook's way: everything once for each row, until the longest has ended."""
    count, longest = len(source), int(lengths.max())
    encoded = model.encode(source, lengths)
    state = model.start(
        EncoderOutput(
            encoded.memory.repeat_interleave(beam, 0),
            encoded.memory_mask.repeat_interleave(beam, 0),
            tuple(part.repeat_interleave(beam, 1) for part in encoded.final_state),
            encoded.padded,
        )
    )
    scores = torch.zeros(count, beam, device=DEVICE)
    scores[:, 1:] = float("-inf")
    written = torch.full((count * beam, 1), BOS_ID, device=DEVICE)
    for _ in range(longest):
        step = model.step(written[:, -1], state)
        log_probs = step.logits.log_softmax(-1)
        total = (scores.view(-1, 1) + log_probs).view(count, -1)
        scores, index = total.topk(beam)
        rows = (torch.arange(count, device=DEVICE)[:, None] * beam + index // VOCAB_SIZE).flatten()
        written = torch.cat([written[rows], (index % VOCAB_SIZE).view(-1, 1)], 1)
        state = step.state.reorder(rows)


def loop(model: Seq2Seq, together: int) -> Decode:
    """The plain loop, over so many sentences at a time."""

    def decode(sources: Sequence[Source], beam_size: int) -> None:
        for start in range(0, len(sources), together):
            source, lengths = make_source(sources[start : start + together])
            plain_loop(model, source.to(DEVICE), lengths, beam_size)

    return decode


def by_pytorch(decode: Decode) -> Decode:
    """Let PyTorch's recurrent layers, products and tanh do what ours do otherwise."""

    def without_ours(sources: Sequence[Source], beam_size: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            machine, never = replace(this_machine(), vendor=""), Kernel(frozenset())
            patch.setattr("s2scli.model.kernels.machine.this_machine", lambda: machine)
            for kernel in ("steps.BY_STEPS", "tanh.BY_LOGISTIC", "additive.BY_LOGISTIC"):
                patch.setattr(f"s2scli.model.kernels.{kernel}", never)
            decode(sources, beam_size)

    return without_ours


def ctranslate2_decode(model: Seq2Seq, settings: ModelSettings, folder: Path, type: str) -> Decode:
    """CTranslate2 with our weights."""
    import ctranslate2

    names = [f"w{id}" for id in range(VOCAB_SIZE)]
    words = SimpleNamespace(vocabulary=names, piece=names.__getitem__, ends=False)
    tokenizers = cast(Any, SimpleNamespace(texts=(words, words)))
    weights = {name: weight.detach() for name, weight in model.state_dict().items()}
    spec = make_spec(settings, weights, tokenizers, 512)
    spec.validate()
    spec.optimize(quantization=None)
    folder.mkdir()
    spec.save(str(folder))
    engine = ctranslate2.Translator(
        str(folder), DEVICE.type, compute_type=type, inter_threads=THREADS, intra_threads=1
    )

    def decode(sources: Sequence[Source], beam_size: int) -> None:
        running = []
        for batch in of_one_length(sources):
            length = len(batch[0]) + 1
            running += engine.translate_batch(
                [[names[id] for id in source] for source in batch],
                beam_size=beam_size,
                min_decoding_length=length,
                max_decoding_length=length,
                asynchronous=True,
            )
        for result in running:
            result.result()

    return decode


def huggingface(settings: ModelSettings) -> Decode:
    """HuggingFace generate with a model of the same shape."""
    model: Any = Marian(settings, VOCAB_SIZE).to(DEVICE).eval().model
    model.config.use_cache = model.generation_config.use_cache = True

    @torch.inference_mode()
    def decode(sources: Sequence[Source], beam_size: int) -> None:
        for batch in of_one_length(sources):
            length = len(batch[0]) + 1
            source = make_source(batch)[0].to(DEVICE)
            model.generate(
                input_ids=source,
                attention_mask=torch.ones_like(source),
                num_beams=beam_size,
                do_sample=False,
                min_new_tokens=length,
                max_new_tokens=length,
            )

    return decode


def race(decoders: dict[str, Decode], beam_size: int) -> dict[str, object]:
    """Let everybody decode the sources in turn."""
    sources = make_sources()
    seconds: dict[str, list[float]] = {name: [] for name in decoders}
    gc.collect()
    gc.freeze()  # what all have loaded is not looked through again at somebody's expense
    for turn in range(ROUNDS + 1):
        for name, decode in decoders.items():
            torch.set_num_threads(THREADS)  # others may have changed it
            start = time.perf_counter()
            decode(sources, beam_size)
            if not ON_PROCESSOR:
                torch.cuda.synchronize(DEVICE)
            if turn:  # the first one warms up
                seconds[name].append(time.perf_counter() - start)
    first, *others = decoders
    return {
        "sentences_per_second": {
            name: round(len(sources) / statistics.median(taken), 1)
            for name, taken in seconds.items()
        },
        f"{first} over": {
            name: round(median_ratio(seconds[name], seconds[first]), 2) for name in others
        },
    }


def show_race(name: str, beam_size: int, outcome: dict[str, object]) -> None:
    facts = {"device": str(DEVICE), "threads": THREADS, "rounds": ROUNDS, "sentences": SENTENCES}
    show({"model": name, "beam_size": beam_size, **facts, **outcome})


@pytest.fixture(autouse=True)
def threads() -> None:
    keep_freed_memory(SEARCH_KERNELS)
    torch.set_num_threads(THREADS)


@pytest.mark.bench
@pytest.mark.timeout(0)
@pytest.mark.parametrize("beam_size", [5, 1])
def test_transformer(tmp_path: Path, beam_size: int) -> None:
    model = make_model(TRANSFORMER)
    settings = load_settings(
        ModelSettings, {"source": EMBEDDING, "target": EMBEDDING, **TRANSFORMER}, ""
    )
    decoders = {"ours": ours(model)}
    if ON_PROCESSOR:
        decoders["ours int8"] = ours(make_model(TRANSFORMER, int8=True))
    if importlib.util.find_spec("ctranslate2"):
        for type in ("float32", "int8"):
            folder = tmp_path / type
            decoders[f"ctranslate2 {type}"] = ctranslate2_decode(model, settings, folder, type)
    if importlib.util.find_spec("transformers"):
        decoders["huggingface"] = huggingface(settings)
    show_race("transformer", beam_size, race(decoders, beam_size))


@pytest.mark.bench
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("beam_size", [5, 1])
def test_recurrent(name: str, beam_size: int) -> None:
    model = make_model(RECURRENT[name])
    decoders = {"ours": ours(model), "plain loop": loop(model, 64)}
    if ON_PROCESSOR:
        decoders |= {
            "ours int8": ours(make_model(RECURRENT[name], int8=True)),
            "plain loop, PyTorch's layers": by_pytorch(loop(model, 64)),
            "plain loop, PyTorch's layers, a sentence at a time": by_pytorch(loop(model, 1)),
        }
    show_race(name, beam_size, race(decoders, beam_size))


@pytest.mark.slow
def test_everybody_searches_the_transformer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.bench.test_search.SENTENCES", 4)
    monkeypatch.setattr("tests.bench.test_search.ROUNDS", 1)
    test_transformer(tmp_path, 1)
    found = json.loads(capsys.readouterr().out)["sentences_per_second"]
    named = {"ctranslate2": "ctranslate2 int8", "transformers": "huggingface"}
    installed = {label for name, label in named.items() if importlib.util.find_spec(name)}
    assert installed | {"ours", "ours int8"} <= found.keys() and min(found.values()) > 0
