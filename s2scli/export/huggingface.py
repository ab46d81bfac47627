"""HuggingFace Transformers as an export target: a folder of a MarianMTModel. Imports no torch."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2scli.artifacts import plain_file_size
from s2scli.errors import CheckpointError, ConfigError
from s2scli.export.extra import require_extra
from s2scli.export.settings import Quantization, Recommended
from s2scli.manifest import encode_json
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from s2scli.tokenizer.sentencepiece import SPACE, SentencePiece
from s2scli.tokenizer.tokenizers import Tokenizers

if TYPE_CHECKING:
    from torch import Tensor

    from s2scli.model.settings import ModelSettings

WEIGHTS, CONFIG, GENERATION = "model.safetensors", "config.json", "generation_config.json"
SOURCE, TARGET, VOCABULARY = "source.spm", "target.spm", "vocab.json"
TARGET_VOCABULARY, TOKENIZER = "target_vocab.json", "tokenizer_config.json"
NORM_EPSILON = 1e-5
FILES = (WEIGHTS, CONFIG, GENERATION, SOURCE, TARGET, VOCABULARY, TOKENIZER)


class HuggingFace:
    """Writes, checks and opens folders of a MarianMTModel. `Target` documents the methods."""

    kind = "huggingface"
    name = "Transformers"
    quantizes = False

    def use(self, folder: str) -> str:
        """Return a line of Python that loads the export."""
        return f"transformers.MarianMTModel.from_pretrained({folder!r}), and MarianTokenizer alike"

    def require(self) -> Any:
        """Import and return the package transformers."""
        return require_extra("transformers", self.name, self.kind)

    def obstacles(self, settings: "ModelSettings") -> list[str]:
        """Return the reasons why a MarianMTModel cannot be such a model; empty if it can."""
        encoder, decoder, attention = settings.encoder, settings.decoder, settings.attention
        kinds = {
            "source.kind": (settings.source.kind, "tokens"),
            "encoder.kind": (encoder.kind, "transformer"),
            "decoder.kind": (decoder.kind, "transformer"),
            "attention.kind": (attention.kind, "multi_head"),
            "connection.kind": (settings.connection.kind, "none"),
            "output.kind": (settings.output.kind, "plain"),
        }
        if found := _differences(kinds):
            return found[:1]  # what else differs follows from it
        assert encoder.kind == decoder.kind == "transformer"
        assert attention.kind == "multi_head"
        required: dict[str, tuple[object, object]] = {}
        for name, stack in (("encoder", encoder), ("decoder", decoder)):
            required[f"{name}.norm_first"] = (stack.norm_first, False)
            required[f"{name}.norm"] = (stack.norm, "layer")
            required[f"{name}.norm_epsilon"] = (stack.epsilon, NORM_EPSILON)
            required[f"{name}.positions"] = (stack.positions, "sinusoidal")
        gated, odd = encoder.activation == "swiglu", encoder.model_dim % 2
        activation = "relu, gelu or silu" if gated else encoder.activation
        required["encoder.activation"] = (encoder.activation, activation)
        required["decoder.activation"] = (decoder.activation, encoder.activation)
        width = "an even width" if odd else encoder.model_dim
        required["encoder.model_dim"] = (encoder.model_dim, width)
        required["decoder.model_dim"] = (decoder.model_dim, encoder.model_dim)
        required["attention.num_heads"] = (attention.num_heads, decoder.num_heads)
        return _differences(required)

    def write(
        self,
        folder: Path,
        settings: "ModelSettings",
        weights: "Mapping[str, Tensor]",
        tokenizers: Tokenizers,
        positions: int,
        quantization: Quantization,
        recommended: Recommended,
    ) -> None:
        """Write the weights, the configurations and the tokenizer files."""
        if tokenizers.texts[1].reverse:
            raise ConfigError(
                "this model writes from right to left (s2s train-tokenizer --right-to-left), which "
                "MarianTokenizer cannot"
            )
        if not tokenizers.texts[0].ends:
            raise ConfigError(
                "this model reads sources without an end token, which MarianTokenizer always adds"
            )
        if tokenizers.tags:
            raise ConfigError(
                "this model has tags (s2s prepare --tag), which MarianTokenizer reads differently"
            )
        from s2scli.export.marian import marian_config, marian_tensors
        from s2scli.model.weights import encode_tensors

        tensors = encode_tensors(marian_tensors(settings, weights), {"format": "pt"})
        (folder / WEIGHTS).write_bytes(tensors)
        config = marian_config(settings, weights, positions)
        (folder / CONFIG).write_bytes(encode_json(config))
        (folder / GENERATION).write_bytes(encode_json(_generation(positions, recommended)))
        _write_tokenizer(folder, tokenizers, positions)

    def check(self, folder: Path, tokenizers: Tokenizers, positions: int) -> None:
        """Check that the folder holds the files that `write` writes."""
        for name in FILES:
            plain_file_size(folder / name)

    def open(self, folder: Path, device: str, compute_type: str = "default") -> Any:
        """Return the `transformers.MarianMTModel` of a folder, in evaluation mode on the CPU."""
        from safetensors import SafetensorError

        transformers = self.require()
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        try:
            model = transformers.MarianMTModel.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise CheckpointError(
                f"{folder}: {self.name} cannot read it ({error!s:.200})"
            ) from error
        return model.eval()

    def encode(self, folder: Path, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids that MarianTokenizer gives to sources, end included."""
        transformers = self.require()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # recommends sacremoses, which it does not use here
            tokenizer = transformers.MarianTokenizer.from_pretrained(folder, local_files_only=True)
        return [list(map(int, tokenizer(text).input_ids)) for text in texts]


def _differences(required: Mapping[str, tuple[object, object]]) -> list[str]:
    """Return in words which settings differ, of those found and those that are needed."""
    return [
        f"model.{name} is {_toml(found)}, and a MarianMTModel needs {_toml(wanted)}"
        for name, (found, wanted) in required.items()
        if found != wanted
    ]


def _generation(positions: int, recommended: Recommended) -> dict[str, Any]:
    """Return the content of `generation_config.json`, which `generate` uses by default.

    The padding and the begin token are never written, and the search goes on while another
    hypothesis may rank higher, as in our own search.
    """
    return {
        "bos_token_id": BOS_ID,
        "decoder_start_token_id": BOS_ID,
        "early_stopping": False,
        "eos_token_id": EOS_ID,
        "forced_eos_token_id": EOS_ID,
        "length_penalty": recommended.length_penalty,
        "max_length": positions,
        "no_repeat_ngram_size": recommended.no_repeat_ngram,
        "num_beams": recommended.beam_size,
        "pad_token_id": PAD_ID,
        "suppress_tokens": [PAD_ID, BOS_ID],
    }


def _write_tokenizer(folder: Path, tokenizers: Tokenizers, positions: int) -> None:
    """Write the files that MarianTokenizer reads."""
    source, target = tokenizers.texts
    (folder / SOURCE).write_bytes(source.model)
    (folder / TARGET).write_bytes(target.model)
    vocabularies = {VOCABULARY: source}
    if not tokenizers.joint:
        vocabularies[TARGET_VOCABULARY] = target
    for name, side in vocabularies.items():
        (folder / name).write_text(_numbered(side), encoding="utf-8", newline="\n")
    config = {
        "tokenizer_class": "MarianTokenizer",
        "separate_vocabs": not tokenizers.joint,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,  # a text may spell one
        "model_max_length": positions,
        "pad_token": source.piece(PAD_ID),
        "unk_token": source.piece(UNK_ID),
        "eos_token": source.piece(EOS_ID),
    }
    (folder / TOKENIZER).write_bytes(encode_json(config))


def _numbered(tokenizer: SentencePiece) -> str:
    """Return the pieces with their ids as JSON, in the order of the ids.

    MarianTokenizer looks up the name of a language, such as `>>fra<<`, without a space before it.
    """
    names = (
        piece.removeprefix(SPACE)
        if piece.endswith("<<") and piece.startswith(f"{SPACE}>>")
        else piece
        for piece in tokenizer.vocabulary
    )
    pieces = {name: id for id, name in enumerate(names)}
    return json.dumps(pieces, ensure_ascii=False, indent=0) + "\n"


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
