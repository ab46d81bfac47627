"""The settings of a training run. Imports no torch, so that `--help` is fast."""

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
    """Split a string from the command line, such as `encoder,source`, into a list."""
    return [name for name in value.split(",") if name] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]
TrackerNames = Annotated[tuple[Literal["tensorboard"], ...], BeforeValidator(_comma_separated)]


class LimitSettings(Settings):
    """When training stops. The limits may change when a run is resumed."""

    panel = "Limits"

    max_minutes: float | None = setting(
        None,
        "Stop after this many minutes.",
        "minutes",
        flags=("--max-minutes", "--minutes"),
        gt=0,
    )
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
        "Stop after this many validations without a better score; 0 turns this off.",
        "validations",
        ge=0,
        le=MOST,
    )


class TrainingSettings(Settings):
    """How a model is trained."""

    panel = "Training"

    seed: int = setting(1, "Seed of the initial weights, dropout and batches.", ge=0, lt=2**63)
    batch_tokens: int = setting(
        4096,
        "Maximum batch size: sentences x longest side, padding included.",
        "tokens",
        ge=1,
        le=MOST,
    )
    min_batches: int = setting(
        50,
        "Use smaller batches on a small corpus, so that an epoch has at least this many.",
        ge=1,
        le=MOST,
    )
    accumulate: int = setting(
        1, "Batches whose gradients are accumulated for each update.", "batches", ge=1, le=MOST
    )
    max_length: int = setting(
        250,
        "Leave out training pairs with a side longer than this; s2s reports how many.",
        "tokens",
        ge=1,
        le=1_000_000,
    )
    bpe_dropout: float = setting(
        0.0,
        "With a bpe tokenizer: resegment the training text each time it is read, skipping each "
        "merge with this probability; 0 turns it off. A skipped merge is not tried again, so 0.05 "
        "gives as many tokens as 0.1 in Provilkov et al. 2020.",
        ge=0,
        le=1,
    )
    unigram_alpha: float = setting(
        0.0,
        "With a unigram tokenizer: resegment the training text each time it is read, sampling from "
        "all segmentations in proportion to probability^alpha; 0 turns it off, larger values vary "
        "less (Kudo 2018 uses 0.2).",
        ge=0,
    )
    source_token_dropout: float = setting(
        0.0,
        "Probability of replacing a source token by the unknown token in training (word dropout).",
        ge=0,
        le=1,
    )
    target_token_dropout: float = setting(
        0.0,
        "Probability of replacing a token of the decoder's input by the unknown token in training "
        "(word dropout, Bowman et al. 2016).",
        ge=0,
        le=1,
    )
    label_smoothing: float = setting(
        0.1, "Share of the probability to spread over all tokens (Szegedy et al. 2016).", ge=0, lt=1
    )
    coverage: float = setting(
        0.0,
        "Weight of the coverage loss, which penalizes attention to what has been attended to "
        "before: the sum of min(attention, attention so far), averaged over the heads of the last "
        "layer; 0 turns it off (See et al. 2017, eq. 12, use 1).",
        ge=0,
    )
    r_drop: float = setting(
        0.0,
        "Weight alpha of R-Drop: run the model twice on each pair with different dropout, and "
        "penalize the divergence of the two outputs; 0 turns it off (Liang et al. 2021 use 5 for "
        "translation).",
        ge=0,
    )
    simcut: float = setting(
        0.0,
        "Weight alpha of SimCut: read each pair a second time with some tokens of both sides cut "
        "out, and penalize the divergence of the two outputs; 0 turns it off (Gao et al. 2022 use "
        "3).",
        ge=0,
    )
    simcut_share: float = setting(
        0.05, "Share of the tokens that SimCut cuts out (Gao et al. 2022).", ge=0, le=1
    )
    max_gradient_norm: float = setting(
        1.0, "Clip the gradient norm to this value; 0 turns it off (Pascanu et al. 2013).", ge=0
    )
    freeze: Names = setting(
        (),
        "Parts of the model to freeze, as prefixes of weight names, such as encoder or "
        "decoder.attention.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = setting(
        "auto",
        "Precision of the forward and backward passes; auto is bfloat16 on a GPU or on a CPU that "
        "is faster with it, otherwise float32.",
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
        "At the end, average the weights of this many best checkpoints, and publish the average if "
        "it scores better; the checkpoints stay on disk, as the run may go on; 0 turns it off "
        "(Vaswani et al. 2017, section 6.1).",
        "checkpoints",
        ge=0,
        le=1000,
    )
    metric: str = setting("chrf", "Validation score that selects the best checkpoint.")
    validate_every: int | None = setting(
        None,
        "Updates between validations; the default is one epoch, but at least 200 and at most 1000.",
        "updates",
        ge=1,
        le=MOST,
    )
    validation_examples: int = setting(
        1000,
        "Number of validation examples to use, spread evenly over the split.",
        "examples",
        ge=1,
        le=MOST,
    )
    save_every: int = setting(500, "Maximum updates between checkpoints.", "updates", ge=1, le=MOST)
    log_every: int = setting(50, "Updates between log lines.", "updates", ge=1, le=MOST)
    log_samples: int = setting(
        0,
        "Log the outputs for this many validation examples at each validation, with their texts "
        "and attention, for s2s inspect training; 0 logs no text.",
        "examples",
        ge=0,
        le=100,
    )
    track: TrackerNames = setting(
        (),
        "Other logs to write besides metrics.jsonl: tensorboard, in training/tensorboard.",
    )
    limits: LimitSettings = LimitSettings()
    noise: NoiseSettings = NoiseSettings()
    kl: KLSettings = KLSettings()
    optimizer: OptimizerSettings = AdamSettings()
    schedule: ScheduleSettings = ConstantSettings()
    scheduled_sampling: ScheduledSamplingSettings = AlwaysTruthSettings()
