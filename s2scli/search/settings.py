"""The settings of the search (no torch here: flags are made from them)."""

from collections.abc import Set
from typing import Self

from pydantic import model_validator

from s2scli.settings import Settings, setting

DRAWING = frozenset({"temperature", "top_k", "top_p", "min_p", "seed"})


class SearchSettings(Settings):
    """How a translation is looked for."""

    beam_size: int = setting(5, "Hypotheses kept at each step; 1 is greedy search.", ge=1, le=1000)
    n_best: int = setting(1, "Hypotheses returned for each source, best first.", ge=1, le=1000)
    length_penalty: float = setting(
        1.0,
        "Exponent a of the ranking score: sum of log-probabilities / length^a, the end "
        "token counted; 0 favours short outputs.",
        ge=0.0,
        le=10.0,
    )
    length_offset: float = setting(
        0.0,
        "What is added to lengths in the ranking score, k of ((k + length) / (k + 1))^a; 5 is the "
        "length penalty of GNMT (Wu et al. 2016, eq. 14).",
        ge=0.0,
        le=1000.0,
    )
    max_length_ratio: float = setting(
        2.0,
        "Longest output, as a multiple of the source's tokens; 10 more are allowed.",
        gt=0.0,
        le=1000.0,
    )
    max_length: int | None = setting(
        None, "Longest output whatever the source, the end token counted.", "tokens", ge=1
    )
    min_length: int = setting(
        1, "Shortest output, the end token counted.", "tokens", ge=1, le=1_000_000
    )
    no_repeat_ngram: int = setting(
        0,
        "No so many tokens in a row come twice in one output (Paulus et al. 2018); 0 is no rule.",
        "tokens",
        ge=0,
        le=1000,
    )
    sample: bool = setting(
        False, "Draw outputs at random, n_best for each source, instead of looking for the best."
    )
    temperature: float = setting(
        1.0,
        "When drawing: probabilities are raised to 1 / temperature; less is closer to the most "
        "probable token.",
        ge=1e-6,
        le=100.0,
    )
    top_k: int = setting(
        0, "When drawing: only so many of the most probable tokens; 0 is all.", "tokens", ge=0
    )
    top_p: float = setting(
        1.0,
        "When drawing: only the most probable tokens that have this much of the probability "
        "together.",
        "probability",
        gt=0.0,
        le=1.0,
    )
    min_p: float = setting(
        0.0,
        "When drawing: only tokens with this share of the best one's probability.",
        ge=0.0,
        le=1.0,
    )
    seed: int = setting(
        1, "When drawing: the same seed draws the same outputs for a source.", ge=0, lt=2**63
    )

    @property
    def width(self) -> int:
        """Outputs of a source that are written side by side."""
        return self.n_best if self.sample else self.beam_size

    @property
    def unread(self) -> Set[str]:
        """The settings that are never read where outputs are drawn, or where they are not."""
        return {"beam_size"} if self.sample else DRAWING

    def longest_output(self, source_length: int) -> int:
        """Return the most tokens an output may have, the end token counted: ratio x source + 10.

        `max_length` has the last word, and `min_length` tokens are always allowed.

        Args:
            source_length: tokens of the source, the end token counted.
        """
        from numpy import float32  # asking for help should not wait for it

        scaled = int(float32(source_length) * float32(self.max_length_ratio))
        longest = max(scaled + 10, self.min_length)
        return longest if self.max_length is None else min(longest, self.max_length)

    @model_validator(mode="after")
    def _beam_holds_n_best(self) -> Self:
        if self.n_best > self.beam_size and not self.sample:
            raise ValueError(
                f"n_best {self.n_best} needs a beam_size of at least as many, not {self.beam_size}"
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
    """How many sentences are written from vectors, and how far they may stray."""

    count: int = setting(10, "Sentences to write.", "sentences", ge=1, le=1_000_000)
    seed: int = setting(1, "Seed of the vectors that are drawn.", ge=0, lt=2**63)
    temperature: float = setting(
        1.0,
        "Multiplier of the standard deviation that vectors are drawn with; less is closer to what "
        "is typical, or to the sentence.",
        ge=0.0,
        le=100.0,
    )
    steps: int = setting(
        7, "Sentences from one to another, both ends counted.", "sentences", ge=2, le=10_000
    )


class ScoreSettings(Settings):
    """How pairs are scored."""

    length_penalty: float = setting(
        0.0,
        "Divide each score by (target tokens, the end token counted)^A: 0 leaves the sum, 1 is the "
        "mean of a token; with that of the search, which must have no length offset, it is the "
        "score of `s2s translate --scores`.",
        ge=0.0,
        le=10.0,
    )
    one_column: bool = setting(
        False,
        "Each line is a sentence, its own source and target, as autoencoders read it; a TAB is an "
        "error.",
    )
