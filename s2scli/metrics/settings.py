"""The settings of the metrics. Imports no sacreBLEU, so that `--help` is fast."""

from typing import Literal

from s2scli.settings import Settings, setting

Tokenization = Literal["13a", "intl", "zh", "char", "none"]


class MetricSettings(Settings):
    """How outputs are scored."""

    panel = "Metrics"

    tokenize: Literal["auto", Tokenization] = setting(
        "auto",
        "How sacreBLEU splits text into words: 13a, intl, zh, char or none; auto selects 13a, or "
        "zh or char if the references are written without spaces. ROUGE counts characters with zh "
        "and char.",
    )
    rouge_reference: Literal["own", "rouge1"] = setting(
        "own",
        "With several references, which one counts for ROUGE-2 and ROUGE-L: the one with the "
        "highest score of their own, or with the highest ROUGE-1 (as in the script of SciTLDR).",
    )
    resamples: int = setting(
        1000,
        "Number of bootstrap resamples for the 95 % intervals; 0 shows no intervals, and neither "
        "do fewer than 40.",
        ge=0,
        le=100_000,
    )
