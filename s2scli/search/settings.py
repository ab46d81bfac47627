"""The settings of the search. Imports no torch, so that `--help` is fast."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import model_validator

from s2scli.errors import UsageError
from s2scli.settings import Settings, Tree, flag_of, setting

INPUT, OUTPUT, SAMPLING = "Input", "Output", "Sampling"
DRAWING = frozenset({"temperature", "top_k", "top_p", "min_p", "seed"})
NOT_EVALUATED = DRAWING | {"sample", "n_best"}
OF_BEAMS = frozenset({"beam_size", "beam_groups", "diversity_penalty"})
Without = tuple[Literal["with", "without"], str]


class SearchSettings(Settings):
    """How the decoder searches for outputs."""

    panel = "Search"

    beam_size: int = setting(5, "Hypotheses kept at each step; 1 is greedy search.", ge=1, le=1000)
    n_best: int = setting(
        1,
        "Return the N best hypotheses of each source, best first.",
        panel=OUTPUT,
        flags=("--nbest", "--n-best"),
        ge=1,
        le=1000,
    )
    length_penalty: float = setting(
        1.0,
        "Exponent A of the length penalty: hypotheses are ranked by the sum of their "
        "log-probabilities / length^A, where the length includes the end token; 0 favours short "
        "outputs.",
        flags=("--length-penalty", "--lenpen"),
        ge=0.0,
        le=10.0,
    )
    length_offset: float = setting(
        0.0,
        "Offset K of the length penalty, which becomes ((K + length) / (K + 1))^A; 5 gives the "
        "penalty of GNMT (Wu et al. 2016, eq. 14).",
        ge=0.0,
        le=1000.0,
    )
    max_length_ratio: float = setting(
        2.0,
        "Maximum output length: this ratio times the number of source tokens, plus 10.",
        gt=0.0,
        le=1000.0,
    )
    max_length: int | None = setting(
        None,
        "Maximum output length in tokens, end token included, whatever the source length.",
        "tokens",
        ge=1,
        le=1_000_000,
    )
    min_length: int = setting(
        1, "Minimum output length in tokens, end token included.", "tokens", ge=1, le=1_000_000
    )
    ctc_weight: float = setting(
        0.0,
        "Weight of the CTC layer in the search (Watanabe et al. 2017): scores are then sums of "
        "(1 - weight) x the decoder's + weight x the CTC layer's log-probabilities; 0 ignores the "
        "layer.",
        ge=0.0,
        le=1.0,
    )
    no_repeat_ngram: int = setting(
        0,
        "Never repeat an n-gram of this size in one output (Paulus et al. 2018); 0 allows repeats.",
        "tokens",
        flags=("--no-repeat-ngram", "--no-repeat-ngram-size"),
        ge=0,
        le=1000,
    )
    repetition_penalty: float = setting(
        1.0,
        "Multiply the log-probability of every token that the output already has by this factor "
        "(Keskar et al. 2019, section 4.1); 1 changes nothing.",
        ge=1.0,
        le=100.0,
    )
    word_reward: float = setting(
        0.0,
        "Add this to the ranking score for each token, end token included; above 0 favours long "
        "outputs (He et al. 2016).",
        ge=-100.0,
        le=100.0,
    )
    coverage_penalty: float = setting(
        0.0,
        "Weight B of the coverage penalty: add B x the sum over source tokens of log(min(attention "
        "received, 1)) to the ranking score, so that nothing is left untranslated (Wu et al. 2016, "
        "eq. 14); needs attention.",
        ge=0.0,
        le=100.0,
    )
    beam_groups: int = setting(
        1,
        "Divide the beam into this many groups that avoid each other's tokens (diverse beam "
        "search, Vijayakumar et al. 2018); 1 is plain beam search.",
        ge=1,
        le=1000,
    )
    diversity_penalty: float = setting(
        0.5,
        "With --beam-groups: lower a token's log-probability by this for each earlier group's "
        "hypothesis that chose it at the same step.",
        ge=0.0,
        le=100.0,
    )
    mbr: int = setting(
        0,
        "Minimum Bayes risk: of this many hypotheses, choose the one with the highest expected "
        "chrF (Kumar & Byrne 2004). Samples count equally, the best of a beam by their "
        "probabilities; 0 is off.",
        "hypotheses",
        ge=0,
        le=1000,
    )
    sample: bool = setting(
        False,
        "Sample outputs at random instead of searching for the best.",
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
    def candidates(self) -> int:
        """The number of hypotheses that the search returns: `mbr` if it chooses among them."""
        return self.mbr or self.n_best

    @property
    def width(self) -> int:
        """The number of hypotheses per source that are extended at each step."""
        return self.candidates if self.sample else self.beam_size

    @property
    def unread(self) -> Mapping[str, Without]:
        """The settings without effect, each with the setting that is the reason."""
        if self.sample:
            return {name: ("with", "sample") for name in OF_BEAMS}
        unread: dict[str, Without] = {name: ("without", "sample") for name in DRAWING}
        if self.beam_groups == 1:
            unread["diversity_penalty"] = ("without", "beam_groups")
        return unread

    def refuse_unread(self, given: Tree, **spelled: str) -> None:
        """Refuse given settings without effect, such as those of sampling without `sample`.

        Args:
            given: the settings that were given.
            spelled: the flag of a setting, if it has another name.

        Raises:
            UsageError: a setting has no effect.
        """
        for name in sorted(self.unread.keys() & given.keys()):
            flag, (without, other) = spelled.get(name) or flag_of(name), self.unread[name]
            hint = "; leave one of them out" if without == "with" else ""
            raise UsageError(f"{flag} has no effect {without} {flag_of(other)}{hint}")

    @model_validator(mode="after")
    def _beam_holds_what_is_asked(self) -> Self:
        for name in ("n_best", "mbr"):
            if getattr(self, name) > self.beam_size and not self.sample:
                raise ValueError(
                    f"{name} {getattr(self, name)} must not be more than beam_size {self.beam_size}"
                )
        if self.mbr and self.n_best > self.mbr:
            raise ValueError(f"n_best {self.n_best} must not be more than mbr {self.mbr}")
        if self.beam_size % self.beam_groups and not self.sample:
            raise ValueError(
                f"beam_groups {self.beam_groups} must divide beam_size {self.beam_size}"
            )
        return self

    @model_validator(mode="after")
    def _lengths_leave_room(self) -> Self:
        if self.max_length is not None and self.min_length > self.max_length:
            raise ValueError(
                f"min_length {self.min_length} is more than max_length {self.max_length}; lower "
                "min_length"
            )
        return self


class GenerateSettings(Settings):
    """How sentences or pictures are generated from latent vectors."""

    panel = "Vectors"

    count: int = setting(
        10,
        "Number of sentences or pictures to generate.",
        flags=("-n", "--count"),
        ge=1,
        le=1_000_000,
    )
    seed: int = setting(1, "Seed of the random vectors.", ge=0, lt=2**63)
    temperature: float = setting(
        1.0,
        "Scale the standard deviation of the random vectors; below 1 gives more typical "
        "outputs, or with --around closer ones.",
        ge=0.0,
        le=100.0,
    )
    steps: int = setting(
        7, "With --between: number of sentences or pictures, both ends included.", ge=2, le=10_000
    )


class ScoreSettings(Settings):
    """How pairs are scored."""

    panel = OUTPUT

    length_penalty: float = setting(
        0.0,
        "Divide each score by length^A, where the length includes the end token: 0 gives the sum "
        "of log-probabilities, 1 the mean per token. With the same penalty as the search, and no "
        "length offset, this is the score of `s2s translate --scores`.",
        flags=("--length-penalty", "--lenpen", "--normalize"),
        ge=0.0,
        le=10.0,
    )
    one_column: bool = setting(
        False,
        "Read each line as one sentence that is both source and target, as for autoencoders; a TAB "
        "is an error.",
        panel=INPUT,
    )


class RerankSettings(Settings):
    """How an n-best list is reranked."""

    panel = OUTPUT

    length_penalty: float = setting(
        1.0,
        "Divide the log-probabilities of each model by length^A, where the length includes the end "
        "token: 0 gives the sum, 1 the mean per token, as in the scores of s2s translate.",
        flags=("--length-penalty", "--lenpen"),
        ge=0.0,
        le=10.0,
    )
    n_best: int = setting(
        1,
        "Write the N best hypotheses of each source, best first, with all their scores.",
        flags=("--nbest", "--n-best"),
        ge=1,
        le=1000,
    )
