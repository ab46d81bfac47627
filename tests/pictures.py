"""Corpora of tiny generated pictures, and model folders that write pictures, for tests."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2scli.config import fit_to_target, load_recipe
from s2scli.data.codecs.picture_files import encode_png
from s2scli.model.weights import model_weights
from s2scli.tokenizer.pictures import Bits
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.model_folder import build_model, model_facts, write_model_folder
from tests.folders import SMALL, letters_of

HEIGHT, WIDTH = 4, 8
TOKENS = 4
WORDS = ("left", "right", "full")
BITS = Bits(height=HEIGHT, width=WIDTH)


def picture(word: str, seed: int = 0) -> NDArray[np.uint8]:
    """Return a picture whose named half is white, apart from a few random pixels, [H, W, 1]."""
    pixels = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    pixels[:, slice(0, 4) if word == "left" else slice(4, 8) if word == "right" else slice(8)] = 255
    noise = np.random.default_rng(seed).random(pixels.shape) < 0.2
    return np.where(noise, 255 - pixels, pixels).astype(np.uint8)


def write_pictures(folder: Path, rows: int = 60) -> Path:
    """Write PNG files, and a corpus `pictures.tsv` of lines `word TAB path`."""
    lines = []
    for number in range(rows):
        word = WORDS[number % len(WORDS)]
        (folder / f"{number}.png").write_bytes(encode_png(picture(word, number)))
        lines.append(f"{word}\t{number}.png\n")
    (folder / "pictures.tsv").write_text("".join(lines))
    return folder / "pictures.tsv"


def write_picture_model(folder: Path, *changes: str, from_pictures: bool = False) -> Path:
    """Write an untrained model from text, or from pictures, to pictures."""
    texts = letters_of(["abcdefgh ij"])
    source = BITS.picture if from_pictures else texts.source
    tokenizers = Tokenizers(source, BITS, joint=False)
    small = [change for change in SMALL if "ffn_dim" not in change]
    recipe = load_recipe("tiny", [*small, *changes], sides=tokenizers.sides)
    recipe = fit_to_target(recipe, BITS, changes)
    model = build_model(recipe, tokenizers)
    facts = model_facts(model, 1234, 90.0, {"loss": 1.5})
    write_model_folder(folder, recipe, model_weights(model), tokenizers, facts)
    return folder
