"""`s2s inspect attention`: show what the decoder attends to while it translates a sentence."""

from pathlib import Path

import numpy as np

from s2scli.config import recipes_with_attention
from s2scli.data.cleaning import is_blank
from s2scli.data.stream import Line
from s2scli.errors import CheckpointError, CorpusError, UsageError
from s2scli.report.characters import merge_bytes
from s2scli.report.console import Talk
from s2scli.report.heads import AttentionHeads
from s2scli.sides import Sound
from s2scli.translation import torch_engine
from s2scli.translation.lines import NOT_FOUND
from s2scli.translation.options import Options, Wanted
from s2scli.translation.pairs import Pair
from s2scli.translation.records import Record
from s2scli.translation.translator import Translator


def inspect_attention(
    folder: Path, source: str, target: str | None, device: str, talk: Talk
) -> AttentionHeads:
    """Translate `source` (or force `target`) and return the attention of each layer and head.

    Byte pieces are merged into the characters that they spell.

    Args:
        folder: the model folder.
        source: a sentence, or the path of a recording or a picture; if it is too long for the
            model, its parts are joined into one map.
        target: the target to force; None uses the model's own translation.
        device: auto, cpu, cuda or cuda:N.
        talk: warns if the sentence was split.

    Raises:
        UsageError: the text is empty, or the model has no attention.
        CorpusError: the search found no translation, the model cannot process the text, or the
            file is missing, unreadable or silent.
        CheckpointError: the model is damaged.
        MissingInputError: there is no model in `folder`.
    """
    if is_blank(source):
        raise UsageError("the text is empty; expected a sentence")
    return attention_of(load_with_attention(folder, device), source, target, talk)


def attention_of(
    translator: Translator, source: str, target: str | None, talk: Talk
) -> AttentionHeads:
    """Return the attention of each layer and head; see `inspect_attention`."""
    options = Options(translator.engine.settings, wanted=Wanted(attention=True))
    what = "recording" if isinstance(translator.sides.source, Sound) else "text"
    line = Line(f"the {what}", 1, source)
    if target is None:
        (record,) = translator.translate([line], options)
    else:
        (record,) = translator.score([Pair(line, source, target)], options)
    if record.overlong:
        talk.warn(f"the {what} is too long for the model: translated in parts and joined again")
    if translator.sides.source is not None:
        _check_file(record)
    return _heads_of(record)


def load_with_attention(folder: Path, device: str) -> Translator:
    """Load a model that has attention.

    Raises:
        UsageError: it has none.
        CheckpointError: the model is damaged.
        MissingInputError: there is no model in `folder`.
    """
    translator = torch_engine.load(folder, device=device)
    if not translator.has_attention:
        raise UsageError(
            f"the model in {folder} has no attention; recipes that have it: "
            f"{', '.join(recipes_with_attention())}"
        )
    return translator


def _check_file(record: Record) -> None:
    """Check that the model could read a recording or a picture.

    Raises:
        CorpusError: it could not; the message names the file.
    """
    if record.status == "failed":
        raise CorpusError(record.fault)
    if record.status == "empty":
        raise CorpusError(f"{record.source}: silent; expected a recording of speech")


def _heads_of(record: Record) -> AttentionHeads:
    if record.status == "failed" and record.fault != NOT_FOUND:
        raise CorpusError(f"the model cannot process this text: {record.fault}")
    if record.translation is None or record.best is None:
        raise CorpusError("the search found no translation of this text; give one with --target")
    heads = record.translation.heads(record.best)
    if heads is None or not np.isfinite(heads.weights).all():
        raise CheckpointError(
            "the attention weights of this model are missing or not finite; the model is damaged"
        )
    return merge_bytes(heads)
