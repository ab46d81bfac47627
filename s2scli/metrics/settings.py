"""The settings of the metrics; it imports no sacreBLEU, as flags are made from them."""

from typing import Literal

from s2scli.settings import Settings, setting

Tokenization = Literal["13a", "intl", "zh", "char", "none"]


class MetricSettings(Settings):
    """How outputs are scored."""

    panel = "Metrics"

    tokenize: Literal["auto", Tokenization] = setting(
        "auto",
        "How sacreBLEU splits text into words: 13a, intl, zh, char or none; auto takes 13a, or zh "
        "or char if the references are written without spaces.",
    )
    resamples: int = setting(
        1000,
        "Bootstrap resamples for the 95 % intervals; 0 shows no intervals.",
        ge=0,
        le=100_000,
    )
