"""Token ids to vectors."""

from typing import Literal, cast

import torch
from torch import Tensor, nn

from s2scli.model.kernels.dropout import Dropout
from s2scli.settings import Settings, setting

TABLE = "table.weight"  # of a front end, by name


class TokenFrontendSettings(Settings):
    """An embedding table."""

    kind: Literal["tokens"] = setting("tokens", "What the input is: token ids.")
    embedding_dim: int = setting(256, "Width of a token's vector.", "units", ge=1, le=16384)
    dropout: float = setting(0.0, "Dropout on the vectors.", "probability", ge=0.0, lt=1.0)

    def build(self, vocab_size: int, pad_id: int) -> "TokenFrontend":
        """Return the table for `vocab_size` tokens."""
        return TokenFrontend(self, vocab_size, pad_id)


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

    def forward(self, token_ids: Tensor) -> Tensor:
        """[B, T] to [B, T, E]."""
        embedded: Tensor = self.dropout(self.table(token_ids))
        return embedded
