"""Codecs: convert the cells of each side of the corpus to model input, and token ids to cells.

Each codec is imported when it is needed, because tokenizers are slow to import.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from s2scli.data.codecs.codec import SourceCodec, TargetCodec
from s2scli.sides import Media, Picture, Sound

if TYPE_CHECKING:
    from s2scli.tokenizer.copying import Copier
    from s2scli.tokenizer.tokenizers import Source, Target

MAX_SECONDS = 4 * 3600.0

__all__ = ["SourceCodec", "TargetCodec", "media_codec", "source_codec", "target_codec"]


def source_codec(source: "Source", copier: "Copier | None" = None) -> SourceCodec:
    """Return the codec of a model's source; a model that copies has a copier."""
    if isinstance(source, Sound | Picture):
        return media_codec(source)
    if copier:
        from s2scli.data.codecs.copying import CopyingSource

        return CopyingSource(source, copier)
    from s2scli.data.codecs.text import TextCodec

    return TextCodec(source)


def media_codec(
    media: Media, folder: Path | None = None, max_seconds: float = MAX_SECONDS
) -> SourceCodec:
    """Return the codec of sound or pictures.

    Args:
        media: the format that files are converted to.
        folder: where relative paths are looked up first, before the current folder.
        max_seconds: the longest recording that is read.
    """
    if isinstance(media, Sound):
        from s2scli.data.codecs.audio import AudioCodec

        return AudioCodec(media, folder, max_seconds)
    from s2scli.data.codecs.image import ImageCodec

    return ImageCodec(media, folder)


def target_codec(target: "Target", copier: "Copier | None" = None) -> TargetCodec:
    """Return the codec of a model's target; a model that copies has a copier."""
    from s2scli.data.codecs.copying import CopyingTarget
    from s2scli.data.codecs.image import PictureCodec
    from s2scli.data.codecs.text import TextCodec
    from s2scli.tokenizer.sentencepiece import SentencePiece

    if not isinstance(target, SentencePiece):
        return PictureCodec(target)
    return CopyingTarget(target, copier) if copier else TextCodec(target)
