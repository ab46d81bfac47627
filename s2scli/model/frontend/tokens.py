"""Token ids to vectors."""

from typing import Literal, cast

import torch
from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.kernels.dropout import Dropout
from s2scli.settings import Settings, setting
from s2scli.sides import Input

TABLE = "table.weight"  # of a front end, by name


class TokenFrontendSettings(Settings):
    """An embedding table."""

    kind: Literal["tokens"] = setting("tokens", "What the input is: token ids.")
    embedding_dim: int = setting(256, "Width of a token's vector.", "units", ge=1, le=16384)
    dropout: float = setting(0.0, "Dropout on the vectors.", "probability", ge=0.0, lt=1.0)

    def build(self, reads: Input, pad_id: int) -> "TokenFrontend":
        """Return the table for a vocabulary.

        Args:
            reads: the number of tokens.
            pad_id: the token whose vector is zero.

        Raises:
            ConfigError: the side is not made of tokens.
        """
        if not isinstance(reads, int):
            raise ConfigError(
                "model.source.kind: tokens reads text, and the source is not text; choose audio "
                "or image"
            )
        return TokenFrontend(self, reads, pad_id)


class TokenFrontend(nn.Module):
    """Looks tokens up; the padding vector is zero and stays so."""

    def __init__(self, settings: TokenFrontendSettings, vocab_size: int, pad_id: int) -> None:
        super().__init__()
        self.output_dim = settings.embedding_dim
        vectors = torch.empty(vocab_size, settings.embedding_dim)
        if not vectors.is_meta:  # there it would only import torch._dynamo, for over a second
            nn.init.normal_(vectors, std=settings.embedding_dim**-0.5)
            vectors[pad_id] = 0.0
        self.table = nn.Embedding(
            vocab_size, settings.embedding_dim, padding_idx=pad_id, _weight=vectors
        )
        self.dropout = Dropout(settings.dropout)

    @property
    def vectors(self) -> nn.Parameter | None:
        """The weight with a vector for each token, [V, E]."""
        return cast(nn.Parameter, self.table.weight)

    def share(self, vectors: nn.Parameter) -> None:
        """Look tokens up in the vectors of another, [V, E]."""
        self.table.weight = vectors

    def rows(self) -> tuple[str, ...]:
        """Return the names of the weights that have a row for each token."""
        return (TABLE,)

    def positions(self, lengths: Tensor) -> Tensor:
        """Return the lengths: there is a vector for each token."""
        return lengths

    def read(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors of token ids [B, S], and their lengths [B]."""
        return self(values), lengths

    def forward(self, token_ids: Tensor) -> Tensor:
        """[B, T] to [B, T, E]."""
        embedded: Tensor = self.dropout(self.table(token_ids))
        return embedded
