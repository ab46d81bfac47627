import numpy as np
import pytest

from s2scli.pipeline.evaluate_latent import pca_error


def test_components_keep_what_varies() -> None:
    random = np.random.default_rng(0)
    directions = random.normal(size=(2, 6)).astype(np.float32)
    train = random.normal(size=(50, 2)).astype(np.float32) @ directions + np.float32(0.3)
    others = random.normal(size=(20, 2)).astype(np.float32) @ directions + np.float32(0.3)
    assert pca_error(train, others, 2) == pytest.approx(0, abs=1e-9)
    assert pca_error(train, others, 1) > 0.01


def test_the_error_is_that_of_the_leading_eigenvectors() -> None:
    random = np.random.default_rng(1)
    train, others = (random.normal(size=(rows, 4)).astype(np.float32) for rows in (30, 5))
    mean = train.mean(0)
    _, vectors = np.linalg.eigh(np.cov(train.T))
    kept = vectors[:, -2:]
    decoded = mean + (others - mean) @ kept @ kept.T
    assert pca_error(train, others, 2) == pytest.approx(np.square(others - decoded).mean())
