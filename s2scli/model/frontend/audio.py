"""The front end for sound: log-mel features, augmentation in training, and subsampling."""

import math
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.kernels.batch_norm import BatchNorm
from s2scli.model.kernels.dropout import Dropout
from s2scli.model.kernels.linear import make_linear
from s2scli.model.recurrence import make_recurrence, run
from s2scli.model.states import length_mask
from s2scli.settings import Settings, setting
from s2scli.sides import Input, Sound

FULL_SCALE = 32768.0  # of a 16-bit sample
FLOOR = 1e-10  # smallest power of which the logarithm is taken
QUIET = 0.01  # the weakest noise added in training, as a share of the recording's volume
GAINS = 6  # points of a random curve over frequency


class AudioFrontendSettings(Settings):
    """Log-mel features of sound, and two layers that each halve the number of positions."""

    kind: Literal["audio"] = setting("audio", "What the input is: sound.")
    bands: int = setting(40, "Number of mel bands.", "bands", ge=4, le=512)
    window: float = setting(0.025, "Length of an analysis window.", "seconds", gt=0, le=1)
    hop: float = setting(0.010, "Distance between two windows.", "seconds", gt=0, le=1)
    emphasis: float = setting(
        0.97,
        "Raise high frequencies: subtract this share of the previous sample from each sample; 0 "
        "turns it off.",
        ge=0,
        lt=1,
    )
    floor: float = setting(
        0.01,
        "Add this share of a recording's mean power to every band, so that silence looks alike "
        "in clean and noisy recordings; 0.01 is 20 dB below the mean.",
        ge=0,
        le=1,
    )
    subsampling: Literal["conv", "pyramid"] = setting(
        "conv",
        "How 4 windows become one position: conv (five convolutions, two of stride 2) or pyramid "
        "(two bidirectional LSTM layers that each join pairs of positions; Chan et al. 2016).",
    )
    channels: int = setting(
        16,
        "Number of channels of the first convolution; the last one has four times as many.",
        "channels",
        ge=1,
        le=4096,
    )
    embedding_dim: int = setting(
        256, "Width of the vector of a position.", "units", ge=2, le=16384, multiple_of=2
    )
    vector_norm: float = setting(
        1.0,
        "Initial norm of the vectors. Transformers expect 1, as of token embeddings; recurrent "
        "encoders learn faster with the square root of the width.",
        gt=0,
        le=1000,
    )
    dropout: float = setting(0.0, "Dropout on the vectors.", "probability", ge=0.0, lt=1.0)
    time_masks: int = setting(
        2, "Number of time spans masked in training (SpecAugment; Park et al. 2019).", ge=0, le=100
    )
    time_mask_share: float = setting(
        0.1, "Longest masked span, as a share of the recording.", ge=0, le=1
    )
    band_masks: int = setting(
        2, "Number of groups of neighboring bands masked in training (SpecAugment).", ge=0, le=100
    )
    band_mask_share: float = setting(
        0.25, "Widest masked group, as a share of the bands.", ge=0, le=1
    )
    speed: float = setting(
        0.3,
        "In training, multiply the tempo and pitch of each recording by a random factor from "
        "1 - speed to 1 + speed; 0 turns it off (Ko et al. 2015 choose among 0.9, 1 and 1.1).",
        ge=0,
        lt=1,
    )
    warp: float = setting(
        0.2,
        "In training, stretch the frequencies of each recording by a random factor from 1 - warp "
        "to 1 + warp, which imitates other vocal tract lengths; 0 turns it off (Jaitly & Hinton "
        "2013).",
        ge=0,
        lt=0.9,
    )
    normalize: Literal["bands", "volume"] = setting(
        "volume",
        "Give each recording mean 0 and variance 1: in every band (bands), or over all bands "
        "together (volume).",
    )
    tone: float = setting(
        8.0,
        "In training, amplify and damp neighboring frequencies at random, which imitates other "
        "microphones: the standard deviation of the gain; 0 turns it off.",
        "decibels",
        ge=0,
        le=60,
    )
    silence: float = setting(
        0.2,
        "Maximum silence added before and after each recording in training.",
        "seconds",
        ge=0,
        le=60,
    )
    noise: float = setting(
        0.5,
        "Maximum noise added in training, as a share of the recording's volume; its spectrum is "
        "random, and it is weak as often as strong. 0 adds none.",
        ge=0,
        le=10,
    )

    def typical(self, vocab_size: int) -> Input:
        """Return a typical input for estimates of size: sound at 16 kHz."""
        return Sound(16_000)

    def build(self, reads: Input, pad_id: int) -> "AudioFrontend":
        """Return the front end for sound of one sample rate.

        Raises:
            ConfigError: the source is not sound.
        """
        if not isinstance(reads, Sound):
            raise ConfigError("model.source.kind: audio reads sound, and the source is not sound")
        return AudioFrontend(self, reads.sample_rate)


class AudioFrontend(nn.Module):
    """Reads 16-bit samples; each position stands for 4 windows."""

    filters: Tensor
    taper: Tensor

    def __init__(self, settings: AudioFrontendSettings, sample_rate: int) -> None:
        super().__init__()
        self.settings = settings
        self.output_dim = settings.embedding_dim
        self.window = max(1, round(settings.window * sample_rate))
        self.hop = max(1, round(settings.hop * sample_rate))
        fft_size = 1 << (self.window - 1).bit_length()
        filters = mel_filters(fft_size, settings.bands, sample_rate)
        self.register_buffer("filters", filters, persistent=False)
        taper = torch.hann_window(self.window, device="cpu")
        self.register_buffer("taper", taper, persistent=False)
        self.fft_size, self.sample_rate = fft_size, sample_rate
        self.halve = (
            ConvHalving(settings.bands, settings.channels, settings.embedding_dim)
            if settings.subsampling == "conv"
            else PyramidHalving(settings.bands, settings.embedding_dim)
        )
        self.norm = nn.LayerNorm(settings.embedding_dim)
        if not self.norm.weight.is_meta:
            scale = settings.vector_norm * settings.embedding_dim**-0.5
            nn.init.constant_(self.norm.weight, scale)
        self.dropout = Dropout(settings.dropout)

    @property
    def vectors(self) -> nn.Parameter | None:
        """None: there is no vector for each token."""
        return None

    def share(self, vectors: nn.Parameter) -> None:
        """Refuse to share token embeddings: there are none."""
        raise AssertionError("a front end for sound has no token embeddings")

    def rows(self) -> tuple[str, ...]:
        """Return no names: no weight has a row for each token."""
        return ()

    def positions(self, lengths: Tensor) -> Tensor:
        """Return the number of vectors for recordings of these lengths, [B]."""
        return halved(halved(self.windows(lengths)))

    def windows(self, lengths: Tensor) -> Tensor:
        """Return the number of windows of recordings of these lengths, [B]."""
        return 1 + (lengths - self.window).clamp(min=0) // self.hop

    def read(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors of recordings, [B, S, E], and the number of vectors of each, [B].

        Args:
            values: 16-bit samples, padded, [B, N].
            lengths: the number of samples of each recording, [B], on the CPU.
        """
        settings = self.settings
        samples = values.float() / FULL_SCALE
        samples = emphasize(samples, lengths, settings.emphasis)
        if self.training:
            samples, lengths = change_speed(samples, lengths, settings.speed)
            samples, lengths = add_silence(
                samples, lengths, round(settings.silence * self.sample_rate)
            )
            samples = filter_at_random(samples, lengths, settings.tone)
            samples = add_noise(samples, lengths, settings.noise, settings.tone)
        features, lengths = self.features(samples, lengths)
        if self.training:
            features = self._masked(self._warped(features), lengths)
        vectors, lengths = self.halve(features, lengths)
        return self.dropout(self.norm(vectors)), lengths

    def features(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return normalized log-mel features, [B, T, F], and the number of windows of each, [B].

        Windows do not reach beyond the recording. The features of a recording have mean 0 and
        variance 1, in each band or over all bands (`normalize`); padding is 0.

        Args:
            samples: from -1 to 1, padded, [B, N].
            lengths: the number of samples of each recording, [B].
        """
        with torch.autocast(samples.device.type, enabled=False):
            logs, counts = self.log_mel(samples.float(), lengths)
            mask = length_mask(counts, logs.shape[1], logs.device)[..., None]
            dims = (1, 2) if self.settings.normalize == "volume" else (1,)
            return normalize(logs, mask, dims), counts

    def log_mel(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return ln(max(p + f m, 1e-10)), [B, T, F], and the number of windows of each, [B].

        p is the power of a mel band in a window: |FFT|^2 under a Hann taper. m is the mean power of
        the recording over its bands and windows, and f is `floor`. A recording shorter than a
        window is padded with silence.
        """
        short = max(0, self.window - samples.shape[1])
        windows = F.pad(samples, (0, short)).unfold(1, self.window, self.hop)  # [B, T, window]
        spectrum = torch.fft.rfft(windows * self.taper, self.fft_size)
        power = spectrum.real.square() + spectrum.imag.square()  # [B, T, fft / 2 + 1]
        bands = power @ self.filters  # [B, T, F]
        counts = self.windows(lengths)
        mask = length_mask(counts, bands.shape[1], bands.device)[..., None]
        loudness = (bands * mask).sum((1, 2), keepdim=True) / (mask.sum(1, True) * bands.shape[2])
        logs = (bands + self.settings.floor * loudness).clamp(min=FLOOR).log()
        return logs, counts

    def _warped(self, features: Tensor) -> Tensor:
        """Stretch the frequencies of each recording by a random factor."""
        settings = self.settings
        if not settings.warp:
            return features
        draws = torch.rand(len(features), 1, device=features.device)
        factors = 1 + settings.warp * (2 * draws - 1)  # [B, 1]
        return stretch_bands(features, factors, self.sample_rate)

    def _masked(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Set random spans of time and of bands to 0, the mean."""
        settings = self.settings
        batch, _, bands = features.shape
        lengths = lengths.to(features.device, non_blocking=True)
        for _ in range(settings.time_masks):
            spans = random_spans(lengths, settings.time_mask_share, features.shape[1])
            features = features.masked_fill(spans[:, :, None], 0.0)
        of_bands = torch.full((batch,), bands, device=features.device)
        for _ in range(settings.band_masks):
            spans = random_spans(of_bands, settings.band_mask_share, bands)
            features = features.masked_fill(spans[:, None, :], 0.0)
        return features


class ConvHalving(nn.Module):
    """Five 3 x 3 convolutions over time and bands, and a projection.

    The first and the third convolution halve time and bands, the fifth halves the bands.
    """

    def __init__(self, bands: int, channels: int, output_dim: int) -> None:
        super().__init__()
        widths = (1, channels, channels, 2 * channels, 2 * channels, 4 * channels)
        strides = ((2, 2), (1, 1), (2, 2), (1, 1), (1, 2))
        self.layers = nn.ModuleList(
            ConvLayer(before, after, stride)
            for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True)
        )
        self.project = make_linear(4 * channels * halved(halved(halved(bands))), output_dim)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Map features [B, T, F] to [B, T / 4, E]; return also the new lengths."""
        states = features[:, None]  # [B, C, T, F]
        for layer in self.layers:
            states, lengths = layer(states, lengths)
        return self.project(states.transpose(1, 2).flatten(2)), lengths


class ConvLayer(nn.Module):
    """A 3 x 3 convolution, batch normalization, and ReLU."""

    def __init__(self, input_dim: int, dim: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(input_dim, dim, 3, stride=stride, padding=1, bias=False)
        self.norm = BatchNorm(dim)
        self.halves_time = stride[0] == 2

    def forward(self, states: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Map states [B, C, T, F] and lengths [B] to those after the stride; padding is 0."""
        lengths = halved(lengths) if self.halves_time else lengths
        states = self.conv(states)
        mask = length_mask(lengths, states.shape[2], states.device)[:, None, :, None]
        return self.norm(states, mask).relu() * mask, lengths


class PyramidHalving(nn.Module):
    """Two bidirectional LSTM layers that each join pairs of positions (Chan et al. 2016, eq. 5)."""

    def __init__(self, bands: int, output_dim: int) -> None:
        super().__init__()
        widths = (bands, output_dim)
        self.layers = nn.ModuleList(
            make_recurrence("lstm", 2 * width, output_dim // 2, 1, bidirectional=True, dropout=0.0)
            for width in widths
        )

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Map features [B, T, F] to [B, T / 4, E]; return also the new lengths."""
        states = features
        for layer in self.layers:
            lengths = halved(lengths)
            batch, width, dim = states.shape
            pairs = F.pad(states, (0, 0, 0, width % 2)).view(batch, -1, 2 * dim)
            assert isinstance(layer, nn.LSTM)
            states, _ = run(layer, pairs, lengths)
        return states, lengths


def emphasize(samples: Tensor, lengths: Tensor, share: float) -> Tensor:
    """Raise high frequencies: return x_n - share x_(n-1) for samples x_n, [B, N]."""
    before = F.pad(samples, (1, 0))[:, :-1]
    return (samples - share * before) * length_mask(lengths, samples.shape[1], samples.device)


Length = TypeVar("Length", int, Tensor)


def halved(length: Length) -> Length:
    """Return half of a length, rounded up."""
    return (length + 1) // 2


def normalize(logs: Tensor, mask: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Scale each recording to mean 0 and variance 1 over some dimensions; padding becomes 0.

    Args:
        logs: log-mel features, [B, T, F].
        mask: True at real windows, [B, T, 1].
        dims: (1,) scales each band by itself, (1, 2) all bands together.
    """
    count = mask.expand_as(logs).sum(dims, keepdim=True)
    centered = (logs - (logs * mask).sum(dims, keepdim=True) / count) * mask
    variance = centered.square().sum(dims, keepdim=True) / count
    return centered / (variance + 1e-5).sqrt()


def stretch_bands(features: Tensor, factors: Tensor, sample_rate: int) -> Tensor:
    """Stretch frequencies: the band at f hertz gets the value at f times the factor, [B, T, F].

    Values between bands are interpolated linearly. Beyond the first and last band, their values are
    repeated.

    Args:
        features: log-mel features, [B, T, F].
        factors: one for each recording, [B, 1].
        sample_rate: samples per second.
    """
    bands, highest = features.shape[2], mel_of(sample_rate / 2)
    mels = torch.arange(1, bands + 1, device=features.device) * highest / (bands + 1)
    hertz = 700 * (10 ** (mels / 2595) - 1)
    stretched = 2595 * (1 + hertz * factors / 700).log10()  # in mel, [B, F]
    places = (stretched * (bands + 1) / highest - 1).clamp(0, bands - 1)
    below = places.long()
    above = (below + 1).clamp(max=bands - 1)
    share = (places - below)[:, None].to(features.dtype)
    ends = [index[:, None].expand_as(features) for index in (below, above)]
    return torch.lerp(features.gather(2, ends[0]), features.gather(2, ends[1]), share)


def mel_of(hertz: float) -> float:
    """Return a frequency in mel: 2595 log10(1 + f / 700) (O'Shaughnessy 1987)."""
    return 2595 * math.log10(1 + hertz / 700)


def mel_filters(fft_size: int, bands: int, sample_rate: int) -> Tensor:
    """Return triangular filters of height 1, evenly spaced in mel from 0 to half the rate.

    Args:
        fft_size: size of the FFT, in samples.
        bands: the number of filters.
        sample_rate: samples per second.

    Returns:
        The weight of each frequency in each band, [fft_size / 2 + 1, bands].
    """
    most = mel_of(sample_rate / 2)
    mels = torch.linspace(0, most, bands + 2, dtype=torch.float64, device="cpu")
    edges = 700 * (10 ** (mels / 2595) - 1)  # of the bands, in hertz
    frequencies = torch.linspace(
        0, sample_rate / 2, fft_size // 2 + 1, dtype=torch.float64, device="cpu"
    )[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0).float()


def change_speed(samples: Tensor, lengths: Tensor, speed: float) -> tuple[Tensor, Tensor]:
    """Multiply tempo and pitch by a random factor from 1 - speed to 1 + speed per recording.

    Values between samples are interpolated linearly.

    Args:
        samples: padded samples, [B, N].
        lengths: the number of samples of each recording, [B], on the CPU.
        speed: the largest change; 0 changes nothing.

    Returns:
        The new samples and lengths.
    """
    if not speed:
        return samples, lengths
    factors = 1 + speed * (2 * torch.rand(lengths.shape) - 1)  # [B], on the CPU
    lengths = (lengths / factors).long().clamp(min=1)
    times = torch.arange(int(lengths.max()), device=samples.device)
    places = times * factors.to(samples.device)[:, None]  # [B, N']
    before = places.long().clamp(max=samples.shape[1] - 1)
    after = (before + 1).clamp(max=samples.shape[1] - 1)
    share = (places - before).clamp(max=1).to(samples.dtype)
    played = torch.lerp(samples.gather(1, before), samples.gather(1, after), share)
    return played * length_mask(lengths, played.shape[1], played.device), lengths


def add_silence(samples: Tensor, lengths: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Add up to `most` samples of silence, at random, before and after each recording.

    Args:
        samples: padded samples, [B, N].
        lengths: the number of samples of each recording, [B], on the CPU.
        most: the maximum silence on each side, in samples; 0 adds none.

    Returns:
        The new samples and lengths.
    """
    if not most:
        return samples, lengths
    before = torch.randint(most + 1, lengths.shape)
    longer = lengths + before + torch.randint(most + 1, lengths.shape)
    index = (
        torch.arange(int(longer.max()), device=samples.device) - before.to(samples.device)[:, None]
    )
    inside = (index >= 0) & (index < lengths.to(samples.device, non_blocking=True)[:, None])
    padded = samples.gather(1, index.clamp(0, samples.shape[1] - 1)) * inside
    return padded, longer


def filter_at_random(samples: Tensor, lengths: Tensor, spread: float) -> Tensor:
    """Amplify and damp the frequencies of each recording by a random smooth curve, [B, N].

    The curve is piecewise linear in decibels, between 6 points evenly spaced in frequency.

    Args:
        samples: padded samples, [B, N].
        lengths: the number of samples of each recording, [B].
        spread: the standard deviation of the points, in decibels; 0 changes nothing.
    """
    if not spread:
        return samples
    width = samples.shape[1]
    spectrum = torch.fft.rfft(samples, 1 << (width - 1).bit_length())  # [B, K]
    points = spread * torch.randn(len(samples), 1, GAINS, device=samples.device)
    decibels = F.interpolate(points, spectrum.shape[1], mode="linear", align_corners=True)
    filtered: Tensor = torch.fft.irfft(spectrum * 10 ** (decibels[:, 0] / 20))[:, :width]
    return filtered * length_mask(lengths, width, samples.device)


def add_noise(samples: Tensor, lengths: Tensor, most: float, spread: float) -> Tensor:
    """Add noise with a random spectrum to each recording, [B, N].

    The logarithm of the noise's share of the volume is uniform, from that of 0.01, or of `most` if
    it is smaller, to that of `most`.

    Args:
        samples: padded samples, [B, N].
        lengths: the number of samples of each recording, [B].
        most: the largest share of the recording's volume; 0 adds no noise.
        spread: the standard deviation of the noise's spectrum, in decibels (`filter_at_random`).
    """
    if not most:
        return samples
    mask = length_mask(lengths, samples.shape[1], samples.device)
    noise = filter_at_random(torch.randn_like(samples) * mask, lengths, spread)
    least = min(QUIET, most)
    share = least * (most / least) ** torch.rand(len(samples), 1, device=samples.device)
    return samples + noise * share * (_power(samples) / _power(noise).clamp(min=FLOOR)).sqrt()


def _power(samples: Tensor) -> Tensor:
    return samples.square().sum(1, keepdim=True)


def random_spans(lengths: Tensor, share: float, width: int) -> Tensor:
    """Return a mask that is True in one random span of each row, [B, width].

    The length of a span is uniform from 0 to `share` of the row's length. Its start is uniform over
    the positions where it fits into the row.

    Args:
        lengths: the lengths of the rows, [B].
        share: the longest span, as a share of the row.
        width: the number of positions in a row of the mask.
    """
    draws = torch.rand(2, len(lengths), device=lengths.device)
    sizes = (draws[0] * ((lengths * share).long() + 1)).long()
    starts = (draws[1] * (lengths - sizes + 1)).long()
    positions = torch.arange(width, device=lengths.device)
    return (positions >= starts[:, None]) & (positions < (starts + sizes)[:, None])
