"""The page: one file that loads nothing else, and works in a browser."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from s2scli.data.codecs.sound_files import encode_wav
from s2scli.pipeline.serve import insights_of
from s2scli.serve.models import Insights
from s2scli.serve.page import PAGE, PAGE_HEADERS
from s2scli.serve.service import Service
from s2scli.translation import torch_engine
from tests.folders import letters_of, write_model
from tests.pictures import write_picture_model
from tests.serve.serving import app_of, running, send, served, service_of
from tests.sounds import RATE, saying, tone_translator

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


SLOW_MICROPHONE = """
const media = navigator.mediaDevices, ask = media.getUserMedia.bind(media);
window.asked = 0;
media.getUserMedia = async (options) => {
  window.asked++;
  await new Promise((done) => setTimeout(done, 500));
  return window.stream = await ask(options);
};
"""
LIVE = "window.stream && window.stream.getTracks()[0].readyState"
WIDTH = "document.documentElement.scrollWidth"
FLAGS = ("no-sandbox", "use-fake-device-for-media-stream", "use-fake-ui-for-media-stream")


def test_the_page_names_no_other_address() -> None:
    addresses = set(re.findall(r"""https?://[^\s"'<]+""", PAGE))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name space, which is never fetched
    assert re.findall(r"<(?:script|link|img|iframe)[^>]* (?:src|href)=\"(?!data:)", PAGE) == []
    assert "innerHTML" not in PAGE


def test_only_its_own_script_and_style_run() -> None:
    policy = PAGE_HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    answer = send(app_of(service_of()), "GET", "/")
    assert answer.headers["content-security-policy"] == policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text == PAGE


def test_every_control_has_a_label() -> None:
    for tag in re.findall(r"<(?:input|select|textarea)[^>]*>", PAGE):
        name = re.search(r'id="([^"]+)"', tag)
        assert name, tag
        labelled = f'for="{name[1]}"' in PAGE or "aria-label" in tag
        assert labelled or re.search(rf"<label>[^/]*{re.escape(tag)}", PAGE), tag


@pytest.fixture
def browser() -> Iterator[Any]:
    """A headless browser; its pages must not ask for anything but the server's."""
    if not CHROMIUM:
        pytest.skip("no Chromium here: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as play:
        started = play.chromium.launch(
            executable_path=CHROMIUM,
            args=[f"--{flag}" for flag in FLAGS],
        )
        yield started
        started.close()


def opened(browser: Any, address: str, faults: list[str], **options: Any) -> Any:
    """Open the page of a server; collect its errors, and what it asks of other addresses."""
    page = browser.new_page(**options)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: _check(asked.url, address, faults))
    page.goto(address)
    return page


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; the page forbids the scripts with which Playwright waits."""
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def _check(url: str, address: str, faults: list[str]) -> None:
    if not url.startswith((address, "data:", "blob:")):
        faults.append(url)


def services(tmp_path: Path) -> Service:
    """Models of texts, with all insights, and of tones and pictures."""
    folder = write_model(tmp_path / "texts", letters_of(["a dog runs ."]), scale=3.0)
    texts = torch_engine.load(folder, device="cpu")
    insights = insights_of(texts, texts.engine.settings)
    between = Insights(between=lambda first, second: [first, "halfway", second])
    drawn = torch_engine.load(
        write_picture_model(tmp_path / "pictures", from_pictures=True), device="cpu"
    )
    return service_of(
        *(served("louder"), served("texts", texts, insights=insights)),
        served("walk", insights=between),
        *(served("tones", tone_translator()), served("pictures", drawn)),
    )


@pytest.mark.slow
def test_a_text_is_translated_while_it_is_typed(browser: Any, tmp_path: Path) -> None:
    faults: list[str] = []
    with running(services(tmp_path)) as address:
        page = opened(browser, address, faults)
        page.get_by_label("Text", exact=True).fill("a dog runs")
        page.wait_for_selector("#out .word")
        assert page.inner_text("#out") == page.inner_text("#spoken") == "A DOG RUNS"
        page.get_by_label("DOG, from dog").focus()
        shades = page.eval_on_selector_all(
            "#seen .word", "all => all.map(one => Number(one.style.getPropertyValue('--w')))"
        )
        assert shades == [0, 1, 0, 0]
        assert page.get_by_role("radio").count() == 4
        page.get_by_role("radio").nth(1).check()
        assert page.inner_text("#out") == "A DOG RUNS!"
        page.get_by_role("tab", name="Alignment").press("ArrowRight")
        assert page.get_by_role("tab", selected=True).inner_text() == "Attention"
        assert page.get_by_role("region", name="Attention weights").is_visible()
        page.get_by_label("Model", exact=True).select_option(label="English to German (texts)")
        page.get_by_role("tab", name="Beam search").click()
        page.wait_for_selector(".tree li")
        page.get_by_role("tab", name="Saliency").click()
        page.get_by_role("region", name="Saliency").wait_for()
        page.get_by_label("Text", exact=True).fill("")
        until(lambda: not page.inner_text("#out"))
    assert faults == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(
    browser: Any, width: int, scheme: str, tmp_path: Path
) -> None:
    faults: list[str] = []
    size = {"width": width, "height": 800}
    with running(services(tmp_path)) as address:
        page = opened(browser, address, faults, viewport=size, color_scheme=scheme)
        page.get_by_label("Text", exact=True).fill("a dog runs and runs " * 5)
        page.wait_for_selector("#out .word")
        page.get_by_label("Model", exact=True).select_option(label="English to German (texts)")
        for name in ("Alignment", "Attention", "Beam search", "Saliency"):
            page.get_by_role("tab", name=name).click()
            until(lambda: "computing" not in page.inner_text("#panel"))
            assert page.evaluate(WIDTH) == width
        for name in ("tones", "pictures", "walk"):
            page.get_by_label("Model", exact=True).select_option(
                label=f"English to German ({name})"
            )
            assert page.evaluate(WIDTH) == width
    assert faults == []


@pytest.mark.slow
def test_sounds_pictures_and_ways_between_sentences(browser: Any, tmp_path: Path) -> None:
    faults: list[str] = []
    with running(services(tmp_path)) as address:
        page = opened(browser, address, faults, permissions=["microphone"])
        page.get_by_label("Model", exact=True).select_option(label="English to German (tones)")
        wav = {"name": "a.wav", "mimeType": "audio/wav", "buffer": encode_wav(saying("low"), RATE)}
        page.get_by_label("Recording").set_input_files(wav)
        until(lambda: page.inner_text("#out") == "low")
        page.get_by_role("button", name="Record", exact=True).click()
        page.wait_for_timeout(1500)  # the browser's own microphone beeps
        page.get_by_role("button", name="Stop").click()
        until(lambda: page.inner_text("#status").endswith(" ms"))
        assert set(page.inner_text("#out").split()) <= {"low", "high"}
        page.get_by_label("Model", exact=True).select_option(label="English to German (pictures)")
        draw(page)
        page.wait_for_selector("#out img")
        page.get_by_label("Model", exact=True).select_option(label="English to German (walk)")
        page.get_by_label("From").first.fill("here")
        page.get_by_label("To", exact=True).first.fill("there")
        until(lambda: page.inner_text("#way") == "here")
        page.get_by_label("Position").fill("1")
        assert page.inner_text("#way") == "halfway"
    assert faults == []


@pytest.mark.slow
def test_a_text_that_is_not_inspected_has_no_insights(browser: Any, tmp_path: Path) -> None:
    faults: list[str] = []
    with running(services(tmp_path)) as address:
        page = opened(browser, address, faults)
        page.get_by_label("Model", exact=True).select_option(label="English to German (texts)")
        for text in ("a dog runs . " * 40, "a dog\nruns"):
            page.get_by_label("Text", exact=True).fill("a dog runs")
            page.get_by_role("tab", name="Beam search").wait_for()
            page.get_by_label("Text", exact=True).fill(text)
            until(lambda: page.inner_text("#status").startswith("attention is shown for one line"))
            assert not page.is_visible("#insights")
            assert not page.is_visible("#plain")
    assert faults == []


@pytest.mark.slow
def test_a_microphone_is_asked_for_once(browser: Any, tmp_path: Path) -> None:
    faults: list[str] = []
    with running(services(tmp_path)) as address:
        page = browser.new_page(permissions=["microphone"])
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.add_init_script(SLOW_MICROPHONE)
        page.goto(address)
        choose = page.get_by_label("Model", exact=True).select_option
        choose(label="English to German (tones)")
        page.get_by_role("button", name="Record", exact=True).dblclick()
        page.get_by_role("button", name="Stop").click()
        until(lambda: page.evaluate(LIVE) == "ended")
        assert page.evaluate("window.asked") == 1
        page.get_by_role("button", name="Record", exact=True).click()
        choose(label="English to German (walk)")
        until(lambda: page.evaluate(f"window.asked === 2 && {LIVE}") == "ended")
    assert faults == []


@pytest.mark.slow
def test_another_model_shows_nothing_of_the_last_one(browser: Any, tmp_path: Path) -> None:
    faults: list[str] = []
    with running(services(tmp_path)) as address:
        page = opened(browser, address, faults)
        choose = page.get_by_label("Model", exact=True).select_option
        choose(label="English to German (tones)")
        wav = {"name": "a.wav", "mimeType": "audio/wav", "buffer": encode_wav(saying("low"), RATE)}
        page.get_by_label("Recording").set_input_files(wav)
        until(lambda: page.inner_text("#out") == "low")
        choose(label="English to German (pictures)")
        assert page.inner_text("#out") == page.inner_text("#status") == ""
        assert page.input_value("#file") == ""
        assert not page.is_visible("#audio")
        empty = drawn_on(page)
        draw(page)
        page.wait_for_selector("#out img")
        assert drawn_on(page) != empty
        png = {"name": "a.png", "mimeType": "image/png", "buffer": empty}
        page.get_by_label("Picture", exact=True).set_input_files(png)
        page.wait_for_selector("#picture")
        assert drawn_on(page) == empty  # the chosen picture takes the place of the drawing
        choose(label="English to German (walk)")
        page.get_by_label("From").first.fill("here")
        page.get_by_label("To", exact=True).first.fill("there")
        until(lambda: page.inner_text("#way") == "here")
        choose(label="English to German (texts)")
        choose(label="English to German (walk)")
        until(lambda: page.inner_text("#way") == "here")
    assert faults == []


def draw(page: Any) -> None:
    """Draw a line on the canvas."""
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    page.mouse.up()


def drawn_on(page: Any) -> bytes:
    """Return the canvas as it looks; the pointer is elsewhere."""
    page.mouse.move(0, 0)
    shot: bytes = page.locator("#canvas").screenshot()
    return shot


@pytest.mark.slow
def test_a_token_is_asked_for_and_errors_are_shown(browser: Any) -> None:
    token, faults = "a secret that is long", list[str]()
    with running(service_of(token=token)) as address:
        page = opened(browser, address, faults)
        page.get_by_label("Text", exact=True).fill("a dog")
        page.wait_for_selector(".status.bad")
        assert "needs a token" in page.inner_text("#status")
        page.get_by_label("Token").fill(token)
        page.get_by_label("Token").press("Enter")
        page.wait_for_selector("#out .word")
        page.get_by_label("Text", exact=True).fill("x" * 6000)
        page.wait_for_selector(".status.bad")
        assert "max_characters: at most 5,000 here" in page.inner_text("#status")
    assert all("status of 4" in fault for fault in faults)  # the browser notes refusals itself
