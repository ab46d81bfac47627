"""Sound becomes features as a plain loop and a reference library compute them, then vectors."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2scli.errors import ConfigError
from s2scli.model.frontend.audio import (
    FULL_SCALE,
    AudioFrontend,
    AudioFrontendSettings,
    ConvLayer,
    add_noise,
    add_silence,
    change_speed,
    emphasize,
    filter_at_random,
    halved,
    mel_filters,
    normalize,
    random_spans,
    stretch_bands,
)
from s2scli.model.kernels.batch_norm import BatchNorm
from s2scli.sides import Picture, Sound

RATE, BANDS, DIM = 8000, 12, 6
CHANGES = ("speed", "warp", "tone", "silence", "noise")
STILL: dict[str, Any] = {"time_masks": 0, "band_masks": 0, **dict.fromkeys(CHANGES, 0.0)}
SETTINGS: list[dict[str, Any]] = [
    {"subsampling": "conv", "channels": 3},
    {"subsampling": "pyramid"},
]
each_subsampling = pytest.mark.parametrize("settings", SETTINGS, ids=["conv", "pyramid"])


def build(settings: dict[str, Any], **more: Any) -> AudioFrontend:
    torch.manual_seed(0)
    tree = {"kind": "audio", "bands": BANDS, "embedding_dim": DIM, **settings, **more}
    return AudioFrontendSettings.model_validate(tree).build(Sound(RATE), 0)


def noises(*lengths: int) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randint(-9000, 9000, (length,), dtype=torch.int16) for length in lengths]


def padded(sounds: list[Tensor], extra: int = 0) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(sound) for sound in sounds])
    batch = torch.zeros(len(sounds), int(lengths.max()) + extra, dtype=torch.int16)
    for row, sound in zip(batch, sounds, strict=True):
        row[: len(sound)] = sound
    return batch, lengths


def mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def plain_log_mel(
    samples: NDArray[np.float64], window: int, hop: int, floor: float
) -> NDArray[np.float64]:
    """Log-mel features of a recording [T, F], one window and one band at a time."""
    size = 1
    while size < window:
        size *= 2
    taper = [0.5 - 0.5 * math.cos(2 * math.pi * n / window) for n in range(window)]
    rows = []
    for start in range(0, len(samples) - window + 1, hop):
        power = np.abs(np.fft.rfft(samples[start : start + window] * taper, size)) ** 2
        rows.append([weighted(power, size, band) for band in range(BANDS)])
    mean = sum(map(sum, rows)) / (len(rows) * BANDS)
    return np.log(np.maximum(1e-10, np.array(rows) + floor * mean))


def weighted(power: NDArray[np.float64], size: int, band: int) -> float:
    """The power in a triangle from one edge to the next but one, evenly spaced in mel."""
    step = mel(RATE / 2) / (BANDS + 1)
    low, peak, high = (700 * (10 ** ((band + n) * step / 2595) - 1) for n in range(3))
    total = 0.0
    for index, value in enumerate(power):
        hertz = index * RATE / size
        rising, falling = (hertz - low) / (peak - low), (high - hertz) / (high - peak)
        total += max(0.0, min(rising, falling)) * float(value)
    return total


@pytest.mark.parametrize("floor", [0.0, 0.01])
def test_features_are_those_of_a_plain_loop(floor: float) -> None:
    front_end = build({}, floor=floor)
    [sound] = noises(2000)
    found, counts = front_end.log_mel(sound[None] / FULL_SCALE, torch.tensor([2000]))
    samples = sound.numpy() / FULL_SCALE
    expected = plain_log_mel(samples, front_end.window, front_end.hop, floor)
    assert counts.tolist() == [len(expected)] == [found.shape[1]]
    np.testing.assert_allclose(found[0].numpy(), expected, atol=2e-3)


def test_features_are_those_of_transformers() -> None:
    library = pytest.importorskip(
        "transformers.audio_utils", reason="transformers is not installed"
    )
    front_end = build({}, floor=0.0)
    [sound] = noises(4000)
    filters = library.mel_filter_bank(
        front_end.fft_size // 2 + 1, BANDS, 0.0, RATE / 2, RATE, norm=None, mel_scale="htk"
    )
    np.testing.assert_allclose(front_end.filters.numpy(), filters, atol=1e-6)
    expected = library.spectrogram(
        sound.numpy() / FULL_SCALE,
        library.window_function(front_end.window, "hann"),
        front_end.window,
        front_end.hop,
        front_end.fft_size,
        power=2.0,
        center=False,
        mel_filters=filters,
        mel_floor=1e-10,
        log_mel="log",
    )
    found, _ = front_end.log_mel(sound[None] / FULL_SCALE, torch.tensor([4000]))
    np.testing.assert_allclose(found[0].numpy().T, expected, atol=2e-3)


def test_a_tone_is_loudest_in_the_band_around_it() -> None:
    filters = mel_filters(512, BANDS, RATE)  # [frequencies, bands]
    assert filters.shape == (257, BANDS)
    front_end = build({})
    for band in (3, 7, 10):
        hertz = float(filters[:, band].argmax()) * RATE / 512
        tone = torch.sin(2 * math.pi * hertz * torch.arange(800) / RATE)[None]
        logs, _ = front_end.log_mel(tone, torch.tensor([800]))
        assert logs[0].mean(0).argmax() == band


@pytest.mark.parametrize(("normalize", "axes"), [("bands", (0,)), ("volume", (0, 1))])
def test_a_recording_is_normalized_without_its_padding(
    normalize: str, axes: tuple[int, ...]
) -> None:
    front_end = build({}, normalize=normalize)
    sounds = noises(2000, 900)
    features, counts = front_end.features(*scaled(*padded(sounds, 300)))
    for row, count in zip(features, counts.tolist(), strict=True):
        mean, variance = row[:count].mean(axes), row[:count].var(axes, correction=0)
        torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-4, rtol=0)
        torch.testing.assert_close(variance, torch.ones_like(variance), atol=1e-3, rtol=0)
        assert not row[count:].any()


def test_features_do_not_depend_on_the_volume() -> None:
    front_end = build({}).eval()
    [sound] = noises(3000)
    loud, soft = (front_end.read(*padded([one]))[0] for one in (sound * 2, sound // 2 * 2 // 2))
    torch.testing.assert_close(loud, soft, atol=0.02, rtol=0)


def test_emphasis_subtracts_the_sample_before() -> None:
    samples = torch.tensor([[1.0, 3.0, 2.0, 0.0], [2.0, 4.0, 0.0, 0.0]])
    found = emphasize(samples, torch.tensor([4, 2]), 0.5)
    assert found.tolist() == [[1.0, 2.5, 0.5, -1.0], [2.0, 3.0, 0.0, 0.0]]
    assert torch.equal(emphasize(samples, torch.tensor([4, 2]), 0.0), samples)


def test_stretched_bands_are_those_of_other_frequencies() -> None:
    filters = mel_filters(512, BANDS, RATE)
    peaks = filters.argmax(0) * RATE / 512  # hertz of each band
    features = peaks.expand(2, 3, BANDS)  # each band holds its own frequency
    factors = torch.tensor([[1.0], [1.25]])
    found = stretch_bands(features, factors, RATE)
    torch.testing.assert_close(found[0], features[0], atol=1e-2, rtol=0)
    inside = peaks * 1.25 < peaks[-1]
    torch.testing.assert_close(found[1][:, inside], 1.25 * features[1][:, inside], atol=30, rtol=0)
    assert (found[1][:, -1] == peaks[-1]).all(), "the last band is repeated"


def test_silence_is_added_before_and_after() -> None:
    torch.manual_seed(0)
    samples, lengths = scaled(*padded(noises(*[500, 300] * 40)))
    longer, found = add_silence(samples, lengths, 100)
    starts = []
    for row, before, length, count in zip(
        longer, samples, lengths.tolist(), found.tolist(), strict=True
    ):
        assert length <= count <= length + 200 and not row[count:].any()
        start = int(row.nonzero()[0])
        starts.append(start)
        assert start <= 100 and torch.equal(row[start : start + length], before[:length])
        assert not row[start + length :].any()
    assert len(set(starts)) > 30
    assert add_silence(samples, lengths, 0)[0] is samples


def scaled(samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    return samples / FULL_SCALE, lengths


def test_features_of_one_window_are_0() -> None:
    mask = torch.tensor([[[True], [False]]])
    assert not normalize(torch.randn(1, 2, BANDS), mask, (1,)).any()


@each_subsampling
def test_padding_changes_nothing(settings: dict[str, Any]) -> None:
    front_end = build(settings).eval()
    sounds = noises(1, 150, 200, 279, 280, 1000, 1001, 3333)
    with torch.no_grad():
        for extra in (0, 1, 999):
            vectors, lengths = front_end.read(*padded(sounds, extra))
            for sound, row, length in zip(sounds, vectors, lengths.tolist(), strict=True):
                [alone], [count] = front_end.read(*padded([sound]))
                assert count == length == len(alone)
                torch.testing.assert_close(row[:length], alone, atol=1e-4, rtol=0)


@each_subsampling
def test_positions_are_those_of_the_vectors(settings: dict[str, Any]) -> None:
    front_end = build(settings).eval()
    lengths = torch.tensor([1, 199, 200, 279, 280, 360, 440, 520, 8000])
    expected = [1, 1, 1, 1, 1, 1, 1, 2, 25]  # windows of 200 each 80: 1, 1, 1, 1, 2, 3, 4, 5, 98
    assert front_end.windows(lengths).tolist() == [1, 1, 1, 1, 2, 3, 4, 5, 98]
    assert front_end.positions(lengths).tolist() == expected
    for length, positions in zip(lengths.tolist(), expected, strict=True):
        vectors, found = front_end.read(*padded(noises(length)))
        assert vectors.shape == (1, positions, DIM) and found.tolist() == [positions]


@pytest.mark.parametrize(("length", "half"), [(0, 0), (1, 1), (2, 1), (3, 2), (8, 4), (9, 5)])
def test_half_a_length_is_rounded_up(length: int, half: int) -> None:
    assert halved(length) == half == int(halved(torch.tensor(length)))


@each_subsampling
def test_gradients_reach_every_parameter(settings: dict[str, Any]) -> None:
    front_end = build(settings)
    vectors, _ = front_end.read(*padded(noises(3000, 2500)))
    torch.autograd.backward((vectors * torch.randn_like(vectors)).sum())
    for name, weight in front_end.named_parameters():
        if weight.requires_grad:
            assert weight.grad is not None and weight.grad.any(), name


def test_only_training_is_random() -> None:
    front_end = build(SETTINGS[0], noise=0.1)
    batch = padded(noises(3000, 2500))
    with torch.no_grad():
        front_end.eval()
        one, other = front_end.read(*batch)[0], front_end.read(*batch)[0]
        assert torch.equal(one, other)
        front_end.train()
        assert len({front_end.read(*batch)[0].abs().sum().item() for _ in range(3)}) == 3


@each_subsampling
def test_without_augmentation_training_reads_as_evaluation(settings: dict[str, Any]) -> None:
    front_end = build(settings, **STILL)
    for module in front_end.modules():
        if isinstance(module, BatchNorm):
            module.gain.requires_grad_(False)  # frozen: it does not normalize over the batch
    batch = padded(noises(3000, 2500))
    with torch.no_grad():
        trained, evaluated = front_end.train().read(*batch), front_end.eval().read(*batch)
    assert torch.equal(trained[0], evaluated[0]) and torch.equal(trained[1], evaluated[1])


def test_a_speed_change_of_0_changes_nothing() -> None:
    samples, lengths = scaled(*padded(noises(500, 300)))
    played, found = change_speed(samples, lengths, 0.0)
    assert played is samples and found is lengths


def test_a_factor_of_1_plays_the_recording_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, lengths = scaled(*padded(noises(500, 300)))
    monkeypatch.setattr(torch, "rand", lambda shape: torch.full(shape, 0.5))
    played, found = change_speed(samples, lengths, 0.1)
    assert torch.equal(played, samples) and torch.equal(found, lengths)


@pytest.mark.parametrize(("drawn", "factor"), [(0.0, 0.8), (1.0, 1.2)])
def test_speed_changes_length_and_pitch(
    monkeypatch: pytest.MonkeyPatch, drawn: float, factor: float
) -> None:
    monkeypatch.setattr(torch, "rand", lambda shape: torch.full(shape, drawn))
    lengths = torch.tensor([6000, 3000])
    seconds = torch.arange(6000) / RATE
    tone = torch.sin(2 * math.pi * 200 * seconds).repeat(2, 1)
    tone[1, 3000:] = 0.0
    played, found = change_speed(tone, lengths, 0.2)
    assert found.tolist() == [int(6000 / factor), int(3000 / factor)]
    for row, length in zip(played, found.tolist(), strict=True):
        assert not row[length:].any()
        expected = np.sin(2 * np.pi * 200 * factor * np.arange(length) / RATE)
        np.testing.assert_allclose(row[: length - 1].numpy(), expected[:-1], atol=0.02)


def test_noise_has_every_share_of_the_volume_up_to_the_largest() -> None:
    torch.manual_seed(0)
    samples, lengths = torch.ones(400, 2000), torch.full((400,), 2000)
    lengths[0], samples[0, 500:] = 500, 0.0
    noise = add_noise(samples, lengths, 0.5, 8.0) - samples
    volume = noise.square().sum(1).div(lengths).sqrt()  # a recording's own volume is 1
    assert 0.0099 < volume.min() < 0.011 and 0.45 < volume.max() < 0.501
    assert 0.05 < volume.median() < 0.1, "as often below the middle, 0.07, as above"
    assert not noise[0, 500:].any()
    assert add_noise(samples, lengths, 0.0, 8.0) is samples
    weak = add_noise(samples, lengths, 0.005, 0.0) - samples
    torch.testing.assert_close(weak.square().mean(1).sqrt()[1:], torch.full((399,), 0.005))


def test_silence_gets_no_noise() -> None:
    assert not add_noise(torch.zeros(2, 500), torch.tensor([500, 300]), 0.5, 8.0).any()


def test_a_random_filter_changes_the_volume_of_each_frequency() -> None:
    torch.manual_seed(0)
    count, width = 300, 4000
    lengths, time = torch.full((count,), width), torch.arange(width) / RATE
    gains = []
    for hertz in (800, 1600, 3200):  # the points of the curve are 800 hertz apart
        torch.manual_seed(3)  # the same filters for each tone
        tones = torch.sin(2 * math.pi * hertz * time).expand(count, -1)
        found = filter_at_random(tones, lengths, 8.0)[:, 1000:3000]
        gains.append(20 * found.square().mean(1).mul(2).sqrt().log10())
    for gain in gains:
        assert abs(float(gain.mean())) < 1.5 and 7 < float(gain.std()) < 9, "in decibels"
    assert abs(float(torch.corrcoef(torch.stack(gains))[0, 2])) < 0.2, "other points, other gains"
    assert filter_at_random(tones, lengths, 0.0) is tones


def test_a_filtered_recording_stays_where_it_is() -> None:
    torch.manual_seed(0)
    samples = torch.zeros(3, 900)
    samples[:, 300] = 1.0
    found = filter_at_random(samples, torch.tensor([900, 900, 400]), 8.0)
    assert found.abs().argmax(1).tolist() == [300] * 3
    assert not found[2, 400:].any()


@pytest.mark.parametrize("training", [True, False])
def test_a_layer_of_convolutions_keeps_its_padding_empty(training: bool) -> None:
    torch.manual_seed(0)
    layer = ConvLayer(2, 3, (2, 1)).train(training)
    with torch.no_grad():
        layer.norm.bias.fill_(1.0)
    found, lengths = layer(torch.randn(2, 2, 9, 7), torch.tensor([9, 4]))
    assert found.shape == (2, 3, 5, 7) and lengths.tolist() == [5, 2]
    assert found[0, :, 4].any() and found[1, :, 1].any() and not found[1, :, 2:].any()


@each_subsampling
def test_vectors_have_the_norm_that_is_set(settings: dict[str, Any]) -> None:
    batch = padded(noises(3000, 3000))
    for norm in (1.0, 7.0):
        vectors, _ = build(settings, vector_norm=norm, **STILL).read(*batch)
        found = vectors.norm(dim=2)
        torch.testing.assert_close(found, torch.full_like(found, norm), rtol=1e-2, atol=0)


def test_spans_lie_inside_their_rows_and_have_every_length() -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([10, 4, 1] * 500)
    spans = random_spans(lengths, 0.5, 10)
    assert spans.shape == (1500, 10)
    for row, length in enumerate((10, 4, 1)):
        mine = spans[row::3]
        assert not mine[:, length:].any()
        assert {*mine.sum(1).tolist()} == {*range(length // 2 + 1)}
        assert mine[:, :length].any(0).all() or length == 1
        changes = mine.int().diff(dim=1).abs().sum(1) + mine[:, 0].int() + mine[:, -1].int()
        assert changes.max() <= 2, "one run of True"


def test_no_share_masks_nothing() -> None:
    assert not random_spans(torch.tensor([10] * 100), 0.0, 10).any()


def test_masks_are_the_mean() -> None:
    front_end = build({}, time_masks=3, time_mask_share=0.5, band_masks=0)
    features, lengths = torch.ones(40, 20, BANDS), torch.full((40,), 20)
    masked = front_end._masked(features, lengths)
    rows = masked[:, :, 0]
    assert ((masked == 0) | (masked == 1)).all()
    assert (masked == rows[:, :, None]).all(), "all bands of a window"
    assert 0.2 < float(rows.mean()) < 0.8
    of_bands = build({}, time_masks=0, band_masks=2)._masked(features, lengths)
    assert (of_bands == of_bands[:, :1]).all() and not of_bands.all(), "all windows of a band"


def test_only_sound_is_read() -> None:
    for reads in (11, Picture(8, None, 1)):
        with pytest.raises(ConfigError, match="audio reads sound, and the source is not sound"):
            AudioFrontendSettings().build(reads, 0)


def test_there_are_no_vectors_of_tokens() -> None:
    front_end = build({})
    assert front_end.vectors is None and front_end.rows() == () and front_end.output_dim == DIM
    with pytest.raises(AssertionError):
        front_end.share(torch.nn.Parameter(torch.zeros(1)))
    assert "filters" not in front_end.state_dict(), "computed from the settings"
