from collections.abc import Mapping
from dataclasses import dataclass, field

from s2scli.report.training import FILE_WIDTH, Training, training_html, training_text


@dataclass(frozen=True)
class Record:
    """A step of a made-up run."""

    step: int
    values: Mapping[str, float] = field(default_factory=dict)
    epoch: float = 0.5
    seconds: float = 90.0


UPDATES = [Record(step, {"loss": 5 - step / 10}) for step in (10, 20, 30)]
FIRST, LAST = (Record(step, {"loss": 4 - step / 10, "bleu": step / 2}) for step in (10, 30))
TRAINING = Training(UPDATES, [FIRST, LAST], FIRST, ["loss", "bleu"], ["bleu"], "<flat>: stop")


def test_the_text_has_plots_a_table_and_the_verdict() -> None:
    text = training_text(TRAINING)
    assert text.index("● validation loss") < text.index("validation bleu") < text.index("minutes")
    rows = [line.split() for line in text.splitlines()]
    assert ["best", "last"] in rows
    assert ["step", "10", "30"] in rows
    assert ["minutes", "1.5", "1.5"] in rows
    assert ["bleu", "5", "15"] in rows
    assert text.endswith("\n<flat>: stop\n")
    assert all(len(line) <= FILE_WIDTH for line in text.splitlines())


def test_the_page_has_the_same() -> None:
    page = training_html(TRAINING)
    assert '<p class="note">&lt;flat&gt;: stop</p>' in page
    assert page.count("<svg ") == 2
    assert '<td class="n"><bdi>5</bdi></td><td class="n"><bdi>15</bdi></td>' in page


def test_a_run_without_validations_shows_its_last_update() -> None:
    text = training_text(Training(UPDATES, [], None, [], [], "too early"))
    assert ["step", "30"] in [line.split() for line in text.splitlines()]
    assert "best" not in text
