"""`s2s serve`: models behind a web server, and a page to try them in."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from s2scli.data.stream import StreamSettings
from s2scli.errors import MissingInputError, UsageError
from s2scli.export.settings import EngineSettings
from s2scli.model.seq2seq import Seq2Seq
from s2scli.pipeline.generate import Writer
from s2scli.pipeline.inspect_saliency import Asked, explain
from s2scli.pipeline.inspect_search import trace_search
from s2scli.pipeline.translate import warn_of_untrained
from s2scli.report.console import Talk
from s2scli.search.settings import GenerateSettings, SearchSettings
from s2scli.serve.app import Surroundings, make_app
from s2scli.serve.batching import BatchingQueue
from s2scli.serve.counts import Counts
from s2scli.serve.guard import Gate
from s2scli.serve.insight import map_document, search_document
from s2scli.serve.languages import CODE
from s2scli.serve.models import Catalogue, Document, Insights, Served
from s2scli.serve.server import address_of, listen, run
from s2scli.serve.service import Service
from s2scli.serve.settings import RequestLimits, ServeSettings
from s2scli.settings import Tree
from s2scli.sides import Picture
from s2scli.training.interruption import stop_requests
from s2scli.translation.loading import EngineRequest, load_translator
from s2scli.translation.torch_engine import TorchEngine
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace

NAME = re.compile(r"[\w.-]+")
PAIR = re.compile(rf"(?P<source>{CODE.pattern})-(?P<target>{CODE.pattern})")
# as browsers write it: without a path, a capital letter or the usual port
ORIGIN = re.compile(
    r"\*|null|(?!http://.*:80$|https://.*:443$)[a-z][a-z0-9+.-]*://[a-z0-9._\[\]:-]+"
)
EXPECTED = "expected DIR, NAME=DIR, en-de=DIR or NAME:en-de=DIR"
SHORTEST_TOKEN = 16
STEPS = 11  # on the way between two sentences or pictures


@dataclass(frozen=True)
class ModelRequest:
    """A model to serve: its folder, its name, and the codes of its languages.

    Attributes:
        folder: the model folder; None is that of the workspace.
        name: the name; empty if it was not given.
        source: the code of the source language.
        target: the code of the target language.
    """

    folder: Path | None = None
    name: str = ""
    source: str = "source"
    target: str = "target"

    @classmethod
    def read(cls, text: str) -> "ModelRequest":
        """Read DIR, NAME=DIR, en-de=DIR or NAME:en-de=DIR; a head with a slash is the folder's.

        Raises:
            UsageError: the folder is missing, or the name is wrong.
        """
        head, equals, folder = text.partition("=")
        if not equals or "/" in head:
            return cls(Path(text))
        name, colon, languages = head.rpartition(":")
        pair = PAIR.fullmatch(languages)
        if (
            not folder
            or (colon and not (pair and NAME.fullmatch(name)))
            or (not colon and not NAME.fullmatch(head))
        ):
            raise UsageError(f"-m {text}: {EXPECTED}")
        if not pair:
            return cls(Path(folder), head)
        return cls(Path(folder), name or head, pair["source"], pair["target"])


@dataclass(frozen=True)
class ServeRequest:
    """What to serve, where, and for whom.

    Attributes:
        models: the models; none is that of the workspace.
        settings: where the server listens, and what it keeps.
        limits: what a request may ask for.
        overrides: search settings that differ from the models' own.
        stream: whether lines are translated as a whole or by sentences.
        engine: the engine of the models.
        device: auto, cpu, cuda or cuda:N.
        token_file: a file with the token that requests must give; None needs none.
        origins: the web pages that may use the server.
    """

    models: Sequence[ModelRequest]
    settings: ServeSettings
    limits: RequestLimits
    overrides: Tree
    stream: StreamSettings
    engine: EngineSettings
    device: str = "auto"
    token_file: Path | None = None
    origins: Sequence[str] = ()


def serve(
    workspace: Workspace,
    request: ServeRequest,
    talk: Talk,
    started: Callable[[str, Sequence[Document]], None],
) -> int:
    """Serve models until a signal comes; then finish what is queued.

    Args:
        workspace: its model is served if the request has none.
        request: what to serve, where, and for whom.
        talk: is told of failures and, with --verbose, of every request, without its text.
        started: called with the address and the models once the server listens.

    Returns:
        The number of the signal.

    Raises:
        UsageError: an address of others without a token, two models of one name, a wrong address or
            web site.
        MissingInputError: a model, or the file of the token, is missing.
        CheckpointError: a model is damaged.
        LockedError: another program listens there.
    """
    token = read_token(request.token_file, local=request.settings.is_local)
    check_origins(request.origins)
    settings, limits, counts, gate = request.settings, request.limits, Counts(), Gate()
    with listen(settings.host, settings.port) as listening:
        catalogue = load_models(workspace, request, talk)
        queues = {
            model.name: BatchingQueue(
                *(model.translator, settings.batch_lines, limits.max_waiting),
                *(settings.cache_lines, counts.batch),
            )
            for model in catalogue.models
        }
        stream = request.stream.model_copy(update={"window": settings.batch_lines})
        service = Service(catalogue, queues, limits, stream, token, counts)
        around = Surroundings(
            *(not token, request.origins, settings.metrics, talk.warn, talk.detail)
        )
        app = make_app(service, gate, around)

        def announce(number: int) -> None:
            gate.draining = True
            talk.say("ending: answers what is queued; again to end at once")

        with stop_requests(announce) as stop:
            started(address_of(listening), [model.document() for model in catalogue.models])
            run(app, gate, listening, limits.max_seconds)
            for queue in queues.values():
                queue.close()
    return stop.signal


def read_token(path: Path | None, *, local: bool) -> str:
    """Return the token of a file, or "" without one.

    Args:
        path: the file.
        local: whether only programs on this computer can connect.

    Raises:
        UsageError: others can connect and there is no token, or it is short.
        MissingInputError: the file is missing.
    """
    if path is None:
        if local:
            return ""
        raise UsageError(
            "--host: others can connect to this address, so a token is needed: "
            "head -c 24 /dev/urandom | base64 > token; then add --token-file token"
        )
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise MissingInputError(f"--token-file {path}: cannot be read as a line of text") from error
    if len(token) < SHORTEST_TOKEN or not (token.isascii() and token.isprintable()):
        raise UsageError(
            f"--token-file {path}: expected a line of at least {SHORTEST_TOKEN} characters of "
            f"ASCII, found {len(token)}"
        )
    return token


def check_origins(origins: Sequence[str]) -> None:
    """Refuse names of web sites that no browser sends.

    Raises:
        UsageError: one has a path, a capital letter or the usual port, or no scheme.
    """
    wrong = next((origin for origin in origins if not ORIGIN.fullmatch(origin)), None)
    if wrong is not None:
        raise UsageError(
            f"--cors {wrong}: expected a scheme and a host in small letters, without a path or the "
            "usual port, such as https://example.org"
        )


def load_models(workspace: Workspace, request: ServeRequest, talk: Talk) -> Catalogue:
    """Load the models.

    Raises:
        See `serve`.
    """
    served = [_load(workspace, one, request, talk) for one in request.models or [ModelRequest()]]
    names = [model.name for model in served]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"-m: two models of the name {twice}; name them: -m NAME=DIR")
    return Catalogue(tuple(served))


def _load(workspace: Workspace, one: ModelRequest, request: ServeRequest, talk: Talk) -> Served:
    folder = workspace.find_model(one.folder)
    engine = request.engine
    asked = EngineRequest(
        *(engine.engine, (), (), request.overrides, request.device),
        *(engine.int8, engine.shortlist),
    )
    translator = load_translator(workspace, [folder], asked, talk)
    settings = translator.settings(request.overrides)
    settings.refuse_unread(request.overrides)
    warn_of_untrained([folder], talk)
    insights = insights_of(translator, settings)
    return Served(
        one.name or _name_of(folder), translator, settings, one.source, one.target, insights
    )


def _name_of(folder: Path) -> str:
    """Return the name of a model folder, or that of its workspace if it is only `model`."""
    resolved = folder.resolve()
    named = resolved.parent.name if resolved.name == "model" else resolved.name
    return re.sub(r"[^\w.-]", "-", named) or "model"


def insights_of(translator: Translator, settings: SearchSettings) -> Insights:
    """Return what a model can show besides its translations and their attention.

    The beam search and saliency are shown by PyTorch for texts; saliency on a CPU. A walk between
    two sentences or pictures needs a single vector between encoder and decoder.
    """
    engine = translator.engine
    if not isinstance(engine, TorchEngine) or not isinstance(engine.model, Seq2Seq):
        return Insights()
    model, texts, source = engine.model, translator.sides.are_text, translator.sides.source
    explains = texts and engine.searcher.device.type == "cpu" and translator.reads_end
    walks = model.code_dim and (source is None or isinstance(source, Picture))
    return Insights(
        partial(_search, translator, settings) if texts and not settings.sample else None,
        partial(_saliency, model, translator, settings) if explains else None,
        partial(_between, engine, model, translator, settings) if walks else None,
    )


def _search(translator: Translator, settings: SearchSettings, text: str) -> Document:
    return search_document(trace_search(translator, text, settings))


def _saliency(
    model: Seq2Seq, translator: Translator, settings: SearchSettings, text: str
) -> Document:
    asked = Asked(text, test=False, settings=settings)
    return map_document(explain(model, translator, asked, Talk.silent()).map)


def _between(
    engine: TorchEngine,
    model: Seq2Seq,
    translator: Translator,
    settings: SearchSettings,
    first: str,
    second: str,
) -> list[str]:
    writer = Writer(engine.recipes[0], model, engine.searcher.device, translator)
    codes = writer.interpolate(first, second, GenerateSettings(steps=STEPS))
    return [found.text for found in writer.write(codes, settings)]
