"""The answers to requests, as OpenAPI describes them, and transcriptions in their formats."""

from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, PlainTextResponse, Response

from s2scli.translation.records import Record
from s2scli.translation.subtitles import srt, vtt


class Fault(BaseModel):
    """What is wrong with a request."""

    error: str = Field(description="What is wrong, and what is expected.")


class Detected(BaseModel):
    """The language of a text."""

    language: str
    confidence: float = Field(description="Percent.")


class Translated(BaseModel):
    """Translations: of one text, or of each text of a list."""

    translatedText: str | list[str]  # noqa: N815 - LibreTranslate's name
    alternatives: list[str] | list[list[str]] | None = None
    detectedLanguage: Detected | list[Detected] | None = None  # noqa: N815 - LibreTranslate's name


class Language(BaseModel):
    """A language, and those that it can be translated to."""

    code: str
    name: str
    targets: list[str]


class Health(BaseModel):
    """That the server accepts requests."""

    status: str = "ok"


class Transcription(BaseModel):
    """What is said in a recording."""

    text: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Fault, "description": description}
    for status, description in {
        400: "The request is wrong.",
        403: "The token is missing or wrong.",
        413: "The request exceeds a limit, which the error names.",
        429: "Too many lines wait already.",
        500: "The model failed.",
        503: "The server is ending, or the answer took too long.",
    }.items()
}


def transcription(record: Record, response_format: str, seconds: float) -> Response:
    """Return what is said in a recording.

    Args:
        record: the result of the model; its cues have the times of parts and words in seconds.
        response_format: json, text, srt, vtt or verbose_json.
        seconds: the duration of the recording.
    """
    cues = record.translation.cues if record.translation else ()
    match response_format:
        case "json":
            return JSONResponse({"text": record.text})
        case "text":
            return PlainTextResponse(f"{record.text}\n")
        case "srt":
            return PlainTextResponse(srt(cues))
        case "vtt":
            return PlainTextResponse(vtt(cues))
    segments = [
        {"id": number, "start": round(cue.start, 3), "end": round(cue.end, 3), "text": cue.text}
        for number, cue in enumerate(cues)
    ]
    words = [
        {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
        for cue in cues
        for word in cue.words
    ]
    return JSONResponse(
        {
            "task": "transcribe",
            "duration": round(seconds, 3),
            "text": record.text,
            "segments": segments,
            "words": words,
        }
    )
