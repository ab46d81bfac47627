"""The models that a server has, by name and by language."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from s2scli.search.settings import SearchSettings
from s2scli.serve.languages import UNDETECTED, name_of, probabilities
from s2scli.serve.refusal import RequestError
from s2scli.sides import SideKind
from s2scli.translation.translator import Translator

AUTO = "auto"

Document = dict[str, Any]


@dataclass(frozen=True)
class Insights:
    """What else a model can show; None is not available.

    Attributes:
        search: returns the beam search of a sentence, as a JSON document.
        saliency: returns what in a sentence caused its translation, as a JSON document.
        between: returns the outputs on the way from one sentence or picture to another.
    """

    search: Callable[[str], Document] | None = None
    saliency: Callable[[str], Document] | None = None
    between: Callable[[str, str], Sequence[str]] | None = None

    @property
    def names(self) -> list[str]:
        """The names of those that are available."""
        return [name for name in ("search", "saliency", "between") if getattr(self, name)]


@dataclass(frozen=True)
class Served:
    """A model with its name and languages.

    Attributes:
        name: the name.
        translator: the model.
        settings: how it searches.
        source: the code of its source language; empty if it was not given.
        target: the code of its target language; empty if it was not given.
        insights: what else it can show.
    """

    name: str
    translator: Translator
    settings: SearchSettings
    source: str = "source"
    target: str = "target"
    insights: Insights = field(default_factory=Insights)

    @property
    def reads(self) -> SideKind:
        """What the model reads: text, audio or image."""
        side = self.translator.sides.source
        return side.kind if side else "text"

    @property
    def writes(self) -> SideKind:
        """What the model writes: text or image."""
        side = self.translator.sides.target
        return side.kind if side else "text"

    @property
    def pair(self) -> str:
        """Its languages, for messages."""
        return f"{self.source}-{self.target}"

    def document(self) -> Document:
        """Return what the page needs to know of the model."""
        return {
            "name": self.name,
            "source": {"code": self.source, "name": name_of(self.source)},
            "target": {"code": self.target, "name": name_of(self.target)},
            "reads": self.reads,
            "writes": self.writes,
            "attention": self.translator.has_attention,
            "insights": self.insights.names,
        }


@dataclass(frozen=True)
class Catalogue:
    """The models of a server, in the order in which they were given."""

    models: tuple[Served, ...]

    def languages(self) -> list[Document]:
        """Return the languages of the models that read text, as LibreTranslate lists them."""
        targets: dict[str, dict[str, None]] = {}
        for each in self._texts():
            targets.setdefault(each.source, {})[each.target] = None
            targets.setdefault(each.target, {})
        return [
            {"code": code, "name": name_of(code), "targets": list(found)}
            for code, found in targets.items()
        ]

    def named(self, name: str, reads: SideKind = "text") -> Served:
        """Return the model of a name; without one, the first that reads a kind of source.

        Raises:
            RequestError: there is none (400).
        """
        kind = {"text": "text", "audio": "recordings", "image": "pictures"}[reads]
        fitting = [each for each in self.models if each.reads == reads]
        found = next((each for each in fitting if name in ("", each.name)), None)
        if found:
            return found
        if not fitting:
            raise RequestError(400, f"no model here reads {kind}")
        names = ", ".join(each.name for each in fitting)
        raise RequestError(400, f"model: no such model that reads {kind}; expected one of {names}")

    def choose(self, text: str, source: str, target: str, name: str = "") -> "Choice":
        """Return the model for a text, and the language that was detected in it.

        Args:
            text: the text.
            source: the code of its language, or `auto`.
            target: the code of the language to translate to.
            name: the name of the model; empty chooses the first one with these languages.

        Raises:
            RequestError: no model has this name and these languages, or the language cannot
                be detected (400).
        """
        fitting = [
            each
            for each in self._texts()
            if name in ("", each.name) and target == each.target and source in (AUTO, each.source)
        ]
        if not fitting:
            served = ", ".join(dict.fromkeys(f"{one.pair} ({one.name})" for one in self._texts()))
            raise RequestError(
                400, f"source, target, model: not served; expected one of {served or 'none'}"
            )
        if source != AUTO:
            return Choice(fitting[0])
        shares = self.detect(text)
        detectable = [each for each in fitting if each.source in shares]
        if not detectable:
            raise RequestError(400, UNDETECTED)
        best = max(detectable, key=lambda each: shares[each.source])
        found = {"language": best.source, "confidence": shares[best.source]}
        return Choice(best, found)

    def detect(self, text: str) -> dict[str, float]:
        """Return how probable it is that a text is in each language that models translate from.

        In percent; languages that cannot be detected are left out.

        Raises:
            RequestError: none can be detected, or the detector is missing (400).
        """
        return probabilities(text, list(dict.fromkeys(each.source for each in self._texts())))

    def _texts(self) -> list[Served]:
        return [each for each in self.models if each.reads == "text"]


@dataclass(frozen=True)
class Choice:
    """The model for a text, and the language that was detected in it, or None."""

    model: Served
    detected: Document | None = None
