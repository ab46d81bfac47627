"""Model folders with random weights, for tests."""

from collections.abc import Iterable
from pathlib import Path

import torch

from s2scli.config import load_recipe
from s2scli.model.weights import model_weights
from s2scli.special_ids import BOS_ID, PAD_ID
from s2scli.tokenizer.learning import learn_sentencepiece
from s2scli.tokenizer.plan import TokenizerPlan
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.model_folder import build_model, model_facts, write_model_folder

SMALL = (
    *(f"model.{side}.embedding_dim=16" for side in ("source", "target")),
    *(
        f"model.{side}.{dim}=16"
        for side in ("encoder", "decoder")
        for dim in ("model_dim", "ffn_dim")
    ),
    "training.max_length=20",
)


def letters_of(texts: Iterable[str], tags: tuple[str, ...] = ()) -> Tokenizers:
    """A joint tokenizer whose pieces are the letters of some texts."""
    kept = tuple(texts)
    plan = TokenizerPlan("char", 40, False, 1.0, False, tags=tags)
    pieces = learn_sentencepiece(lambda: kept, plan, "none")
    return Tokenizers(pieces, pieces, joint=True)


def write_model(
    folder: Path,
    tokenizers: Tokenizers,
    *changes: str,
    recipe: str = "tiny",
    seed: int = 1,
    scale: float = 1.0,
) -> Path:
    """Write an untrained model of a recipe with changes; at `scale` 3 it has strong opinions."""
    resolved = load_recipe(recipe, list(changes))
    torch.manual_seed(seed)
    model = build_model(resolved, tokenizers)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(scale)
    facts = model_facts(model, 1234, 90.0, {"bleu": 12.5})
    write_model_folder(folder, resolved, model_weights(model), tokenizers, facts)
    return folder


def write_transformer(folder: Path, *changes: str, seed: int = 1) -> Path:
    """Write an untrained Transformer that can be exported.

    Tokens that are never written have no share of its probability, so that it makes no difference
    which engine gives them one.
    """
    recipe = load_recipe("transformer-tiny", [*SMALL, *changes])
    tokenizers = letters_of(["abcdefgh ij"])
    torch.manual_seed(seed)
    model = build_model(recipe, tokenizers)
    with torch.no_grad():
        model.output.bias[[PAD_ID, BOS_ID]] = -1e4
        model.output.weight.mul_(3.0)
    write_model_folder(folder, recipe, model_weights(model), tokenizers, {})
    return folder
