"""Codecs: convert the cells of one side of the corpus to token ids and back."""

from s2scli.data.codecs.codec import Codec, MakeCodec
from s2scli.data.codecs.text import TextCodec

CODECS: dict[str, MakeCodec] = {"text": TextCodec}

__all__ = ["CODECS", "Codec", "MakeCodec"]
