"""Small models of other programs with random weights, and what those programs compute with them.

The arithmetic is written here a second time, from each program's own conventions, in float64.
"""

import argparse
import io
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import torch
import torch.nn.functional as F
from torch import Tensor

WIDTH, HEADS, FFN = 8, 2, 12
LAYERS = {"encoder": 2, "decoder": 1}
TEXTS = (
    "a small house stands here",
    "the houses are small",
    "here the sea stands still",
    "an ear hears the sea",
    "there are tea and rest",
)
Logits = Callable[[Sequence[int], Sequence[int]], Tensor]


@dataclass(frozen=True)
class Side:
    """The tokenizer of a side as another program uses it: SentencePiece, and a vocabulary."""

    spm: bytes
    pieces: tuple[str, ...]

    def encode(self, text: str, unknown: int) -> list[int]:
        """Return the ids of the other program, without an end token."""
        program = sentencepiece.SentencePieceProcessor(model_proto=self.spm)
        ids = {piece: id for id, piece in enumerate(self.pieces)}
        return [ids.get(piece, unknown) for piece in program.encode(text, out_type=str)]


def make_spm(
    kind: str, texts: Sequence[str] = TEXTS, size: int = 40, *, byte_fallback: bool = False
) -> bytes:
    """Return a model with the ids and the normalization that SentencePiece chooses itself."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type=kind,
        vocab_size=size,
        byte_fallback=byte_fallback,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()


def own_pieces(spm: bytes) -> list[str]:
    """Return the pieces of a model without the special ones."""
    program = sentencepiece.SentencePieceProcessor(model_proto=spm)
    ids = range(program.vocab_size())
    return [program.id_to_piece(id) for id in ids if not program.is_control(id) and id]


def make_side(
    first: Sequence[str], last: Sequence[str] = (), kind: str = "unigram", left_out: int = 2
) -> Side:
    """Return a side whose vocabulary is shuffled, and lacks some pieces."""
    spm = make_spm(kind)
    pieces = sorted(own_pieces(spm))
    random.Random(1).shuffle(pieces)
    return Side(spm, (*first, *pieces[left_out:], *last))


def draws(seed: int) -> Callable[..., Tensor]:
    """Return a function that draws a tensor of a shape."""
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator) * 0.7


def attend(query: Tensor, memory: Tensor, parts: Mapping[str, Tensor], causal: bool) -> Tensor:
    """Multi-head attention of [T, D] over [S, D]; weights are those of y = x W + b."""
    width = query.shape[1] // HEADS
    heads = []
    for head in range(HEADS):
        some = slice(head * width, (head + 1) * width)
        q, k, v = (
            (states @ parts[f"W{name}"] + parts[f"b{name}"])[:, some]
            for name, states in (("q", query), ("k", memory), ("v", memory))
        )
        scores = q @ k.T / math.sqrt(width)
        if causal:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -math.inf)
        heads.append(scores.softmax(-1) @ v)
    return torch.cat(heads, 1) @ parts["Wo"] + parts["bo"]


def norm(states: Tensor, scale: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """Layer normalization."""
    middle = states - states.mean(-1, keepdim=True)
    return middle / (middle.square().mean(-1, keepdim=True) + epsilon).sqrt() * scale + bias


# Marian


@dataclass(frozen=True)
class MarianModel:
    """A checkpoint of Marian, in memory."""

    arrays: dict[str, Tensor]
    options: dict[str, str]
    sides: tuple[Side, Side]
    activation: str

    def save(self, folder: Path) -> Path:
        """Write `model.npz`, the vocabularies and the SentencePiece models; return the folder."""
        folder.mkdir(parents=True)
        yaml = "".join(f"{name}: {value}\n" for name, value in self.options.items())
        text = np.frombuffer(yaml.encode() + b"\0", np.int8)
        arrays: dict[str, Any] = {name: array.numpy() for name, array in self.arrays.items()}
        arrays["special:model.yml"] = text
        np.savez(folder / "model.npz", **arrays)
        for name, side in zip(("source", "target"), self.sides, strict=True):
            (folder / f"{name}.spm").write_bytes(side.spm)
        lines = [f"{json.dumps(piece)}: {id}\n" for id, piece in enumerate(self.sides[0].pieces)]
        (folder / "vocab.yml").write_text("".join(lines), encoding="utf-8")
        return folder

    def logits(self, source: Sequence[int], target: Sequence[int]) -> Tensor:
        """Return the logits after each prefix of a target, [T + 1, V]."""
        weights = {name: array.double() for name, array in self.arrays.items()}
        memory = self._stack("encoder", weights["Wemb"][list(source)], None)
        begin = torch.zeros(1, WIDTH, dtype=torch.float64)
        read = torch.cat([begin, weights["Wemb"][list(target)]])
        states = self._stack("decoder", read, memory)
        return states @ weights["Wemb"].T + weights["decoder_ff_logit_out_b"]

    def _stack(self, stack: str, embedded: Tensor, memory: Tensor | None) -> Tensor:
        states = embedded * math.sqrt(WIDTH) + self._positions(len(embedded))
        for number in range(1, LAYERS[stack] + 1):
            own = {
                name.removeprefix(f"{stack}_l{number}_"): array.double()
                for name, array in self.arrays.items()
                if name.startswith(f"{stack}_l{number}_")
            }
            for kind, seen in (("self", None), ("context", memory)):
                if kind == "context" and seen is None:
                    continue
                parts = {name[len(kind) + 1 :]: w for name, w in own.items() if kind in name}
                read = states if seen is None else seen
                causal = stack == "decoder" and seen is None
                states = states + attend(states, read, parts, causal)
                states = norm(states, parts["Wo_ln_scale"], parts["Wo_ln_bias"], 1e-9)
            inner = states @ own["ffn_W1"] + own["ffn_b1"]
            inner = inner * inner.sigmoid() if self.activation == "swish" else inner.relu()
            states = states + inner @ own["ffn_W2"] + own["ffn_b2"]
            states = norm(states, own["ffn_ffn_ln_scale"], own["ffn_ffn_ln_bias"], 1e-9)
        return states

    def _positions(self, count: int) -> Tensor:
        half = WIDTH // 2
        rows = [
            [wave(at * 10_000 ** (-unit / (half - 1))) for wave in (math.sin, math.cos)
             for unit in range(half)]
            for at in range(count)
        ]  # fmt: skip
        return torch.tensor(rows, dtype=torch.float64)


def make_marian(activation: str = "swish") -> MarianModel:
    """Return a checkpoint with all embeddings tied, as of OPUS-MT."""
    side = make_side(("</s>", "<unk>"), (">>fra<<",))
    draw = draws(2)
    arrays = {"Wemb": draw(len(side.pieces), WIDTH)}
    arrays["decoder_ff_logit_out_b"] = draw(1, len(side.pieces))
    for stack, count in LAYERS.items():
        for number in range(1, count + 1):
            name = f"{stack}_l{number}"
            for kind in ("self", "context")[: 1 + (stack == "decoder")]:
                for part in "qkvo":
                    arrays[f"{name}_{kind}_W{part}"] = draw(WIDTH, WIDTH)
                    arrays[f"{name}_{kind}_b{part}"] = draw(1, WIDTH)
                arrays[f"{name}_{kind}_Wo_ln_scale"] = 1 + draw(1, WIDTH)
                arrays[f"{name}_{kind}_Wo_ln_bias"] = draw(1, WIDTH)
            arrays[f"{name}_ffn_W1"], arrays[f"{name}_ffn_b1"] = draw(WIDTH, FFN), draw(1, FFN)
            arrays[f"{name}_ffn_W2"], arrays[f"{name}_ffn_b2"] = draw(FFN, WIDTH), draw(1, WIDTH)
            arrays[f"{name}_ffn_ffn_ln_scale"] = 1 + draw(1, WIDTH)
            arrays[f"{name}_ffn_ffn_ln_bias"] = draw(1, WIDTH)
    options = {
        "type": "transformer",
        "dim-emb": str(WIDTH),
        "dim-vocabs": f"\n  - {len(side.pieces)}\n  - {len(side.pieces)}",
        "enc-depth": str(LAYERS["encoder"]),
        "dec-depth": str(LAYERS["decoder"]),
        "transformer-heads": str(HEADS),
        "transformer-ffn-activation": activation,
        "transformer-preprocess": '""',
        "transformer-postprocess": "dan",
        "tied-embeddings-all": "true",
        "version": '"v1.12.0 65bf82f 2023-02-21"',
    }
    return MarianModel(arrays, options, (side, side), activation)


# OpenNMT-py


@dataclass(frozen=True)
class OpenNMTModel:
    """A checkpoint of OpenNMT-py 3, in memory."""

    tensors: dict[str, Tensor]
    options: dict[str, Any]
    sides: tuple[Side, Side]

    def save(self, folder: Path) -> Path:
        """Write the checkpoint and the SentencePiece models; return the checkpoint's path."""
        folder.mkdir(parents=True)
        for name, side in zip(("source", "target"), self.sides, strict=True):
            (folder / f"{name}.spm").write_bytes(side.spm)
        src, tgt = (list(side.pieces) for side in self.sides)
        head = {
            name.removeprefix("generator."): tensor
            for name, tensor in self.tensors.items()
            if name.startswith("generator.")
        }
        model = {name: t for name, t in self.tensors.items() if not name.startswith("generator.")}
        content = {
            "model": model,
            "generator": head,
            "vocab": {"src": src, "tgt": tgt, "data_task": "seq2seq", "decoder_start_token": "<s>"},
            "opt": argparse.Namespace(**self.options),
            "optim": {"training_step": 5},
        }
        torch.save(content, folder / "model.pt")
        return folder / "model.pt"

    def logits(self, source: Sequence[int], target: Sequence[int]) -> Tensor:
        """Return the logits after each prefix of a target, [T + 1, V]."""
        memory = self._stack("encoder", source, None)
        states = self._stack("decoder", [2, *target], memory)
        weight, bias = (self.tensors[f"generator.{name}"].double() for name in ("weight", "bias"))
        return states @ weight.T + bias

    def _stack(self, stack: str, ids: Sequence[int], memory: Tensor | None) -> Tensor:
        weights = {name: tensor.double() for name, tensor in self.tensors.items()}
        table = weights[f"{stack}.embeddings.make_embedding.emb_luts.0.weight"]
        positions = torch.zeros(len(ids), WIDTH, dtype=torch.float64)
        for at in range(len(ids)):
            for unit in range(0, WIDTH, 2):
                angle = at / 10_000 ** (unit / WIDTH)
                positions[at, unit], positions[at, unit + 1] = math.sin(angle), math.cos(angle)
        states = table[list(ids)] * math.sqrt(WIDTH) + positions

        def normed(name: str, values: Tensor) -> Tensor:
            return norm(values, weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-6)

        own = {"encoder": "transformer", "decoder": "transformer_layers"}[stack]
        for number in range(LAYERS[stack]):
            name = f"{stack}.{own}.{number}"
            first = f"{name}.layer_norm" + ("_1" if stack == "decoder" else "")
            read = normed(first, states)
            parts = _parts(weights, f"{name}.self_attn")
            states = states + attend(read, read, parts, stack == "decoder")
            if memory is not None:
                read = normed(f"{name}.layer_norm_2", states)
                parts = _parts(weights, f"{name}.context_attn")
                states = states + attend(read, memory, parts, False)
            read = normed(f"{name}.feed_forward.layer_norm", states)
            inner = read @ weights[f"{name}.feed_forward.w_1.weight"].T
            inner = inner + weights[f"{name}.feed_forward.w_1.bias"]
            if f"{name}.feed_forward.w_3.weight" in weights:
                gate = read @ weights[f"{name}.feed_forward.w_3.weight"].T
                inner = F.silu(inner) * (gate + weights[f"{name}.feed_forward.w_3.bias"])
            else:
                inner = inner.relu()
            outer = inner @ weights[f"{name}.feed_forward.w_2.weight"].T
            states = states + outer + weights[f"{name}.feed_forward.w_2.bias"]
        return normed(f"{stack}.layer_norm", states)


def _parts(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the weights of an attention by Marian's names; a missing bias is 0."""
    names = {"q": "linear_query", "k": "linear_keys", "v": "linear_values", "o": "final_linear"}
    zeros = torch.zeros(WIDTH, dtype=torch.float64)
    return {
        **{f"W{part}": weights[f"{name}.{own}.weight"].T for part, own in names.items()},
        **{f"b{part}": weights.get(f"{name}.{own}.bias", zeros) for part, own in names.items()},
    }


def make_opennmt(activation: str = "relu", biases: bool = True) -> OpenNMTModel:
    """Return a checkpoint with a tokenizer for each side."""
    special = ("<unk>", "<blank>", "<s>", "</s>")
    sides = make_side(special), make_side(special, ("unlikely0",), kind="bpe", left_out=1)
    draw, tensors = draws(3), {}

    def linear(name: str, rows: int, columns: int, bias: bool = True) -> None:
        tensors[f"{name}.weight"] = draw(rows, columns)
        if bias:
            tensors[f"{name}.bias"] = draw(rows)

    def norms(name: str) -> None:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = 1 + draw(WIDTH), draw(WIDTH)

    for (stack, own), side in zip(
        (("encoder", "transformer"), ("decoder", "transformer_layers")), sides, strict=True
    ):
        table = f"{stack}.embeddings.make_embedding.emb_luts.0"
        linear(table, len(side.pieces), WIDTH, bias=False)
        for number in range(LAYERS[stack]):
            name = f"{stack}.{own}.{number}"
            for attention in ("self_attn", "context_attn")[: 1 + (stack == "decoder")]:
                for part in ("linear_query", "linear_keys", "linear_values", "final_linear"):
                    linear(f"{name}.{attention}.{part}", WIDTH, WIDTH, biases)
            for part in ("layer_norm",) if stack == "encoder" else ("layer_norm_1", "layer_norm_2"):
                norms(f"{name}.{part}")
            norms(f"{name}.feed_forward.layer_norm")
            linear(f"{name}.feed_forward.w_1", FFN, WIDTH)
            linear(f"{name}.feed_forward.w_2", WIDTH, FFN)
            if activation == "silu":
                linear(f"{name}.feed_forward.w_3", FFN, WIDTH)
        norms(f"{stack}.layer_norm")
    linear("generator", len(sides[1].pieces), WIDTH)
    options = {
        "encoder_type": "transformer",
        "decoder_type": "transformer",
        "enc_layers": LAYERS["encoder"],
        "dec_layers": LAYERS["decoder"],
        "hidden_size": WIDTH,
        "heads": HEADS,
        "transformer_ff": FFN,
        "pos_ffn_activation_fn": activation,
        "position_encoding": True,
        "max_relative_positions": 0,
        "dropout": [0.1],
        "layer_norm": "standard",
        "norm_eps": 1e-6,
    }
    return OpenNMTModel(tensors, options, sides)
