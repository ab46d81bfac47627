"""The settings of a stack refuse sizes that do not fit, and make its layers."""

import pytest
import torch
from torch import nn

from s2scli.errors import ConfigError
from s2scli.model.encoder.transformer import TransformerEncoderSettings
from s2scli.model.transformer.settings import TransformerSettings


def test_rotary_positions_need_pairs() -> None:
    with pytest.raises(
        ConfigError, match=r"model\.encoder\.positions: rotary .* a head width of 3"
    ):
        TransformerEncoderSettings(model_dim=6, num_heads=2, positions="rotary").build(6)


def test_heads_share_the_width() -> None:
    with pytest.raises(
        ConfigError, match=r"model\.encoder\.num_heads: 3 does not divide the width 8"
    ):
        TransformerSettings(model_dim=8, num_heads=3).check("model.encoder")
    TransformerSettings(model_dim=9, num_heads=3).check("model.encoder")


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_layers_have_the_sizes_and_the_dropout_asked_for(norm_first: bool) -> None:
    settings = TransformerSettings(
        model_dim=8,
        num_heads=2,
        ffn_dim=6,
        norm_first=norm_first,
        dropout=0.1,
        attention_dropout=0.2,
        ffn_dropout=0.3,
    )
    states = torch.randn(2, 3, 8)
    assert settings.make_residual().dropout.probability == 0.1
    assert settings.make_self_attention().dropout == 0.2
    network = settings.make_feed_forward()
    assert (network.inner.out_features, network.dropout.probability) == (6, 0.3)
    assert network(states).shape == states.shape
    assert isinstance(settings.make_last_norm(), nn.LayerNorm if norm_first else nn.Identity)
