"""What a program that runs plain Transformers of text cannot run. Imports no torch."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2scli.model.settings import ModelSettings


def transformer_obstacles(settings: "ModelSettings", program: str) -> list[str]:
    """Return the reasons why a model is not a plain Transformer of text; empty if it is one.

    A plain Transformer reads and writes tokens, its decoder sees the source only through
    multi-head attention, and its output is a softmax over the vocabulary.

    Args:
        settings: the settings of the model.
        program: the name of the program, as shown to users.
    """
    only = f"{program} runs Transformers only"
    if settings.source.kind != "tokens":
        return [f"the source is {settings.source.kind}, and {program} reads text only"]
    if settings.encoder.kind != "transformer":
        return [f"the encoder is recurrent ({settings.encoder.kind}), and {only}"]
    if settings.decoder.kind != "transformer":
        return [f"the decoder is recurrent ({settings.decoder.kind}), and {only}"]
    found = []
    if settings.output.kind != "plain":
        found.append("it cannot copy tokens of the source (model.output.kind pointer)")
    if settings.attention.kind != "multi_head":
        found.append(f"its decoders use multi-head attention, not {settings.attention.kind}")
    if settings.connection.kind != "none":
        found.append(
            "its decoders see the source only through attention, not through a connection "
            f"({settings.connection.kind})"
        )
    return found
