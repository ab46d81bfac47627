"""The front end for pictures: one vector for each patch, or for each group of columns."""

from typing import Literal, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.kernels.dropout import Dropout
from s2scli.model.kernels.linear import Linear
from s2scli.model.states import length_mask
from s2scli.model.transformer.positions import LearnedPositions
from s2scli.settings import Settings, setting
from s2scli.sides import Input, Picture

Layer = TypeVar("Layer", nn.Conv2d, Linear)


class ImageFrontendSettings(Settings):
    """How a picture is read: as patches, or as columns by a small convolutional network."""

    kind: Literal["image"] = setting("image", "What the input is: pixels.")
    layout: Literal["patches", "columns"] = setting(
        "patches",
        "patches: one vector for each patch (Dosovitskiy et al. 2021). columns: three convolutions "
        "and one vector for every 2 or 4 pixel columns, for lines of text.",
    )
    embedding_dim: int = setting(256, "Width of a vector.", "units", ge=1, le=16384)
    patch_height: int = setting(4, "Layout patches: height of a patch.", "pixels", ge=1, le=1024)
    patch_width: int = setting(4, "Layout patches: width of a patch.", "pixels", ge=1, le=1024)
    max_columns: int = setting(
        512,
        "Layout patches: number of columns of patches with a position vector of their own; later "
        "columns share the last vector.",
        "columns",
        ge=1,
        le=65536,
    )
    stride: Literal[2, 4] = setting(
        4, "Layout columns: number of pixel columns per vector.", "pixels"
    )
    conv_dim: int = setting(
        64, "Layout columns: number of channels of the convolutions.", ge=1, le=4096
    )
    dropout: float = setting(0.0, "Dropout on the vectors.", "probability", ge=0.0, lt=1.0)

    def typical(self, vocab_size: int) -> Input:
        """Return a typical input for estimates of size: grey pictures 32 pixels high."""
        return Picture(32, None, 1)

    def build(self, reads: Input, pad_id: int) -> "ImageFrontend":
        """Return the front end for pictures of one height and number of channels.

        Raises:
            ConfigError: the source is not pictures.
        """
        if not isinstance(reads, Picture):
            raise ConfigError(
                "model.source.kind: image reads pictures, and the source is not pictures"
            )
        return ImageFrontend(self, reads.height, reads.channels)


class ImageFrontend(nn.Module):
    """Reads pictures of one height and any width; it has no token embeddings."""

    vectors: None = None

    def __init__(self, settings: ImageFrontendSettings, height: int, channels: int) -> None:
        super().__init__()
        self.output_dim = settings.embedding_dim
        self.height, self.channels = height, channels
        layout = Patches if settings.layout == "patches" else Columns
        self.layout = layout(settings, height, channels)
        self.norm = nn.LayerNorm(settings.embedding_dim)
        if not self.norm.weight.is_meta:
            nn.init.constant_(self.norm.weight, settings.embedding_dim**-0.5)
        self.dropout = Dropout(settings.dropout)

    def rows(self) -> tuple[str, ...]:
        """Return no names: no weight has a row for each token."""
        return ()

    def share(self, vectors: nn.Parameter) -> None:
        """Refuse to share token embeddings: there are none."""
        raise AssertionError("a front end for pictures has no token embeddings")

    def positions(self, lengths: Tensor) -> Tensor:
        """Return the number of vectors for pictures of these widths, [B]."""
        positions: Tensor = self.layout.positions(lengths)
        return positions

    def read(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors of pictures, [B, S, E], and the number of vectors of each, [B].

        The vectors of a picture do not depend on the padding or on other pictures of the batch.
        Vectors in the padding are 0.

        Args:
            values: uint8 pixels, [B, W, H * C], padded on the right.
            lengths: the width of each picture, [B].
        """
        batch, width, _ = values.shape
        cells = values.reshape(batch, width, self.height, self.channels)
        images = cells.permute(0, 3, 2, 1).to(_dtype(self)) / 127.5 - 1  # [B, C, H, W]
        vectors, lengths = self.layout(_masked(images, lengths), lengths)
        mask = length_mask(lengths, vectors.shape[1], vectors.device)
        return self.dropout(self.norm(vectors) * mask[..., None]), lengths


class Patches(nn.Module):
    """One vector for each patch: column by column, and from top to bottom in each column.

    A vector is the sum of a convolution without overlap, a learned vector for the row, and one for
    the column. Incomplete patches at the right and the bottom are padded with grey (0).
    """

    def __init__(self, settings: ImageFrontendSettings, height: int, channels: int) -> None:
        super().__init__()
        self.patch = (settings.patch_height, settings.patch_width)
        self.rows = -(-height // settings.patch_height)
        dim = settings.embedding_dim
        self.project = _scaled(nn.Conv2d(channels, dim, self.patch, self.patch))
        self.row_positions = LearnedPositions(self.rows, dim)
        self.column_positions = LearnedPositions(settings.max_columns, dim)

    def forward(self, images: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Map images [B, C, H, W], 0 beyond their widths [B], to [B, S, E] and lengths [B]."""
        height, width = self.patch
        filled = F.pad(images, (0, -images.shape[3] % width, 0, -images.shape[2] % height))
        patches = self.project(filled).permute(0, 3, 2, 1)  # [B, columns, rows, E]
        rows = self.row_positions(torch.arange(self.rows, device=images.device))
        columns = self.column_positions(torch.arange(patches.shape[1], device=images.device))
        vectors = patches + rows + columns[:, None]
        return vectors.flatten(1, 2), self.positions(lengths)

    def positions(self, lengths: Tensor) -> Tensor:
        """Return the number of patches of pictures of these widths, [B]."""
        return _ceil(lengths, self.patch[1]) * self.rows


class Columns(nn.Module):
    """One vector for each `stride` pixel columns, for lines of text (Shi et al. 2017).

    There are three convolutions. Each is followed by pooling that halves the height; one or two of
    these also halve the width. A linear layer joins the remaining rows.
    """

    def __init__(self, settings: ImageFrontendSettings, height: int, channels: int) -> None:
        super().__init__()
        dim = settings.conv_dim
        pools = [(2, 2), (2, 2 if settings.stride == 4 else 1), (2, 1)]
        self.blocks = nn.ModuleList(
            ConvBlock(before, dim, pool)
            for before, pool in zip((channels, dim, dim), pools, strict=True)
        )
        self.join = _scaled(Linear(dim * -(-height // 8), settings.embedding_dim))

    def forward(self, images: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Map images [B, C, H, W], 0 beyond their widths [B], to [B, S, E] and lengths [B]."""
        for block in self.blocks:
            images, lengths = block(images, lengths)
        vectors: Tensor = self.join(images.permute(0, 3, 1, 2).flatten(2))  # [B, S, E]
        return vectors, lengths

    def positions(self, lengths: Tensor) -> Tensor:
        """Return the number of vectors for pictures of these widths, [B]."""
        for block in self.blocks:
            lengths = _ceil(lengths, cast(ConvBlock, block).pool[1])
        return lengths


class ConvBlock(nn.Module):
    """A 3 x 3 convolution, a norm over the channels of each pixel, ReLU, and maximum pooling."""

    def __init__(self, input_dim: int, dim: int, pool: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(input_dim, dim, 3, padding=1)
        self.norm = nn.LayerNorm(dim)
        self.pool = pool

    def forward(self, images: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Map [B, C, H, W] and widths [B] to [B, D, H / pool, W / pool] and widths, rounded up."""
        channels_last = self.conv(images).permute(0, 2, 3, 1)  # [B, H, W, D]
        active = _masked(self.norm(channels_last).permute(0, 3, 1, 2).relu(), lengths)
        # after ReLU no value is below 0, so the padding (0) never exceeds a real value
        return F.max_pool2d(active, self.pool, ceil_mode=True), _ceil(lengths, self.pool[1])


def _scaled(layer: Layer) -> Layer:
    """Initialise a layer so that its vectors have a length of about 1, like token embeddings."""
    if not layer.weight.is_meta:
        dim, inputs = layer.weight.flatten(1).shape
        nn.init.normal_(layer.weight, std=(dim * inputs) ** -0.5)
        nn.init.zeros_(cast(Tensor, layer.bias))
    return layer


def _masked(images: Tensor, lengths: Tensor) -> Tensor:
    """Set images [B, C, H, W] to 0 beyond their widths, [B]."""
    mask = length_mask(lengths, images.shape[3], images.device)
    return images * mask[:, None, None]


def _ceil(lengths: Tensor, size: int) -> Tensor:
    return (lengths + size - 1) // size


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype
