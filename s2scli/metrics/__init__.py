"""Metrics: one file each; a new one is one file and one line here."""

from s2scli.metrics.bleu import bleu
from s2scli.metrics.chrf import chrf
from s2scli.metrics.exact_match import exact_match
from s2scli.metrics.score import Metric
from s2scli.metrics.sequence_error_rate import sequence_error_rate
from s2scli.metrics.symbol_error_rate import symbol_error_rate
from s2scli.metrics.ter import ter

METRICS: dict[str, Metric] = {
    "bleu": bleu,
    "chrf": chrf,
    "ter": ter,
    "exact_match": exact_match,
    "sequence_error_rate": sequence_error_rate,
    "symbol_error_rate": symbol_error_rate,
}
