"""The token front end: an embedding table."""

from typing import Literal, cast

import torch
from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.kernels.dropout import Dropout
from s2scli.settings import Settings, setting
from s2scli.sides import Input

TABLE = "table.weight"  # name of the parameter in the front end


class TokenFrontendSettings(Settings):
    """Settings of an embedding table."""

    kind: Literal["tokens"] = setting("tokens", "The input consists of token ids.")
    embedding_dim: int = setting(256, "Width of the token embeddings.", "units", ge=1, le=16384)
    dropout: float = setting(0.0, "Dropout on the embeddings.", "probability", ge=0.0, lt=1.0)

    def typical(self, vocab_size: int) -> Input:
        """Return what such a front end reads, for an estimate: a vocabulary of this size."""
        return vocab_size

    def build(self, reads: Input, pad_id: int) -> "TokenFrontend":
        """Return the front end for a vocabulary.

        Args:
            reads: the size of the vocabulary.
            pad_id: the padding token; its embedding is zero.

        Raises:
            ConfigError: the side is not text.
        """
        if not isinstance(reads, int):
            raise ConfigError(
                "model.source.kind: tokens reads text, and the source is not text; choose audio "
                "or image"
            )
        return TokenFrontend(self, reads, pad_id)


class TokenFrontend(nn.Module):
    """Looks up token embeddings.

    That of the padding token is zero, unless the output layer shares the table and trains it.
    """

    def __init__(self, settings: TokenFrontendSettings, vocab_size: int, pad_id: int) -> None:
        super().__init__()
        self.output_dim = settings.embedding_dim
        vectors = torch.empty(vocab_size, settings.embedding_dim)
        if not vectors.is_meta:  # on meta, init would import torch._dynamo, over a second
            nn.init.normal_(vectors, std=settings.embedding_dim**-0.5)
            vectors[pad_id] = 0.0
        self.table = nn.Embedding(
            vocab_size, settings.embedding_dim, padding_idx=pad_id, _weight=vectors
        )
        self.dropout = Dropout(settings.dropout)

    @property
    def vectors(self) -> nn.Parameter | None:
        """The embedding table, [V, E]."""
        return cast(nn.Parameter, self.table.weight)

    def share(self, vectors: nn.Parameter) -> None:
        """Use another front end's embedding table, [V, E]."""
        self.table.weight = vectors

    def rows(self) -> tuple[str, ...]:
        """Return the names of the weights that have one row per token."""
        return (TABLE,)

    def positions(self, lengths: Tensor) -> Tensor:
        """Return the lengths: there is a vector for each token."""
        return lengths

    def read(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors of token ids [B, S], and their lengths [B]."""
        return self(values), lengths

    def forward(self, token_ids: Tensor) -> Tensor:
        """Map token ids [B, T] to embeddings [B, T, E]."""
        embedded: Tensor = self.dropout(self.table(token_ids))
        return embedded
