import copy
import pickle
from pathlib import Path

import numpy as np

from s2scli.data.codecs.cell import BadCellError, Relative, Stored, beside, key_of, located


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


def test_a_cell_of_a_table_is_looked_up_beside_it_first(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    cells = [beside(name, tmp_path) for name in ("a.wav", "b.wav", "data:audio/wav;base64,")]
    for again in (cells, copy.deepcopy(cells), pickle.loads(pickle.dumps(cells))):
        assert again == ["a.wav", "b.wav", "data:audio/wav;base64,"], "the text is the cell"
        assert [located(cell, None) for cell in again] == [str(tmp_path / "a.wav"), *again[1:]]
    assert not isinstance(beside("a.wav", None), Relative), "stdin is in no folder"


def test_a_cell_has_one_folder_and_a_cell_that_was_read_none(tmp_path: Path) -> None:
    stored, relative = Stored("a.wav", np.zeros(3, np.int16)), Relative("a.wav", tmp_path)
    assert beside(stored, tmp_path) is stored
    assert beside(relative, tmp_path / "other") is relative
