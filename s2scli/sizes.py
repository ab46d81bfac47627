"""How large the default recipe's model is: by the size of the corpus, in one table."""

from dataclasses import dataclass

MANY = 10**12


@dataclass(frozen=True)
class Size:
    """The model for corpora of up to `max_pairs` training pairs.

    Attributes:
        max_pairs: training pairs it is meant for, at most.
        model_dim: width of embeddings and states, in units.
        num_layers: layers of each side.
        num_heads: heads of every attention.
        ffn_dim: inner width of the feed-forward networks, in units.
        dropout: probability.
        batch_tokens: budget of a batch, in tokens.
        learning_rate: at the end of the warm-up.
    """

    max_pairs: int
    model_dim: int
    num_layers: int
    num_heads: int
    ffn_dim: int
    dropout: float
    batch_tokens: int
    learning_rate: float

    def assignments(self) -> list[str]:
        """Return what it changes in a recipe whose two sides are Transformers."""
        return [
            *(f"model.{side}.embedding_dim={self.model_dim}" for side in ("source", "target")),
            *(
                f"model.{side}.{name}={getattr(self, name)}"
                for side in ("encoder", "decoder")
                for name in ("model_dim", "num_layers", "num_heads", "ffn_dim", "dropout")
            ),
            f"model.attention.num_heads={self.num_heads}",
            f"training.batch_tokens={self.batch_tokens}",
            f"training.optimizer.learning_rate={self.learning_rate}",
        ]

    def __str__(self) -> str:
        layers = f"{self.num_layers} + {self.num_layers} layers"
        return f"{layers} of {self.model_dim} units, dropout {self.dropout}"


# Multi30k (29,000 pairs) and Tatoeba (130,000) were measured; the last two rows are the small and
# the base model of the literature (Vaswani et al. 2017).
SIZES = (
    Size(100_000, 128, 4, 4, 256, 0.1, 2048, 0.005),
    Size(1_000_000, 256, 3, 4, 1024, 0.1, 4096, 0.002),
    Size(MANY, 512, 6, 8, 2048, 0.1, 8192, 0.0007),
)


def size_for(pairs: int) -> Size:
    """Return the size for a corpus of so many training pairs."""
    return next(size for size in SIZES if pairs <= size.max_pairs)
