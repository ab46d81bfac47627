"""What a benchmark shows, and where it is kept."""

import json
from pathlib import Path

import pytest

from tests.bench.showing import DOCUMENTS, show


def test_documents_are_printed_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(DOCUMENTS, raising=False)
    show({"one": 1})
    assert json.loads(capsys.readouterr().out) == {"one": 1}
    path = tmp_path / "documents"
    monkeypatch.setenv(DOCUMENTS, str(path))
    show({"two": 2})
    show({"three": [3]})
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"two": 2}, {"three": [3]}]
    assert capsys.readouterr().out.splitlines() == lines
