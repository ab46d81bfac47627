"""What becomes of the texts, recordings and pictures of requests."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data.codecs.image import ImageCodec
from s2scli.data.codecs.picture_files import data_uri, encode_png
from s2scli.data.codecs.sound_files import encode_wav
from s2scli.data.stream import Line, StreamSettings
from s2scli.pipeline.serve import insights_of
from s2scli.report.attention import END
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.settings import SearchSettings
from s2scli.serve.markup import TAG
from s2scli.serve.models import Insights
from s2scli.serve.service import LINE_BREAK, with_alternatives
from s2scli.sides import Picture, Sides
from s2scli.special_ids import EOS_ID
from s2scli.translation import torch_engine
from s2scli.translation.translator import Translator
from tests.pictures import picture, write_picture_model
from tests.serve.serving import app_of, send, served, service_of
from tests.sounds import RATE, ToneCodec, ToneEngine, saying, silence, tone_translator
from tests.translation.stub import StubEngine, WordCodec, stub_translator

LANGUAGES = {"source": "en", "target": "de"}
APP = app_of(service_of(max_characters=100, max_lines=5, max_inspected=20))


def translated(**body: object) -> Any:
    return send(APP, "POST", "/translate", json={**LANGUAGES, **body}).json()


def test_a_list_is_answered_with_a_list() -> None:
    assert translated(q="a dog") == {"translatedText": "A DOG"}
    assert translated(q=["a", "", "b"]) == {"translatedText": ["A", "", "B"]}
    assert translated(q=[]) == {"translatedText": []}


def test_line_breaks_stay() -> None:
    assert translated(q="a\r\nb\n\n c") == {"translatedText": "A\r\nB\n\n C"}


def test_tags_stay() -> None:
    found = translated(q="<p>a <b>dog</b> &amp; cat</p>", format="html")
    assert found == {"translatedText": "<p>A <b>DOG</b> &amp; CAT</p>"}


def test_alternatives_are_those_of_all_lines() -> None:
    found = translated(q="a\n\nb", alternatives=2)
    assert found == {"translatedText": "A\n\nB", "alternatives": ["A!\n\nB!", "A!!\n\nB!!"]}
    assert translated(q=["a"], alternatives=1)["alternatives"] == [["A!"]]
    assert translated(q=" ", alternatives=1) == {"translatedText": "", "alternatives": []}


def test_a_detected_language_is_told() -> None:
    found = translated(q=["A dog runs."], source="auto")
    (detected,) = found["detectedLanguage"]
    assert detected["language"] == "en"
    assert 50 < detected["confidence"] <= 100


def test_the_language_of_html_is_that_of_its_texts() -> None:
    models = [served(name, source=name, target="it") for name in ("en", "de")]
    app = app_of(service_of(*models))
    tag = '<p style="text-align: center" class="home page"><a href="/index.html" title="more">'
    for q, format in (("Guten Tag", "text"), (f"{tag}Guten Tag</a></p>", "html")):
        body = {"q": q, "source": "auto", "target": "it", "format": format}
        found = send(app, "POST", "/translate", json=body).json()
        assert found["detectedLanguage"]["language"] == "de"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"q": "a" * 101}, 413, "max_characters: at most 100 here, found 101"),
        ({"q": ["a" * 60] * 2}, 413, "max_characters: at most 100 here, found 120"),
        ({"q": "a\n" * 5}, 413, "max_lines: at most 5 here, found 6"),
        ({"q": [""] * 6}, 413, "max_lines: at most 5 here, found 6"),
        ({"q": "<b>a</b>" * 6, "format": "html"}, 413, "max_lines: at most 5 here, found 6"),
        ({"q": "a", "alternatives": 5}, 413, "max_alternatives: at most 4 here, found 5"),
        ({"q": "fine\nboom"}, 500, "q: the model failed at line 2 of 2"),
        ({"q": "a", "target": "fr"}, 400, "source, target, model: not served; expected one of"),
    ],
)
def test_refusals(body: dict[str, object], status: int, error: str) -> None:
    answer = send(APP, "POST", "/translate", json={**LANGUAGES, **body})
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)


def test_a_token_is_needed_where_there_is_one() -> None:
    token = "a secret that is long"
    app = app_of(service_of(token=token))
    body = {"q": "a", **LANGUAGES}
    for key in ({}, {"api_key": "wrong"}, {"api_key": "ä"}, {"api_key": None}):
        answer = send(app, "POST", "/translate", json={**body, **key})
        assert answer.status_code == 403
        assert answer.json()["error"].startswith("api_key: missing or wrong")
    bearer = {"authorization": f"Bearer {token}"}
    for more in ({"json": {**body, "api_key": token}}, {"json": body, "headers": bearer}):
        assert send(app, "POST", "/translate", **more).status_code == 200
    assert send(app, "GET", "/metrics").status_code == 403
    assert send(app, "GET", "/metrics", headers=bearer).status_code == 200
    assert send(app, "GET", "/languages").status_code == 200


def test_a_look_has_maps_and_alternatives() -> None:
    found = send(APP, "POST", "/s2s/look", json={"q": "a\ndog", "alternatives": 1}).json()
    assert [one["text"] for one in found["hypotheses"]] == ["A DOG", "A DOG!"]
    assert found["hypotheses"][0]["attention"]["source_pieces"] == ["a", "dog", "</s>"]
    long = send(APP, "POST", "/s2s/look", json={"q": "a" * 21})
    assert long.json() == {"error": "max_inspected: at most 20 here, found 21"}


def test_insights_are_shown_or_refused() -> None:
    insights = Insights(search=lambda text: {"of": text}, between=lambda a, b: [a, b])
    app = app_of(service_of(served(insights=insights)))
    assert send(app, "POST", "/s2s/inspect/search", json={"q": "a\nb"}).json() == {"of": "a b"}
    refused = send(app, "POST", "/s2s/inspect/saliency", json={"q": "a"})
    assert refused.json() == {"error": "model: en-de cannot show its saliency here"}
    way = send(app, "POST", "/s2s/between", json={"first": "a", "second": "b"})
    assert way.json() == {"outputs": ["a", "b"]}
    refused = send(APP, "POST", "/s2s/between", json={"first": "a", "second": "b"})
    assert "no such model with a single vector" in refused.json()["error"]
    assert send(APP, "POST", "/s2s/inspect/other", json={"q": "a"}).status_code == 404


SOUND = app_of(service_of(served("tones", tone_translator()), max_sound=2))


def transcribed(content: bytes, **fields: str) -> tuple[int, str]:
    files = {"file": ("a.wav", content)}
    answer = send(SOUND, "POST", "/v1/audio/transcriptions", files=files, data=fields)
    return answer.status_code, answer.text


def test_recordings_are_transcribed() -> None:
    low, high = (encode_wav(saying(word), RATE) for word in ("low", "high"))
    assert transcribed(low) == (200, '{"text":"low"}')
    assert transcribed(high, model="tones", response_format="text") == (200, "high\n")
    assert transcribed(encode_wav(silence(1), RATE)) == (200, '{"text":""}')


def test_the_duration_of_a_recording_includes_its_silence() -> None:
    for samples in (np.concatenate([saying("low"), silence(0.55)]), silence(1.25)):
        status, text = transcribed(encode_wav(samples, RATE), response_format="verbose_json")
        assert (status, json.loads(text)["duration"]) == (200, len(samples) / RATE)


def test_a_server_that_finds_sentences_transcribes_recordings_whole() -> None:
    service = replace(
        service_of(served("tones", tone_translator())), stream=StreamSettings(unit="sentence")
    )
    files = {"file": ("a.wav", encode_wav(saying("low"), RATE))}
    answer = send(app_of(service), "POST", "/v1/audio/transcriptions", files=files)
    assert (answer.status_code, answer.text) == (200, '{"text":"low"}')


@pytest.mark.parametrize(
    ("content", "fields", "status", "error"),
    [
        (b"/etc/passwd", {}, 400, "file: not a sound file, expected a sound file"),
        (b"", {}, 400, "file: an empty file"),
        (encode_wav(saying("low low low low low low low"), RATE), {}, 413, "max_sound: "),
        (b"", {"model": "whisper-1"}, 400, "model: no such model that reads recordings"),
        (b"", {"response_format": "pdf"}, 400, "response_format: Input should be 'json'"),
    ],
)
def test_a_wrong_recording_is_refused(
    content: bytes, fields: dict[str, str], status: int, error: str
) -> None:
    found, text = transcribed(content, **fields)
    assert (found, error in text) == (status, True), text
    assert base64.b64encode(content).decode()[:20] not in text or not content


@pytest.mark.parametrize("settings", [{}, {"beam_size": 4, "beam_groups": 2}, {"mbr": 2}])
@pytest.mark.parametrize("alternatives", [0, 1, 4, 9])
def test_the_beam_holds_the_alternatives(settings: dict[str, int], alternatives: int) -> None:
    own = SearchSettings.model_validate(settings)
    found = with_alternatives(own, alternatives)
    assert found.n_best == alternatives + 1
    if alternatives < own.beam_size and not own.mbr:
        assert found.beam_size == own.beam_size


@given(st.text(st.sampled_from("a\r\n")))
def test_lines_and_breaks_are_the_text(text: str) -> None:
    parts = LINE_BREAK.split(text)
    assert "".join(parts) == text
    assert not any("\n" in line or "\r" in line for line in parts[::2])


class PieceCodec(WordCodec):
    """Words are pieces as SentencePiece has them."""

    def pieces(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> tuple[str, ...]:
        return tuple(one if one == END else f"▁{one}" for one in super().pieces(token_ids))


@dataclass
class Backwards(StubEngine):
    """Writes the words of a source backwards; `blur` makes it attend to the end alone."""

    max_source_tokens: int = 50
    codec: WordCodec = field(default_factory=PieceCodec)

    def _hypotheses(self, text: str, n_best: int, attention: bool) -> tuple[Hypothesis, ...]:
        words = text.split()
        backwards = " ".join(reversed(words))
        if "blur" in words:
            attended = [len(words)] * (len(words) + 1)
        else:
            attended = [*reversed(range(len(words))), len(words)]
        ids = (*self.codec.encode(backwards).tolist(), EOS_ID)
        weights = np.eye(len(ids), dtype=np.float32)[attended][:, None]
        found = Hypothesis(ids, -1.0, (-1.0,) * len(ids), weights if attention else None)
        return (found,) * n_best


def in_html(q: Any, engine: StubEngine | None = None, **more: Any) -> Any:
    """Return the answer of a model that writes backwards to HTML."""
    app = app_of(service_of(served(translator=stub_translator(engine or Backwards()))))
    body = {"q": q, **LANGUAGES, "format": "html", **more}
    return send(app, "POST", "/translate", json=body).json()


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("<p>I <b>really</b> like it</p>", "<p>it like <b>really</b> I</p>"),
        (
            '<ul>\n<li>six <a href="x">one <i>two</i></a> </li>\n<li>a b</li></ul>',
            '<ul>\n<li><a href="x"><i>two</i> one</a> six </li>\n<li>b a</li></ul>',
        ),
        ("<h1><b>a</b> b &amp; c</h1>", "<h1>c &amp; b <b>a</b></h1>"),
        ("a b<br>c <i>d</i>", "b a<br><i>d</i> c"),
        (
            "<p>a <span class='notranslate'>b <b>c</b></span> d e</p>",
            "<p>a <span class='notranslate'>b <b>c</b></span> e d</p>",
        ),
        (
            "<td>a <b>b</b></td><td>blur b <i>c d</i></td>",
            "<td><b>b</b> a</td><td>b blur <i>d c</i></td>",
        ),
        ("<p>a c<b>b d</b> e</p>", "<p>c a<b>d b</b> e</p>"),
        (
            "<script>a <b>b</b></script><style>c d</style>",
            "<script>a <b>b</b></script><style>c d</style>",
        ),
    ],
)
def test_blocks_of_html_are_translated_with_their_tags(q: str, expected: str) -> None:
    assert in_html(q) == {"translatedText": expected}
    assert in_html([q, "a b"]) == {"translatedText": [expected, "b a"]}


def test_the_texts_of_lost_blocks_alone_are_translated_again() -> None:
    engine = Backwards()
    in_html("<p>a <b>b</b></p><p>blur <i>c d</i></p>", engine)
    assert engine.batches == [["a b", "blur c d"], ["blur", "c d"]]
    plain = Backwards()
    in_html("<p>a b</p>", plain)
    assert plain.batches == [["a b"]]


def test_without_attention_each_text_is_translated_by_itself() -> None:
    engine = Backwards(attention_shape=None)
    assert in_html("<p>a b <b>c d</b></p>", engine) == {"translatedText": "<p>b a <b>d c</b></p>"}
    assert engine.batches == [["a b", "c d"]]


def test_all_alternatives_of_html_have_the_tags() -> None:
    found = in_html("<p>a <b>b</b></p>", alternatives=1)
    assert found["alternatives"] == [found["translatedText"]] == ["<p><b>b</b> a</p>"]


def test_a_model_that_has_seen_little_loses_no_tag(trained_workspace: Path) -> None:
    translator = torch_engine.load(trained_workspace / "model", device="cpu")
    app = app_of(service_of(served(translator=translator)))
    q = '<p>one <b>two</b> <a href="x">five <i>six</i></a></p> <p>seven <b>one</b></p>'
    body = {"q": q, **LANGUAGES, "format": "html"}
    found = send(app, "POST", "/translate", json=body).json()["translatedText"]
    tags = [[tag.group() for tag in TAG.finditer(text)] for text in (q, found)]
    assert sorted(tags[0]) == sorted(tags[1])
    assert [tag for tag in tags[1] if tag in ("<p>", "</p>")] == ["<p>", "</p>"] * 2


def test_a_picture_that_is_too_large_for_the_model_is_refused() -> None:
    shape = Picture(4, None, 1)
    engine = ToneEngine(max_source_tokens=10)
    translator = Translator(engine, ImageCodec(shape), ToneCodec(), Sides(shape))
    app = app_of(service_of(served("p", translator)))
    for width, status in ((40, 200), (44, 400)):
        png = encode_png(np.random.default_rng(0).integers(0, 256, (4, width, 1), np.uint8))
        answer = send(app, "POST", "/s2s/read/image", files={"file": ("a.png", png)})
        assert answer.status_code == status
    assert answer.json()["error"] == (
        "file: the picture is too large for the model, which accepts at most 10 patches; make it "
        "smaller"
    )


def test_pictures_are_read_and_written(tmp_path: Path) -> None:
    changes = ("model.attention={kind='none'}", "model.connection={kind='projected'}")
    folder = write_picture_model(tmp_path / "m", *changes, from_pictures=True)
    translator = torch_engine.load(folder, device="cpu")
    settings = translator.engine.settings
    insights = insights_of(translator, settings)
    app = app_of(service_of(served("p", translator, insights=insights)))
    png = encode_png(picture("left"))
    (tmp_path / "a.png").write_bytes(png)
    (expected,) = translator.translate([Line("", 1, str(tmp_path / "a.png"))])
    answer = send(app, "POST", "/s2s/read/image", files={"file": ("a.png", png)})
    assert answer.json()["hypotheses"][0]["text"] == expected.text
    assert expected.text.startswith("data:image/png;base64,")
    ends = {"first": data_uri(picture("left")), "second": data_uri(picture("right"))}
    way = send(app, "POST", "/s2s/between", json=ends).json()["outputs"]
    assert len(way) == 11
    assert way[0] == expected.text
    path = {"first": str(tmp_path / "a.png"), "second": str(tmp_path / "a.png")}
    refused = send(app, "POST", "/s2s/between", json=path)
    assert refused.json()["error"].startswith("first, second: expected pictures, as data:image/")
    refused = send(app, "POST", "/s2s/read/image", files={"file": ("a.png", b"x")})
    assert (refused.status_code, refused.json()["error"][:6]) == (400, "file: ")
