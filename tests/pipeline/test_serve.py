"""What is served: models by name and language, their insights, and the token."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s2scli.data.stream import StreamSettings
from s2scli.errors import MissingInputError, UsageError
from s2scli.export.settings import EngineSettings
from s2scli.pipeline.generate import Writer
from s2scli.pipeline.inspect_saliency import Asked, inspect_saliency
from s2scli.pipeline.inspect_search import inspect_search
from s2scli.pipeline.serve import (
    ModelRequest,
    ServeRequest,
    check_origins,
    insights_of,
    load_models,
    read_token,
)
from s2scli.report.console import Talk
from s2scli.report.search_tree import tree_document
from s2scli.search.settings import GenerateSettings
from s2scli.serve.insight import map_document, search_document
from s2scli.serve.settings import RequestLimits, ServeSettings
from s2scli.sides import Sides, Sound
from s2scli.translation import torch_engine
from s2scli.translation.loading import EngineRequest
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace
from tests.folders import letters_of, write_model

LETTERS = letters_of(["abc de"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("w/model", ModelRequest(Path("w/model"))),
        ("small=w/model", ModelRequest(Path("w/model"), "small")),
        ("en-de=w/model", ModelRequest(Path("w/model"), "en-de", "en", "de")),
        ("small:en-de=w/model", ModelRequest(Path("w/model"), "small", "en", "de")),
        ("./a=b/model", ModelRequest(Path("./a=b/model"))),
        ("zh_Hant-en=m", ModelRequest(Path("m"), "zh_Hant-en", "zh_Hant", "en")),
    ],
)
def test_models_are_read(text: str, expected: ModelRequest) -> None:
    assert ModelRequest.read(text) == expected


@pytest.mark.parametrize("text", ["en-de=", "=w", "a b=w", "small:x=w", "a b:en-de=w", ":en-de=w"])
def test_a_wrong_model_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"-m {text}: expected DIR, NAME=DIR")):
        ModelRequest.read(text)


def test_others_need_a_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    assert read_token(None, local=True) == ""
    with pytest.raises(UsageError, match="others can connect to this address, so a token"):
        read_token(None, local=False)
    with pytest.raises(MissingInputError, match="token: cannot be read as a line of text"):
        read_token(file, local=True)
    for wrong in ("short", "two lines of\na long token", "a token with an ü in it"):
        file.write_text(wrong)
        with pytest.raises(UsageError, match="expected a line of at least 16 characters"):
            read_token(file, local=True)
    file.write_text("a token that is long\n")
    assert read_token(file, local=False) == "a token that is long"


def test_a_web_site_is_named_as_browsers_name_it() -> None:
    check_origins(["https://example.org", "http://localhost:8080"])
    check_origins(["https://[::1]:8443", "moz-extension://0a1b-2c", "*", "null"])
    for wrong in (
        *("https://example.org/", "https://example.org/page", "example.org", "https://"),
        *("https://Example.org", "https://example.org:443", "http://example.org:80", ""),
    ):
        with pytest.raises(UsageError, match=f"--cors {wrong}: expected a scheme and a host"):
            check_origins([wrong])


def test_the_engine_is_that_which_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, asked = write_model(tmp_path, LETTERS), []

    def load(workspace: object, models: object, request: EngineRequest, talk: object) -> Translator:
        asked.append(request)
        return torch_engine.load(folder, device="cpu")

    monkeypatch.setattr("s2scli.pipeline.serve.load_translator", load)
    engine = EngineSettings(engine="pytorch", int8=True, shortlist=True)
    own, limits, stream = ServeSettings(), RequestLimits(), StreamSettings()
    request = ServeRequest([ModelRequest(folder)], own, limits, {}, stream, engine)
    load_models(Workspace(tmp_path), request, Talk.silent())
    (found,) = asked
    assert (found.engine, found.int8, found.shortlist) == ("pytorch", True, True)


def test_insights_are_those_of_the_commands(tmp_path: Path) -> None:
    folder = write_model(tmp_path, LETTERS, scale=3.0)
    translator = torch_engine.load(folder, device="cpu")
    found = insights_of(translator, translator.engine.settings)
    assert found.names == ["search", "saliency"]
    assert found.search
    assert found.saliency
    tree = inspect_search([folder], "abc", {}, "cpu")
    assert found.search("abc") == search_document(tree)
    assert len(tree_document(tree)["ended"]) == len(found.search("abc")["ended"])
    asked = Asked("abc", test=False)
    expected = map_document(inspect_saliency(folder, asked, Talk.silent()).map)
    weights: Any = found.saliency("abc")["weights"]
    assert weights == [pytest.approx(row, abs=2e-3) for row in expected["weights"]]
    shorter = insights_of(translator, translator.settings({"max_length": 3}))
    assert shorter.saliency
    assert len(shorter.saliency("abc")["weights"]) <= 3 < len(weights)  # as it is translated


def test_saliency_of_a_model_that_writes_from_the_right_is_in_reading_order(
    tmp_path: Path,
) -> None:
    backwards = replace(LETTERS.texts[1], reverse=True)
    tokenizers = replace(LETTERS, target=backwards, joint=False)
    folder = write_model(tmp_path, tokenizers, scale=3.0)
    asked = Asked("abc", target="cab ba", test=False)
    found = inspect_saliency(folder, asked, Talk.silent()).map
    assert "".join(found.target_pieces[:-1]).replace("▁", " ").strip() == "cab ba"
    with pytest.raises(UsageError, match="--instead is for models that write from left to right"):
        inspect_saliency(folder, replace(asked, instead="c"), Talk.silent())


def test_saliency_needs_an_end_of_the_source(tmp_path: Path) -> None:
    endless = replace(LETTERS.texts[0], ends=False)
    folder = write_model(tmp_path, replace(LETTERS, source=endless, joint=False), scale=3.0)
    translator = torch_engine.load(folder, device="cpu")
    assert insights_of(translator, translator.engine.settings).names == ["search"]


def test_no_way_leads_between_files_of_sound(tmp_path: Path) -> None:
    folder = write_model(tmp_path, LETTERS, recipe="vae", scale=2.0)
    translator = torch_engine.load(folder, device="cpu")
    sound = replace(translator, sides=Sides(Sound(8000)))  # its sources are paths
    assert insights_of(translator, translator.engine.settings).between
    assert insights_of(sound, translator.engine.settings).between is None


def test_a_way_between_sentences_is_that_of_generate(tmp_path: Path) -> None:
    folder = write_model(tmp_path, LETTERS, recipe="vae", scale=2.0)
    translator = torch_engine.load(folder, device="cpu")
    found = insights_of(translator, translator.engine.settings)
    assert found.between
    writer = Writer.load(folder, "cpu")
    codes = writer.interpolate("abc", "ed", GenerateSettings(steps=11))
    expected = [one.text for one in writer.write(codes, translator.engine.settings)]
    assert found.between("abc", "ed") == expected
    with pytest.raises(UsageError, match="found empty text"):
        found.between("abc", " ")
