"""Pixels become vectors; neither padding nor the other pictures of a batch change them."""

from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from s2scli.model.frontend.image import ImageFrontend, ImageFrontendSettings
from s2scli.sides import Picture

HEIGHT, DIM = 10, 6
SETTINGS: list[dict[str, Any]] = [
    {"layout": "patches", "patch_height": 4, "patch_width": 3, "max_columns": 3},
    {"layout": "patches", "patch_height": 5, "patch_width": 1},
    {"layout": "columns", "stride": 2, "conv_dim": 5},
    {"layout": "columns", "stride": 4, "conv_dim": 5},
]
every_layout = pytest.mark.parametrize("settings", SETTINGS)
every_depth = pytest.mark.parametrize("channels", [1, 3])


def build(settings: dict[str, Any], channels: Literal[1, 3] = 1, **more: Any) -> ImageFrontend:
    torch.manual_seed(0)
    tree = {"kind": "image", "embedding_dim": DIM, **settings, **more}
    return ImageFrontendSettings.model_validate(tree).build(Picture(HEIGHT, None, channels), 0)


def pictures(channels: int, *widths: int) -> list[Tensor]:
    torch.manual_seed(1)
    shapes = [(width, HEIGHT * channels) for width in widths]
    return [torch.randint(0, 256, shape, dtype=torch.uint8) for shape in shapes]


def padded(images: list[Tensor], extra: int = 0, fill: int = 0) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(image) for image in images])
    batch = torch.full((len(images), int(lengths.max()) + extra, images[0].shape[1]), fill)
    batch = batch.to(torch.uint8)
    for row, image in zip(batch, images, strict=True):
        row[: len(image)] = image
    return batch, lengths


@every_depth
@every_layout
def test_padding_changes_nothing(settings: dict[str, Any], channels: Literal[1, 3]) -> None:
    front_end = build(settings, channels)
    images = pictures(channels, 1, 2, 5, 8, 13, 16)
    for extra, fill in ((0, 0), (7, 0), (3, 200)):
        vectors, lengths = front_end.read(*padded(images, extra, fill))
        for image, row, length in zip(images, vectors, lengths.tolist(), strict=True):
            [alone], [count] = front_end.read(*padded([image]))
            assert count == length == len(alone)
            torch.testing.assert_close(row[:length], alone, atol=1e-5, rtol=0)
            assert not row[length:].any()


@every_layout
def test_vectors_have_the_width_of_the_output(settings: dict[str, Any]) -> None:
    front_end = build(settings)
    vectors, lengths = front_end.read(*padded(pictures(1, 7, 4)))
    assert vectors.shape == (2, int(lengths[0]), DIM) and front_end.output_dim == DIM
    assert front_end.vectors is None and front_end.rows() == ()


@pytest.mark.parametrize(
    ("settings", "lengths"),
    [
        (SETTINGS[0], [3, 3, 6, 15]),  # 3 rows of patches
        (SETTINGS[1], [2, 6, 8, 26]),  # 2 rows
        (SETTINGS[2], [1, 2, 2, 7]),
        (SETTINGS[3], [1, 1, 1, 4]),
    ],
)
def test_lengths_are_rounded_up(settings: dict[str, Any], lengths: list[int]) -> None:
    _, found = build(settings).read(*padded(pictures(1, 1, 3, 4, 13)))
    assert found.tolist() == lengths


@every_depth
@every_layout
def test_gradients_reach_every_parameter(settings: dict[str, Any], channels: Literal[1, 3]) -> None:
    front_end = build(settings, channels, max_columns=3)
    vectors, _ = front_end.read(*padded(pictures(channels, 13, 8)))
    torch.autograd.backward((vectors * torch.randn_like(vectors)).sum())
    for name, weight in front_end.named_parameters():
        assert weight.grad is not None and weight.grad.flatten(1 if weight.ndim > 1 else 0).any(), (
            name
        )


def test_a_patch_is_a_product_with_its_pixels_and_positions() -> None:
    front_end = build(SETTINGS[0], 3)
    [image] = pictures(3, 14)
    vectors, _ = front_end.read(image[None], torch.tensor([14]))
    weights = dict(front_end.named_parameters())
    pixels = torch.zeros(15, 12, 3)  # filled up to whole patches
    pixels[:14, :10] = image.view(14, HEIGHT, 3) / 127.5 - 1
    index = 0
    for column in range(5):
        for row in range(3):
            patch = pixels[3 * column : 3 * column + 3, 4 * row : 4 * row + 4]
            kernel = weights["layout.project.weight"].permute(0, 3, 2, 1)  # [E, W, H, C]
            expected = (kernel * patch).sum((1, 2, 3)) + weights["layout.project.bias"]
            expected = expected + weights["layout.row_positions.table.weight"][row]
            expected = expected + weights["layout.column_positions.table.weight"][min(column, 2)]
            expected = (expected - expected.mean()) / (expected.var(correction=0) + 1e-5).sqrt()
            torch.testing.assert_close(vectors[0, index], expected / DIM**0.5)
            index += 1
    assert index == vectors.shape[1]


@pytest.mark.parametrize("settings", SETTINGS[2:])
def test_a_column_sees_its_surroundings_only(settings: dict[str, Any]) -> None:
    front_end = build(settings)
    [image] = pictures(1, 64)
    changed = image.clone()
    changed[40:] = 255 - changed[40:]
    lengths = torch.tensor([64])
    difference = (
        front_end.read(image[None], lengths)[0] != front_end.read(changed[None], lengths)[0]
    )
    first = int(difference[0].any(-1).nonzero()[0])
    assert 20 <= first * settings["stride"] <= 40


@every_layout
def test_it_can_be_built_without_memory(settings: dict[str, Any]) -> None:
    with torch.device("meta"):
        front_end = build(settings)
    assert all(weight.is_meta for weight in front_end.parameters())
    assert {name: weight.shape for name, weight in front_end.named_parameters()} == {
        name: weight.shape for name, weight in build(settings).named_parameters()
    }


@every_layout
def test_vectors_are_dropped_in_training_only(settings: dict[str, Any]) -> None:
    front_end, batch = build(settings, dropout=0.5), padded(pictures(1, 60))
    assert (front_end.read(*batch)[0] == 0).any()
    assert not (front_end.eval().read(*batch)[0] == 0).any()


@every_layout
def test_vectors_are_as_long_as_those_of_tokens(settings: dict[str, Any]) -> None:
    front_end = build(settings, embedding_dim=256, conv_dim=64)
    vectors, _ = front_end.read(*padded(pictures(1, 200)))
    assert 0.4 < float(vectors.detach().norm(dim=-1).mean()) < 2


@every_layout
def test_half_precision_gives_half_precision(settings: dict[str, Any]) -> None:
    front_end = build(settings).to(torch.bfloat16)
    assert front_end.read(*padded(pictures(1, 9)))[0].dtype is torch.bfloat16
