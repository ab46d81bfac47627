"""The outputs for a few validation examples, for `s2s inspect training`."""

import numpy as np

from s2scli.pipeline.validation import Validator
from s2scli.report.heads import choose_map
from s2scli.training.averaging import wearing
from s2scli.training.samples_log import MAX_PIECES, Sample
from s2scli.translation.options import Options, Wanted
from s2scli.translation.records import Record

DIGITS = 3


def take_samples(validator: Validator) -> list[Sample]:
    """Translate `training.log_samples` examples, spread evenly over the validation sample.

    They are translated greedily with the weights that are validated. The training state stays as
    it is.
    """
    run = validator.run
    count = min(run.settings.log_samples, len(validator.lines))
    if not count:
        return []
    rows = np.linspace(0, len(validator.lines) - 1, count).astype(int).tolist()
    run.model.eval()
    with wearing(run.model, run.average.weights):
        lines = [validator.lines[row] for row in rows]
        options = Options(validator.greedy, wanted=Wanted(attention=True))
        records = list(validator.translator.translate(lines, options))
    pairs = zip(rows, records, strict=True)
    return [_sample(record, validator.references[row]) for row, record in pairs]


def _sample(record: Record, reference: str) -> Sample:
    found = None
    if record.translation and record.best:
        found = record.translation.heads(record.best)
    if found is None or max(len(found.source_pieces), len(found.target_pieces)) > MAX_PIECES:
        return Sample(str(record.source), reference, record.text)
    attention = choose_map(found)
    weights = np.nan_to_num(attention.weights.astype(np.float64)).clip(0, 1).round(DIGITS)
    return Sample(
        str(record.source),
        reference,
        record.text,
        attention.source_pieces,
        attention.target_pieces,
        tuple(map(tuple, weights.tolist())),
    )
