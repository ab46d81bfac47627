"""What can be exported where, and what is said of the rest."""

from typing import get_args

import pytest

from s2scli.errors import ConfigError
from s2scli.export.settings import ExportSettings
from s2scli.export.targets import TARGETS, require_exportable, say_exports
from s2scli.manifest import FORMATS
from s2scli.model.settings import ModelSettings
from s2scli.settings import Tree, load_settings
from tests.models import MODELS, model_tree, transformer_tree

TARGET = TARGETS["ctranslate2"]


def test_every_target_can_be_asked_for_and_has_its_kind_of_folder() -> None:
    assert get_args(ExportSettings.model_fields["to"].annotation) == tuple(TARGETS)
    assert {target.kind for target in TARGETS.values()} <= FORMATS.keys()


@pytest.mark.parametrize("name", MODELS)
def test_recurrent_models_do_not_export_and_transformers_do(name: str) -> None:
    settings = load_settings(ModelSettings, MODELS[name], "test")
    exports = not TARGET.obstacles(settings)
    kinds = (settings.encoder.kind, settings.attention.kind, settings.decoder.kind)
    assert exports == (kinds == ("transformer", "multi_head", "transformer"))
    assert say_exports(settings).startswith("can be" if exports else "cannot be")


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (model_tree(), "the encoder is recurrent (gru)"),
        (
            {**transformer_tree(), "decoder": model_tree("gru", "lstm")["decoder"]},
            "the decoder is recurrent (lstm)",
        ),
        (transformer_tree("additive"), "not additive"),
        ({**transformer_tree(), "output": {"kind": "pointer"}}, "it cannot copy tokens"),
        (transformer_tree(decoder={"num_heads": 4}), "(2 here) and in self-attention (4 here)"),
        (
            {**transformer_tree(), "connection": {"kind": "mean", "every_step": True}},
            "not through a connection (mean)",
        ),
        (transformer_tree(encoder={"norm": "rms"}), "here they differ"),
        (transformer_tree(encoder={"norm_epsilon": 0.1}), "must have the same norm_epsilon"),
    ],
)
def test_what_cannot_be_exported_says_why(tree: Tree, reason: str) -> None:
    settings = load_settings(ModelSettings, tree, "test")
    assert reason in say_exports(settings)
    with pytest.raises(ConfigError, match="cannot be exported to CTranslate2: "):
        require_exportable(TARGET, settings)
