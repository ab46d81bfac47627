"""What the server does with the texts, recordings and pictures of requests."""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from typing import Any, Protocol, TypeVar

import numpy as np
from starlette.requests import Request

from s2scli.data.codecs.audio import AudioCodec
from s2scli.data.codecs.cell import BadCellError, Stored
from s2scli.data.stream import Line, StreamSettings
from s2scli.errors import S2SError
from s2scli.report.alignment import count_words
from s2scli.search.settings import SearchSettings
from s2scli.serve.batching import BatchingQueue
from s2scli.serve.bodies import BetweenBody, FileBody, SentenceBody, TranslateBody
from s2scli.serve.counts import Counts
from s2scli.serve.inline import Html, Links, Written, find_blocks
from s2scli.serve.insight import record_document
from s2scli.serve.markup import read_markup
from s2scli.serve.models import AUTO, Catalogue, Document, Served
from s2scli.serve.refusal import GONE, RequestError, over
from s2scli.serve.settings import RequestLimits
from s2scli.sides import SideKind
from s2scli.translation.lines import size_of
from s2scli.translation.options import Options, Wanted
from s2scli.translation.records import Record
from s2scli.translation.results import TargetText, Translation

LINE_BREAK = re.compile(r"(\r\n|\r|\n)")
PICTURE = "data:image/"
T = TypeVar("T")


class Divided(Protocol):
    """A text in lines, whose translations become one text."""

    @property
    def lines(self) -> Sequence[str]:
        """The lines to translate."""
        ...

    @property
    def aligns(self) -> bool:
        """Whether the alignments of the translations are needed."""
        ...

    def keep_carried(self, written: Mapping[str, Sequence[Written]]) -> "Divided":
        """Return the text in lines whose translations are all of use; see `Html.keep_carried`."""
        ...

    def join(self, written: Sequence[Written]) -> str:
        """Return the text with translations of its lines."""
        ...


@dataclass(frozen=True)
class Plain:
    """A plain text: its lines, and what breaks them."""

    lines: Sequence[str]
    breaks: Sequence[str]
    aligns: bool = False

    def keep_carried(self, written: Mapping[str, Sequence[Written]]) -> "Plain":
        """Return itself: every translation of a line is of use."""
        return self

    def join(self, written: Sequence[Written]) -> str:
        """Return the text with translations of its lines."""
        texts = [one.text for one in written]
        return "".join(map("".join, zip(texts, [*self.breaks, ""], strict=True)))


@dataclass(frozen=True)
class Service:
    """The models with their queues, and what requests may ask for.

    Attributes:
        catalogue: the models.
        queues: the queue of each model, by its name.
        limits: what a request may ask for.
        stream: whether lines are translated as a whole or by sentences.
        token: what requests must give; empty if they need nothing.
        counts: counts requests and batches.
    """

    catalogue: Catalogue
    queues: Mapping[str, BatchingQueue]
    limits: RequestLimits
    stream: StreamSettings = field(default_factory=StreamSettings)
    token: str = ""
    counts: Counts = field(default_factory=Counts)

    def admit(self, request: Request, api_key: str | None = None) -> None:
        """Check the token of a request: the field `api_key`, or `Authorization: Bearer`.

        Raises:
            RequestError: it is missing or wrong (403).
        """
        _, _, bearer = request.headers.get("authorization", "").partition(" ")
        given = api_key or request.query_params.get("api_key") or bearer
        if self.token and not compare_digest(given.encode(errors="replace"), self.token.encode()):
            raise RequestError(403, "api_key: missing or wrong; this server needs a token")

    async def translate(self, body: TranslateBody, request: Request) -> Document:
        """Return the translations of a request, as LibreTranslate answers.

        Raises:
            RequestError: the request exceeds a limit (413), or is not possible (400).
        """
        texts = [body.q] if isinstance(body.q, str) else body.q
        self._check(texts, body.alternatives)
        divided = [_divide(text, body.format) for text in texts]
        lines = [line for one in divided for line in one.lines]  # without the tags of HTML
        if len(lines) > self.limits.max_lines:
            raise over("max_lines", self.limits.max_lines, len(lines))
        asked = "\n".join(lines), body.source, body.target, body.model
        if body.source == AUTO:  # detection takes time
            choice = await asyncio.to_thread(self.catalogue.choose, *asked)
        else:
            choice = self.catalogue.choose(*asked)
        of_texts = await self._answers(choice.model, texts, body, request)
        single = isinstance(body.q, str)
        document: Document = {"translatedText": _shaped([one[0] for one in of_texts], single)}
        if body.alternatives:
            document["alternatives"] = _shaped([one[1:] for one in of_texts], single)
        if choice.detected:
            document["detectedLanguage"] = _shaped([choice.detected] * len(texts), single)
        return document

    async def _answers(
        self, model: Served, texts: Sequence[str], body: TranslateBody, request: Request
    ) -> list[list[str]]:
        """Return the translations of each text, best first.

        HTML is translated by blocks, if the model has attention to place their tags with. A second
        round translates the texts of blocks that are lost one by one.
        """
        divided = [_divide(text, body.format, model.translator.has_attention) for text in texts]
        aligns = any(one.aligns for one in divided)
        options = self._options(model, body.alternatives, Wanted(attention=aligns, scores=False))
        lines = [line for one in divided for line in one.lines]
        records = await self._records(model, lines, options, request)
        known = {line: _written(record) for line, record in zip(lines, records, strict=True)}
        divided = [one.keep_carried(known) for one in divided]
        lost = [line for one in divided for line in one.lines if line not in known]
        if lost:
            records = await self._records(model, lost, options, request)
            known |= {line: _written(one) for line, one in zip(lost, records, strict=True)}
        return [_joined(one, [known[line] for line in one.lines]) for one in divided]

    async def detect(self, text: str) -> list[Document]:
        """Return the languages that a text may be in, most probable first, as LibreTranslate does.

        Raises:
            RequestError: the text is too long (413), or no language can be detected (400).
        """
        self._check([text])
        shares = await asyncio.to_thread(self.catalogue.detect, text)
        ranked = sorted(shares.items(), key=lambda item: -item[1])
        return [{"confidence": share, "language": code} for code, share in ranked]

    async def look(self, body: SentenceBody, request: Request) -> Document:
        """Return the translation of a sentence with its attention maps and alternatives.

        Raises:
            RequestError: the request exceeds a limit (413), or is not possible (400).
        """
        self._check([body.q], body.alternatives, self.limits.max_inspected, "max_inspected")
        model = self.catalogue.named(body.model)
        options = self._options(model, body.alternatives, _all_of(model))
        (record,) = await self._records(model, [one_line(body.q)], options, request)
        return record_document(record)

    async def inspect(self, name: str, body: SentenceBody, request: Request) -> Document:
        """Return what a model does with a sentence: `search` or `saliency`.

        Raises:
            RequestError: the request exceeds a limit (413), or is not possible (400).
        """
        self._check([body.q], 0, self.limits.max_inspected, "max_inspected")
        model = self.catalogue.named(body.model)
        show: Callable[[str], Document] | None = getattr(model.insights, name)
        if show is None:
            raise RequestError(400, f"model: {model.name} cannot show its {name} here")
        shown, text = show, one_line(body.q)
        return await self._called(model, lambda: shown(text), request)

    async def between(self, body: BetweenBody, request: Request) -> Document:
        """Return the outputs on the way from one sentence to another.

        Raises:
            RequestError: the request exceeds a limit (413), or is not possible (400).
        """
        model = self._walker(body.model)
        ends = one_line(body.first), one_line(body.second)
        if model.reads == "image":
            if not all(end.startswith(PICTURE) for end in ends):
                raise RequestError(
                    400, f"first, second: expected pictures, as {PICTURE}...;base64,..."
                )
        else:
            self._check(ends, 0, self.limits.max_inspected, "max_inspected")
        walk = model.insights.between
        assert walk
        way = walk
        return {"outputs": await self._called(model, lambda: [*way(*ends)], request)}

    def _walker(self, name: str) -> Served:
        """Return the model of a name that has a way between two sources, or the first one."""
        fitting = [model for model in self.catalogue.models if model.insights.between]
        found = next((model for model in fitting if name in ("", model.name)), None)
        if found is None:
            raise RequestError(
                400, "model: no such model with a single vector between its two sides"
            )
        return found

    async def read(
        self, kind: SideKind, body: FileBody, content: bytes, request: Request
    ) -> Record:
        """Return what a model makes of a recording or a picture.

        Args:
            kind: audio or image.
            body: the other fields of the request.
            content: the content of the file.
            request: the request.

        Raises:
            RequestError: the file cannot be read (400), or the request exceeds a limit (413).
        """
        model = self.catalogue.named(body.model, kind)
        cell = await asyncio.to_thread(self._cell, model, kind, content)
        options = self._options(model, 0, _all_of(model))
        if cell is None:
            return Record(Line("the file", 1, ""), "empty")
        (record,) = await self._records(model, [cell], options, request)
        return record

    def _cell(self, model: Served, kind: SideKind, content: bytes) -> Stored | None:
        """Return a file as a source; None if it is silent."""
        codec, most = model.translator.source, model.translator.engine.max_source_tokens
        if isinstance(codec, AudioCodec):
            codec = replace(codec, max_seconds=self.limits.max_sound)
        try:
            cell = Stored("the file", codec.encode(uri_of(kind, content)))
            if kind == "image" and size_of(cell.values, codec) > most:
                codec.parts(cell, most)  # a picture has none: this says what is accepted
            return cell
        except BadCellError as error:
            if error.reason == "silent":
                return None
            _, _, fault = str(error).partition(": ")
            if error.reason == "too_long" and kind == "audio":
                raise RequestError(413, f"max_sound: {fault}") from error
            raise RequestError(400, f"file: {fault}") from error

    def _check(
        self,
        texts: Sequence[str],
        alternatives: int = 0,
        most: int | None = None,
        name: str = "max_characters",
    ) -> None:
        most = most or self.limits.max_characters
        characters = sum(map(len, texts))
        if characters > most:
            raise over(name, most, characters)
        if len(texts) > self.limits.max_lines:
            raise over("max_lines", self.limits.max_lines, len(texts))
        if alternatives > self.limits.max_alternatives:
            raise over("max_alternatives", self.limits.max_alternatives, alternatives)

    def _options(self, model: Served, alternatives: int, wanted: Wanted) -> Options:
        settings, stream = with_alternatives(model.settings, alternatives), self.stream
        if model.reads != "text":  # a recording or a picture has no sentences
            return Options(settings, "split", wanted, stream.window)
        return Options(settings, "split", wanted, stream.window, stream.unit, stream.language)

    async def _records(
        self, model: Served, lines: Sequence[str], options: Options, request: Request
    ) -> list[Record]:
        """Translate lines together with those of other requests.

        Raises:
            RequestError: too many lines wait (429), the model fails at a line (500), or the client
                has gone.
        """
        records = await self._awaited(self.queues[model.name].submit(lines, options), request)
        failed = next((i for i, one in enumerate(records, 1) if one.status == "failed"), 0)
        if failed:
            raise RequestError(500, f"q: the model failed at line {failed} of {len(records)}")
        return records

    async def _called(self, model: Served, work: Callable[[], T], request: Request) -> T:
        return await self._awaited(self.queues[model.name].call(work), request)

    async def _awaited(self, future: Future[T], request: Request) -> T:
        """Wait for a result; drop it if the client goes away.

        Raises:
            RequestError: the client has gone, or the model refuses the request (400).
        """
        result = asyncio.wrap_future(future)
        gone = asyncio.ensure_future(_gone(request.receive))
        try:
            waiting: set[asyncio.Future[Any]] = {result, gone}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not result.done():
                raise RequestError(499, GONE)
            return result.result()
        except S2SError as error:
            raise RequestError(400, str(error)) from error
        finally:
            result.cancel()
            gone.cancel()


def with_alternatives(settings: SearchSettings, alternatives: int) -> SearchSettings:
    """Return search settings for a number of further hypotheses; the beam grows if it must."""
    count = 1 + alternatives
    groups = settings.beam_groups
    beam = -(-max(settings.beam_size, count) // groups) * groups
    mbr = max(settings.mbr, count) if settings.mbr else 0
    changes = {"n_best": count, "beam_size": max(beam, mbr), "mbr": mbr}
    return SearchSettings.model_validate({**settings.model_dump(), **changes})


def one_line(text: str) -> str:
    """Return a text without line breaks."""
    return LINE_BREAK.sub(" ", text)


def _all_of(model: Served) -> Wanted:
    """Return everything that is shown of a hypothesis."""
    return Wanted(attention=model.translator.has_attention, times=model.reads == "audio")


def uri_of(kind: SideKind, content: bytes) -> str:
    """Return the content of a file as a URI that codecs read."""
    return f"data:{kind}/any;base64,{base64.b64encode(content).decode()}"


def _divide(text: str, format: str, by_blocks: bool = False) -> Divided:
    """Divide a text into lines.

    Args:
        text: the text.
        format: text or html.
        by_blocks: whether HTML is divided into blocks with their tags, or at each tag.
    """
    if format == "html":
        markup = read_markup(text)
        return Html(markup, find_blocks(markup) if by_blocks else ())
    return Plain(LINE_BREAK.split(text)[::2], LINE_BREAK.findall(text))


def _written(record: Record) -> tuple[Written, ...]:
    """Return the translations of a line, best first."""
    found = record.translation
    return tuple(Written(one.text, _links(found, one)) for one in record.hypotheses if found)


def _links(found: Translation, hypothesis: TargetText) -> Links | None:
    """Return the aligned words of a source and a hypothesis; None if that is not known.

    Words are those between spaces in both texts, if their pieces divide them alike.
    """
    blocks = hypothesis.attention_blocks
    if not blocks or not all(np.isfinite(block).all() for block in blocks):
        return None
    texts = ((found.source, found.source_pieces), (hypothesis.text, hypothesis.pieces))
    for text, pieces in texts:
        if count_words(pieces) != len(text.split()):
            return None
    return found.word_alignment(hypothesis)


def _joined(divided: Divided, lines: Sequence[Sequence[Written]]) -> list[str]:
    """Return the translations of a text, best first: as many as all its lines have."""
    count = min((len(ranked) for ranked in lines if ranked), default=1)
    nothing = Written("")
    return [
        divided.join([ranked[rank] if ranked else nothing for ranked in lines])
        for rank in range(count)
    ]


def _shaped(values: list[Any], single: bool) -> Any:
    """Return the value of the only text, or the values of a list of texts."""
    return values[0] if single else values


async def _gone(receive: Callable[[], Awaitable[Any]]) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
