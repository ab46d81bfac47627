"""The metrics, or their groups, are settings."""

import pytest

from s2scli.metrics import GROUPS, METRICS, metric_names
from s2scli.metrics.choice import metric_choice


@pytest.mark.parametrize("needs", [("outputs",), ("model",), ("outputs", "model")])
def test_each_metric_or_its_group_can_be_chosen(needs: tuple[str, ...]) -> None:
    names = [name for name, metric in METRICS.items() if metric.needs in needs]
    together = {name: group for group, (members, _) in GROUPS.items() for name in members}
    chosen = list(metric_choice(*needs).model_fields)
    assert chosen == list(dict.fromkeys(together.get(name, name) for name in names))
    assert list(metric_names(chosen)) == names
