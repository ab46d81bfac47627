"""Damage to token ids: its laws, its rates, and that chance comes from the generator alone."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from s2scli.data.example import TokenIds
from s2scli.data.noise import damage, drop_tokens
from s2scli.data.settings import NoiseSettings
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID

FIRST = EOS_ID + 1
KINDS = {
    "permute": NoiseSettings(permute=3),
    "span": NoiseSettings(span=0.3),
    "delete": NoiseSettings(delete=0.1),
    "mask": NoiseSettings(mask=0.1),
    "all": NoiseSettings(permute=3, span=0.3, delete=0.1, mask=0.1),
}
each_kind = pytest.mark.parametrize("noise", KINDS.values(), ids=KINDS.keys())


def texts(count: int = 400, longest: int = 20) -> list[TokenIds]:
    """Return texts in which no token stands twice, some of them of a single token."""
    lengths = np.random.default_rng(3).integers(1, longest + 1, count)
    ends = FIRST + np.cumsum(lengths)
    return [
        np.arange(end - length, end, dtype=np.int32)
        for end, length in zip(ends, lengths, strict=True)
    ]


def damaged(rows: Sequence[TokenIds], noise: NoiseSettings, seed: int = 1) -> list[list[int]]:
    return [row.tolist() for row in damage(rows, noise, np.random.default_rng(seed))]


@each_kind
def test_each_text_keeps_to_itself_and_grows_no_longer(noise: NoiseSettings) -> None:
    rows = texts()
    new = damaged(rows, noise)
    assert len(new) == len(rows)
    for old, row in zip(rows, new, strict=True):
        assert len(row) <= len(old)
        known = [id for id in row if id != UNK_ID]
        assert set(known) <= set(old.tolist())
        assert len(set(known)) == len(known)
        assert noise.permute or known == sorted(known)


@each_kind
def test_chance_comes_from_the_generator(noise: NoiseSettings) -> None:
    rows = texts()
    assert damaged(rows, noise) == damaged(rows, noise) != damaged(rows, noise, seed=2)


@each_kind
def test_the_texts_themselves_stay_as_they_are(noise: NoiseSettings) -> None:
    rows = texts()
    for row in rows:
        row.flags.writeable = False  # as views of a file are
    damaged(rows, noise)


def test_no_noise_changes_nothing() -> None:
    rows = texts()
    new = damage(rows, NoiseSettings(), np.random.default_rng(1))
    assert [row.tolist() for row in new] == [row.tolist() for row in rows]
    assert {row.dtype for row in new} == {np.dtype(np.int32)}


@pytest.mark.parametrize("distance", [1, 3])
def test_tokens_move_by_no_more_than_the_distance(distance: int) -> None:
    moves: set[int] = set()
    for old, row in zip(texts(), damaged(texts(), NoiseSettings(permute=distance)), strict=True):
        assert sorted(row) == old.tolist()
        moves |= {abs(position - (id - int(old[0]))) for position, id in enumerate(row)}
    assert moves == set(range(distance + 1))


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_so_many_tokens_are_deleted_or_hidden(rate: float) -> None:
    total = sum(map(len, texts(2000)))
    left = sum(map(len, damaged(texts(2000), NoiseSettings(delete=rate))))
    assert left / total == pytest.approx(1 - rate, abs=0.015)
    masked = damaged(texts(2000), NoiseSettings(mask=rate))
    assert sum(row.count(UNK_ID) for row in masked) / total == pytest.approx(rate, abs=0.015)


def masked_rates(noise: NoiseSettings, length: int, count: int) -> list[float]:
    """Return how often each position of texts of one length is hidden."""
    rows = [np.arange(FIRST, FIRST + length, dtype=np.int32)] * count
    seen = np.zeros(length)
    for row in damaged(rows, noise):
        seen[[id - FIRST for id in row if id != UNK_ID]] += 1
    return [1 - float(share) / count for share in seen]


@pytest.mark.parametrize(("share", "mean_length"), [(0.3, 3.0), (0.5, 1.0), (0.15, 6.0)])
def test_spans_hide_their_share_at_every_position(share: float, mean_length: float) -> None:
    rates = masked_rates(NoiseSettings(span=share, span_length=mean_length), 10, 20_000)
    assert rates == pytest.approx([share] * 10, abs=0.015)


def test_a_span_becomes_one_unknown_token() -> None:
    noise = NoiseSettings(span=0.2)
    hidden = [0, 0]
    for old, row in zip(texts(2000), damaged(texts(2000), noise), strict=True):
        assert [UNK_ID, UNK_ID] not in [row[index : index + 2] for index in range(len(row))]
        hidden[0] += row.count(UNK_ID)
        hidden[1] += len(old) - sum(id != UNK_ID for id in row)
    assert 2.5 < hidden[1] / hidden[0] < 3.0 + math.exp(-3.0), "cut short where a text ends"


@pytest.mark.parametrize("noise", [NoiseSettings(span=0.99), NoiseSettings(delete=0.99)])
def test_texts_may_vanish(noise: NoiseSettings) -> None:
    new = damaged(texts(50, longest=2), noise)
    assert len(new) == 50
    assert {len(row) for row in new} <= {0, 1, 2}


def test_tokens_are_dropped_at_their_rate_and_special_ones_never() -> None:
    ids = torch.randint(FIRST, 50, (200, 40))
    ids[:, 0], ids[:, -2], ids[:, -1] = BOS_ID, EOS_ID, PAD_ID
    new = drop_tokens(ids, 0.3, np.random.default_rng(1))
    assert torch.equal(new[:, [0, -2, -1]], ids[:, [0, -2, -1]])
    dropped = new == UNK_ID
    assert float(dropped[:, 1:-2].float().mean()) == pytest.approx(0.3, abs=0.02)
    assert torch.equal(new[~dropped], ids[~dropped])
    assert torch.equal(new, drop_tokens(ids, 0.3, np.random.default_rng(1)))
    assert not torch.equal(new, drop_tokens(ids, 0.3, np.random.default_rng(2)))
    assert drop_tokens(ids, 0.0, np.random.default_rng(1)) is ids
    assert bool((drop_tokens(ids, 1.0, np.random.default_rng(1))[:, 1:-2] == UNK_ID).all())
