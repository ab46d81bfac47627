"""The objective of a batch."""

import torch

from s2scli.data.batch import make_batch
from s2scli.training.objective import batch_objective
from tests.models import ids
from tests.training.runs import make_run, training_settings


def test_padding_has_no_part_in_the_objective() -> None:
    run = make_run(training_settings())
    run.model.eval()
    pairs = [(ids(4, 5, 6), ids(7)), (ids(8), ids(9, 4, 5, 6)), (ids(5), ids())]

    def objective(*rows: int) -> torch.Tensor:
        sources, targets = zip(*(pairs[row] for row in rows), strict=True)
        return batch_objective(run.model, make_batch(sources, targets), run.settings, 1)

    torch.testing.assert_close(objective(0, 1, 2), objective(0) + objective(1) + objective(2))
