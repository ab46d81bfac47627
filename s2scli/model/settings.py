"""The settings of a whole model, with one section per part.

The unions are the registries: a new kind of part is added to its union.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from s2scli.model.attention.additive import AdditiveAttentionSettings
from s2scli.model.attention.dot import DotAttentionSettings
from s2scli.model.attention.general import GeneralAttentionSettings
from s2scli.model.attention.multi_head import MultiHeadAttentionSettings
from s2scli.model.attention.none import NoAttentionSettings
from s2scli.model.attention.scaled_dot import ScaledDotAttentionSettings
from s2scli.model.connection.last import LastConnectionSettings
from s2scli.model.connection.latent import LatentConnectionSettings
from s2scli.model.connection.none import NoConnectionSettings
from s2scli.model.connection.projected import ProjectedConnectionSettings
from s2scli.model.decoder.recurrent import RecurrentDecoderSettings
from s2scli.model.decoder.ssru import SSRUDecoderSettings
from s2scli.model.decoder.transformer import TransformerDecoderSettings
from s2scli.model.encoder.recurrent import RecurrentEncoderSettings
from s2scli.model.encoder.transformer import TransformerEncoderSettings
from s2scli.model.frontend.audio import AudioFrontendSettings
from s2scli.model.frontend.image import ImageFrontendSettings
from s2scli.model.frontend.tokens import TokenFrontendSettings
from s2scli.model.output.plain import PlainOutputSettings
from s2scli.model.output.pointer import PointerOutputSettings
from s2scli.settings import Settings, setting

AttentionSettings = Annotated[
    AdditiveAttentionSettings
    | DotAttentionSettings
    | GeneralAttentionSettings
    | ScaledDotAttentionSettings
    | MultiHeadAttentionSettings
    | NoAttentionSettings,
    Field(discriminator="kind"),
]
ConnectionSettings = Annotated[
    LastConnectionSettings
    | ProjectedConnectionSettings
    | LatentConnectionSettings
    | NoConnectionSettings,
    Field(discriminator="kind"),
]
EncoderSettings = Annotated[
    RecurrentEncoderSettings | TransformerEncoderSettings, Field(discriminator="kind")
]


def _tokens_by_default(value: object) -> object:
    """Read a section without a `kind` as token embeddings."""
    return {"kind": "tokens", **value} if isinstance(value, dict) else value


SourceSettings = Annotated[
    Annotated[
        TokenFrontendSettings | AudioFrontendSettings | ImageFrontendSettings,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_tokens_by_default),
]
DecoderSettings = Annotated[
    RecurrentDecoderSettings | TransformerDecoderSettings | SSRUDecoderSettings,
    Field(discriminator="kind"),
]
OutputSettings = Annotated[PlainOutputSettings | PointerOutputSettings, Field(discriminator="kind")]


class ModelSettings(Settings):
    """Settings of a model: embeddings, encoder, connection, attention, decoder and output."""

    source: SourceSettings = TokenFrontendSettings()
    target: TokenFrontendSettings = TokenFrontendSettings()
    encoder: EncoderSettings = RecurrentEncoderSettings()
    connection: ConnectionSettings = ProjectedConnectionSettings()
    attention: AttentionSettings = AdditiveAttentionSettings()
    decoder: DecoderSettings = RecurrentDecoderSettings()
    output: OutputSettings = PlainOutputSettings()
    tie_embeddings: Literal["auto", "none", "target", "all"] = setting(
        "auto",
        "Share embedding weights: none, target (target embeddings and output layer; Press & Wolf "
        "2017), all (source embeddings too, with a joint vocabulary), or auto (all if possible, "
        "else target, else none).",
    )
    ctc_weight: float = setting(
        0.0,
        "Weight of a CTC loss on the encoder's states, beside 1 - weight for the decoder's: makes "
        "a model of speech align on little data (Watanabe et al. 2017); 0 turns it off.",
        ge=0,
        lt=1,
    )

    @property
    def copies(self) -> bool:
        """Whether such a model can copy tokens of the source."""
        return self.output.kind == "pointer"
