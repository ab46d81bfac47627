import numpy as np

from s2scli.data.codecs.cell import BadCellError, Stored


def test_a_stored_cell_is_its_name_and_has_values() -> None:
    values = np.arange(3, dtype=np.int16)
    cell = Stored("a.wav", values)
    assert cell == "a.wav" and hash(cell) == hash("a.wav")
    assert cell.values is values


def test_a_bad_cell_has_a_reason_and_a_message() -> None:
    error = BadCellError("missing", "a.wav: no such file")
    assert (error.reason, str(error)) == ("missing", "a.wav: no such file")
