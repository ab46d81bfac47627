"""The choice of metrics as settings, for flags. Imports all metrics."""

from typing import Any

from pydantic import create_model

from s2scli.metrics import GROUP_OF, GROUPS, METRICS
from s2scli.metrics.settings import MetricSettings
from s2scli.settings import Settings, setting


def metric_choice(*needs: str) -> type[Settings]:
    """Return a boolean setting for each metric, or group of metrics, that needs one of these."""
    helps = {
        GROUP_OF.get(name, name): GROUPS[GROUP_OF[name]][1] if name in GROUP_OF else metric.help
        for name, metric in METRICS.items()
        if metric.needs in needs
    }
    fields: dict[str, Any] = {
        name: (bool, setting(False, text, panel=MetricSettings.panel))
        for name, text in helps.items()
    }
    return create_model("MetricChoice", __base__=Settings, **fields)
