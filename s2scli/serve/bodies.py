"""The bodies of requests: JSON or forms, checked."""

import json
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

import python_multipart  # noqa: F401 - Starlette reads forms with it
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from s2scli.serve.refusal import RequestError

MAX_FIELDS = 1000
JSON, FORM, PARTS = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
)


def _unicode(text: str) -> str:
    """Refuse half a surrogate pair, which is no character and has no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a surrogate pair") from error
    return text


Text = Annotated[str, AfterValidator(_unicode)]


class Body(BaseModel):
    """A body of a request; what is not declared is ignored, as in LibreTranslate."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    api_key: Text | None = Field(None, description="The token, if the server has one.")


class TranslateBody(Body):
    """What is asked of /translate."""

    q: Text | list[Text] = Field(description="A text, or several. Each line is translated alone.")
    source: Text = Field(description="Code of the language of the text; auto detects it.")
    target: Text = Field(description="Code of the language to translate to.")
    format: Literal["text", "html"] = Field("text", description="html keeps the tags.")
    alternatives: int = Field(0, ge=0, description="Number of further translations of each text.")
    model: Text = Field("", description="Name of a model, if several have the same languages.")


class DetectBody(Body):
    """What is asked of /detect."""

    q: Text = Field(description="A text.")


class SentenceBody(Body):
    """What is asked of a look into a model."""

    q: Text = Field(description="A sentence.")
    model: Text = Field("", description="Name of the model; by default the first that fits.")
    alternatives: int = Field(0, ge=0, description="Number of further translations.")


class BetweenBody(Body):
    """What is asked of an interpolation."""

    first: Text = Field(description="A sentence.")
    second: Text = Field(description="Another sentence.")
    model: Text = Field("", description="Name of the model; by default the first that fits.")


class FileBody(Body):
    """What is asked of a recording or a picture."""

    model: Text = Field("", description="Name of the model; by default the first that fits.")
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json"] = Field(
        "json", description="Format of a transcription."
    )


B = TypeVar("B", bound=Body)


async def read_body(request: Request, kind: type[B]) -> B:
    """Read a body of JSON or of a form.

    Raises:
        RequestError: it is neither, or a field is wrong (400).
    """
    content = _content_type(request)
    if content == JSON:
        return _checked(kind, _json(await request.body()), strict=True)
    if content == FORM:
        return _checked(kind, _fields(_form(await request.body())), strict=False)
    if content == PARTS:
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
        return _checked(kind, _fields(form), strict=False)
    raise RequestError(400, f"content-type: expected {JSON}, {FORM} or {PARTS}")


async def read_upload(request: Request, most: int) -> tuple[FileBody, bytes]:
    """Read a form with one file; return its other fields and the content of the file.

    Args:
        request: the request.
        most: the largest size of the file in bytes.

    Raises:
        RequestError: the body is no form with one file, or a field is wrong (400).
    """
    if _content_type(request) != PARTS:
        raise RequestError(400, f"content-type: expected {PARTS} with a file")
    async with request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=most) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise RequestError(400, "file: missing; expected the content of a file")
        content = await file.read()
        return _checked(FileBody, _fields(form), strict=False), content


def schema_of(kind: type[Body], *contents: str, file: bool = False) -> dict[str, Any]:
    """Return the description of a body for OpenAPI.

    Args:
        kind: the body.
        contents: the types of content that it may have.
        file: whether it has a file.
    """
    schema = kind.model_json_schema()
    if file:
        schema["properties"]["file"] = {"type": "string", "format": "binary"}
        schema["required"] = [*schema.get("required", []), "file"]
    content = {name: {"schema": schema} for name in contents}
    return {"requestBody": {"required": True, "content": content}}


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, "the body is not valid JSON in UTF-8") from error


def _form(content: bytes) -> FormData:
    """Read a form in a URL's encoding; bytes that are not encoded are UTF-8."""
    pairs: list[tuple[str, str | UploadFile]] = []
    try:
        pairs += parse_qsl(
            content.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise RequestError(
            400, f"the body is no form in UTF-8 of at most {MAX_FIELDS} fields"
        ) from error
    return FormData(pairs)


def _fields(form: FormData) -> dict[str, Any]:
    """Return the texts of a form; a field that is given several times is a list."""
    found: dict[str, Any] = {}
    for name in form:
        values = [value for value in form.getlist(name) if isinstance(value, str)]
        if values:
            found[name] = values[0] if len(values) == 1 else values
    return found


def _checked(kind: type[B], tree: Any, *, strict: bool) -> B:
    try:
        return kind.model_validate(tree, strict=strict)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"][:1]) or "the body"
        raise RequestError(400, f"{where}: {fault['msg']}") from error
