"""The settings of a whole model: which front end a section without a kind means."""

import pytest

from s2scli.errors import ConfigError
from s2scli.model.frontend.audio import AudioFrontendSettings
from s2scli.model.frontend.image import ImageFrontendSettings
from s2scli.model.frontend.tokens import TokenFrontendSettings
from s2scli.model.settings import ModelSettings
from s2scli.settings import Tree, load_settings


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ({}, TokenFrontendSettings),
        ({"embedding_dim": 8}, TokenFrontendSettings),
        ({"kind": "tokens"}, TokenFrontendSettings),
        ({"kind": "audio", "bands": 8}, AudioFrontendSettings),
        ({"kind": "image", "patch_width": 2}, ImageFrontendSettings),
    ],
)
def test_a_source_without_a_kind_is_tokens(section: Tree, kind: type) -> None:
    settings = load_settings(ModelSettings, {"source": section}, "test")
    assert type(settings.source) is kind
    again = load_settings(ModelSettings, settings.model_dump(mode="json"), "test")
    assert again == settings


def test_settings_of_another_kind_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"source.*bands"):
        load_settings(ModelSettings, {"source": {"bands": 8}}, "test")
