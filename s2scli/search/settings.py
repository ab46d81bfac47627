"""The settings of the search; it imports no torch, as flags are made from them."""

from collections.abc import Set
from typing import Self

from pydantic import model_validator

from s2scli.settings import Settings, setting

SAMPLING = "Sampling"
DRAWING = frozenset({"temperature", "top_k", "top_p", "min_p", "seed"})
NOT_EVALUATED = DRAWING | {"sample", "n_best"}


class SearchSettings(Settings):
    """How outputs are searched for."""

    panel = "Search"

    beam_size: int = setting(5, "Hypotheses kept at each step; 1 is greedy search.", ge=1, le=1000)
    n_best: int = setting(
        1,
        "Return the N best hypotheses of each source, best first.",
        flags=("--nbest", "--n-best"),
        ge=1,
        le=1000,
    )
    length_penalty: float = setting(
        1.0,
        "Exponent A of the length penalty: hypotheses are ranked by the sum of their "
        "log-probabilities / length^A, the end token counted; 0 favours short outputs.",
        flags=("--length-penalty", "--lenpen"),
        ge=0.0,
        le=10.0,
    )
    length_offset: float = setting(
        0.0,
        "Offset K of the length penalty, which becomes ((K + length) / (K + 1))^A; 5 is that of "
        "GNMT (Wu et al. 2016, eq. 14).",
        ge=0.0,
        le=1000.0,
    )
    max_length_ratio: float = setting(
        2.0,
        "Longest output, as a multiple of the source's tokens, plus 10.",
        gt=0.0,
        le=1000.0,
    )
    max_length: int | None = setting(
        None,
        "Longest output in tokens, independent of the source; the end token counts.",
        "tokens",
        ge=1,
        le=1_000_000,
    )
    min_length: int = setting(
        1, "Shortest output in tokens; the end token counts.", "tokens", ge=1, le=1_000_000
    )
    no_repeat_ngram: int = setting(
        0,
        "Never repeat an n-gram of this size in one output (Paulus et al. 2018); 0 allows repeats.",
        "tokens",
        flags=("--no-repeat-ngram", "--no-repeat-ngram-size"),
        ge=0,
        le=1000,
    )
    sample: bool = setting(
        False,
        "Sample outputs at random instead of searching for the best; n_best says how many.",
        panel=SAMPLING,
    )
    temperature: float = setting(
        1.0,
        "Sampling: raise probabilities to the power 1 / temperature; below 1 favours probable "
        "tokens.",
        panel=SAMPLING,
        ge=1e-6,
        le=100.0,
    )
    top_k: int = setting(
        0,
        "Sampling: keep only the k most probable tokens; 0 keeps all.",
        "tokens",
        panel=SAMPLING,
        ge=0,
        le=1_000_000,
    )
    top_p: float = setting(
        1.0,
        "Sampling: keep only the most probable tokens that together have this probability.",
        "probability",
        panel=SAMPLING,
        gt=0.0,
        le=1.0,
    )
    min_p: float = setting(
        0.0,
        "Sampling: keep only tokens with at least this share of the best token's probability.",
        panel=SAMPLING,
        ge=0.0,
        le=1.0,
    )
    seed: int = setting(
        1,
        "Sampling: the same seed gives the same outputs for a source.",
        panel=SAMPLING,
        ge=0,
        lt=2**63,
    )

    @property
    def width(self) -> int:
        """Outputs of one source that are extended side by side."""
        return self.n_best if self.sample else self.beam_size

    @property
    def unread(self) -> Set[str]:
        """The settings that are not read when sampling, or when not sampling."""
        return {"beam_size"} if self.sample else DRAWING

    @model_validator(mode="after")
    def _beam_holds_n_best(self) -> Self:
        if self.n_best > self.beam_size and not self.sample:
            raise ValueError(
                f"n_best {self.n_best} must not be more than beam_size {self.beam_size}"
            )
        return self

    @model_validator(mode="after")
    def _lengths_leave_room(self) -> Self:
        if self.max_length is not None and self.min_length > self.max_length:
            raise ValueError(
                f"min_length {self.min_length} is more than max_length {self.max_length}; give a "
                "smaller one"
            )
        return self


class GenerateSettings(Settings):
    """How many sentences are generated from vectors, and how much they vary."""

    panel = "Vectors"

    count: int = setting(
        10, "Sentences to generate.", "sentences", flags=("-n", "--count"), ge=1, le=1_000_000
    )
    seed: int = setting(1, "Seed of the random vectors.", ge=0, lt=2**63)
    temperature: float = setting(
        1.0,
        "Scale the standard deviation of the random vectors; below 1 gives more typical "
        "sentences, or with --around closer ones.",
        ge=0.0,
        le=100.0,
    )
    steps: int = setting(
        7, "With --between: number of sentences, both ends included.", "sentences", ge=2, le=10_000
    )


class ScoreSettings(Settings):
    """How pairs are scored."""

    panel = "Input and output"

    length_penalty: float = setting(
        0.0,
        "Divide each score by (target tokens, the end token counted)^A: 0 gives the sum, 1 the "
        "mean per token. With the length penalty of the search, and no length offset, it is the "
        "score of `s2s translate --scores`.",
        flags=("--length-penalty", "--lenpen", "--normalize"),
        ge=0.0,
        le=10.0,
    )
    one_column: bool = setting(
        False,
        "Each line is one sentence, both source and target, as autoencoders read it; a TAB is an "
        "error.",
    )
