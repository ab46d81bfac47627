import copy
import pickle

import numpy as np

from s2scli.data.codecs.cell import BadCellError, Stored, key_of


def test_a_stored_cell_is_its_name() -> None:
    cell = Stored("a/b.wav", np.zeros(3, np.int16))
    assert isinstance(cell, str) and str(cell) == "a/b.wav"
    assert cell == "a/b.wav" == Stored("a/b.wav", np.ones(5, np.int16))
    assert cell != Stored("a/c.wav", np.zeros(3, np.int16))
    assert hash(cell) == hash("a/b.wav") and {"a/b.wav": 1}[cell] == 1


def test_a_stored_cell_keeps_its_values() -> None:
    pixels = np.zeros((2, 3, 1), np.uint8)
    assert Stored("a.png", pixels).values is pixels


def test_a_key_is_the_text_or_the_name_and_the_content() -> None:
    assert key_of("a text") == "a text"
    contents = {"a.wav": [1, 2], "b.wav": [1, 2]}
    keys = [key_of(Stored(name, np.array(values, np.int16))) for name, values in contents.items()]
    keys += [key_of(Stored("a.wav", np.array([1, 3], np.int16)))]
    assert len({*keys}) == 3
    assert keys[0] == key_of(Stored("a.wav", np.array([1, 2], np.int16)))


def test_a_bad_cell_has_a_reason_and_a_message() -> None:
    error = BadCellError("too_short", "a.wav: no samples")
    assert error.reason == "too_short" and str(error) == "a.wav: no samples"


def test_copies_keep_the_content() -> None:
    cell = Stored("a.wav", np.array([1, 2], np.int16))
    for again in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert isinstance(again, Stored) and again == cell
        assert again.values.tolist() == [1, 2] and again.values.dtype == np.int16
