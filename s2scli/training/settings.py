"""The settings of a training run (no torch here: flags are made from them)."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from s2scli.data.settings import NoiseSettings
from s2scli.settings import Settings, setting
from s2scli.training.annealing import KLSettings
from s2scli.training.optimizer import (
    AdafactorSettings,
    AdamSettings,
    AdamWSettings,
    MuonSettings,
    RMSpropSettings,
    SGDSettings,
)
from s2scli.training.schedule import (
    ConstantSettings,
    CosineSettings,
    InverseSqrtSettings,
    PlateauSettings,
)
from s2scli.training.scheduled_sampling import AlwaysTruthSettings, ScheduledSamplingSettings

OptimizerSettings = Annotated[
    AdamSettings | AdamWSettings | SGDSettings | RMSpropSettings | AdafactorSettings | MuonSettings,
    Field(discriminator="kind"),
]
ScheduleSettings = Annotated[
    ConstantSettings | InverseSqrtSettings | CosineSettings | PlateauSettings,
    Field(discriminator="kind"),
]


def _comma_separated(value: object) -> object:
    """Take `encoder,source` on the command line for a list."""
    return [name for name in value.split(",") if name] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]


class LimitSettings(Settings):
    """When training ends; these may change when a run is resumed."""

    panel = "Limits"

    max_minutes: float | None = setting(None, "Stop after this many minutes.", "minutes", gt=0)
    max_steps: int | None = setting(None, "Stop after this many updates.", "updates", ge=1)
    max_epochs: int | None = setting(
        None, "Stop after this many passes over the corpus.", "epochs", ge=1
    )
    patience: int = setting(
        10,
        "Stop after this many validations without a better score; 0 never does.",
        "validations",
        ge=0,
    )


class TrainingSettings(Settings):
    """How the weights are learned."""

    seed: int = setting(1, "Seed of the first weights, of dropout and of the batches.", ge=0)
    batch_tokens: int = setting(
        4096, "Budget of a batch: sentences x longest side, padding counted.", "tokens", ge=1
    )
    min_batches: int = setting(
        50, "Batches are made smaller on a small corpus, to have this many in an epoch.", ge=1
    )
    accumulate: int = setting(1, "Batches that make one update.", "batches", ge=1)
    max_length: int = setting(
        250, "Training pairs with a longer side are left out, and counted.", "tokens", ge=1
    )
    bpe_dropout: float = setting(
        0.0,
        "Cut the training text anew each time, leaving out a merge with this probability, where "
        "the tokenizer is of kind bpe; 0 is never. No merge is tried twice, so that 0.05 makes as "
        "many tokens as the 0.1 of Provilkov et al. 2020 does, who try again.",
        ge=0,
        le=1,
    )
    unigram_alpha: float = setting(
        0.0,
        "Cut the training text anew each time, drawing from all ways to cut it in proportion to "
        "probability^alpha, where the tokenizer is of kind unigram (Kudo 2018: 0.2, larger varies "
        "less); 0 is never.",
        ge=0,
    )
    source_token_dropout: float = setting(
        0.0,
        "Share of the source's tokens that the encoder reads as unknown while training (word "
        "dropout).",
        ge=0,
        le=1,
    )
    target_token_dropout: float = setting(
        0.0,
        "Share of the tokens before the one to say that the decoder reads as unknown while "
        "training (word dropout of Bowman et al. 2016).",
        ge=0,
        le=1,
    )
    label_smoothing: float = setting(
        0.1, "Share of the target's probability that is spread (Szegedy et al. 2016).", ge=0, lt=1
    )
    r_drop: float = setting(
        0.0,
        "Read each pair twice with different dropout, and add this much times the divergence of "
        "the two to the loss (alpha of Liang et al. 2021, who take 5 to translate); 0 is never.",
        ge=0,
    )
    max_gradient_norm: float = setting(
        1.0, "Gradients are scaled down to this norm (Pascanu et al. 2013); 0 is never.", ge=0
    )
    freeze: Names = setting(
        (),
        "Parts whose weights stay as they are: beginnings of weight names, such as encoder or "
        "decoder.attention.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = setting(
        "auto",
        "Arithmetic of forward and backward; auto is bfloat16 on a GPU, and on a processor that "
        "has instructions for it.",
    )
    ema_decay: float = setting(
        0.0,
        "Validate and publish a moving average of the weights, in which an update's weights lose "
        "their share by this factor (Polyak & Juditsky 1992; 0.999 or so); 0 is no average.",
        ge=0,
        lt=1,
    )
    average_checkpoints: int = setting(
        0,
        "Average the weights of this many best validations at the end, and publish that if its "
        "score is better (Vaswani et al. 2017, 6.1); until then their checkpoints stay on disk. "
        "0 is never.",
        "checkpoints",
        ge=0,
    )
    metric: str = setting("chrf", "The validation score that selects the best checkpoint.")
    validate_every: int | None = setting(
        None, "Updates between validations; one epoch, 200 at least, 1000 at most.", "updates", ge=1
    )
    validation_examples: int = setting(
        1000, "Validation examples used, evenly spread over the split.", "examples", ge=1
    )
    save_every: int = setting(500, "Updates between checkpoints, at most.", "updates", ge=1)
    log_every: int = setting(50, "Updates between lines of the log.", "updates", ge=1)
    limits: LimitSettings = LimitSettings()
    noise: NoiseSettings = NoiseSettings()
    kl: KLSettings = KLSettings()
    optimizer: OptimizerSettings = AdamSettings()
    schedule: ScheduleSettings = ConstantSettings()
    scheduled_sampling: ScheduledSamplingSettings = AlwaysTruthSettings()
