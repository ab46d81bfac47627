"""Models that earlier versions wrote are read for ever, and say what they said."""

from pathlib import Path

import pytest

from s2scli import load
from s2scli.manifest import FORMATS, read_manifest

FOLDER = Path(__file__).parent
MODELS = sorted(manifest.parent for manifest in FOLDER.glob("model-*/manifest.json"))


def test_every_format_has_its_model() -> None:
    formats = [read_manifest(model, "model").format for model in MODELS]
    assert formats == list(range(1, FORMATS["model"] + 1))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_kept_model_says_what_it_said(model: Path) -> None:
    lines = (FOLDER / f"{model.name}.tsv").read_text(encoding="utf-8").splitlines()
    sources, targets = zip(*(line.split("\t") for line in lines), strict=True)
    assert load(model, device="cpu").translate(sources) == list(targets)
