"""The settings of a training run. Imports no torch, because flags are derived from them."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from s2scli.data.settings import NoiseSettings
from s2scli.settings import MOST, Settings, setting
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
    """Read `encoder,source` from the command line as a list."""
    return [name for name in value.split(",") if name] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]


class LimitSettings(Settings):
    """When training ends; these may change when a run is resumed."""

    panel = "Limits"

    max_minutes: float | None = setting(None, "Stop after this many minutes.", "minutes", gt=0)
    max_steps: int | None = setting(None, "Stop after this many updates.", "updates", ge=1, le=MOST)
    max_epochs: int | None = setting(
        None,
        "Stop after this many passes over the corpus.",
        "epochs",
        flags=("--max-epochs", "--epochs"),
        ge=1,
        le=MOST,
    )
    patience: int = setting(
        10,
        "Stop after this many validations without a better score; 0 never does.",
        "validations",
        ge=0,
        le=MOST,
    )


class TrainingSettings(Settings):
    """How the weights are learned."""

    panel = "Training"

    seed: int = setting(
        1, "Seed of the initial weights, of dropout and of the batches.", ge=0, lt=2**63
    )
    batch_tokens: int = setting(
        4096, "Largest batch: sentences x longest side, padding included.", "tokens", ge=1, le=MOST
    )
    min_batches: int = setting(
        50,
        "Use smaller batches on a small corpus, so that an epoch has at least this many.",
        ge=1,
        le=MOST,
    )
    accumulate: int = setting(
        1, "Batches whose gradients are added up for one update.", "batches", ge=1, le=MOST
    )
    max_length: int = setting(
        250,
        "Leave out training pairs with a longer side; they are counted.",
        "tokens",
        ge=1,
        le=1_000_000,
    )
    bpe_dropout: float = setting(
        0.0,
        "With a bpe tokenizer: segment the training text again each time it is read, skipping each "
        "merge with this probability; 0 turns it off. A skipped merge is not tried again, so 0.05 "
        "makes as many tokens as 0.1 in Provilkov et al. 2020.",
        ge=0,
        le=1,
    )
    unigram_alpha: float = setting(
        0.0,
        "With a unigram tokenizer: segment the training text again each time it is read, sampling "
        "from all segmentations in proportion to probability^alpha; 0 turns it off, larger values "
        "vary less (Kudo 2018 uses 0.2).",
        ge=0,
    )
    source_token_dropout: float = setting(
        0.0,
        "Share of source tokens that the encoder reads as unknown in training (word dropout).",
        ge=0,
        le=1,
    )
    target_token_dropout: float = setting(
        0.0,
        "Share of previous target tokens that the decoder reads as unknown in training (word "
        "dropout, Bowman et al. 2016).",
        ge=0,
        le=1,
    )
    label_smoothing: float = setting(
        0.1, "Share of the probability spread over all tokens (Szegedy et al. 2016).", ge=0, lt=1
    )
    r_drop: float = setting(
        0.0,
        "Read each pair twice with different dropout, and add the divergence of the two outputs "
        "times this factor to the loss; 0 turns it off (R-Drop, Liang et al. 2021, who use 5 for "
        "translation).",
        ge=0,
    )
    max_gradient_norm: float = setting(
        1.0, "Scale gradients down to this norm; 0 turns it off (Pascanu et al. 2013).", ge=0
    )
    freeze: Names = setting(
        (),
        "Parts of the model that are not trained, as prefixes of weight names: encoder, "
        "decoder.attention.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = setting(
        "auto",
        "Precision of forward and backward; auto is bfloat16 on a GPU and on processors that have "
        "instructions for it, else float32.",
    )
    ema_decay: float = setting(
        0.0,
        "Validate and publish an exponential moving average of the weights with this decay, such "
        "as 0.999; 0 turns it off (Polyak & Juditsky 1992).",
        ge=0,
        lt=1,
    )
    average_checkpoints: int = setting(
        0,
        "At the end average the weights of this many best checkpoints, and publish the average "
        "if it scores better; they stay on disk until then; 0 turns it off (Vaswani et al. 2017, "
        "6.1).",
        "checkpoints",
        ge=0,
        le=1000,
    )
    metric: str = setting("chrf", "The validation score that selects the best checkpoint.")
    validate_every: int | None = setting(
        None,
        "Updates between validations; if not given, one epoch, but at least 200 and at most 1000.",
        "updates",
        ge=1,
        le=MOST,
    )
    validation_examples: int = setting(
        1000, "Validation examples to use, spread evenly over the split.", "examples", ge=1, le=MOST
    )
    save_every: int = setting(500, "Most updates between checkpoints.", "updates", ge=1, le=MOST)
    log_every: int = setting(50, "Updates between log lines.", "updates", ge=1, le=MOST)
    limits: LimitSettings = LimitSettings()
    noise: NoiseSettings = NoiseSettings()
    kl: KLSettings = KLSettings()
    optimizer: OptimizerSettings = AdamSettings()
    schedule: ScheduleSettings = ConstantSettings()
    scheduled_sampling: ScheduledSamplingSettings = AlwaysTruthSettings()
