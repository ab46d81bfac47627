"""A user's own cleaning rules: Python functions named in a TOML file."""

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import field_validator

from s2scli.data.cleaning import (
    DUPLICATE,
    EMPTY_BOTH,
    EMPTY_SOURCE,
    EMPTY_TARGET,
    HEADER,
    NEAR_DUPLICATE,
    SHIFTED,
)
from s2scli.data.cleaning.pairs import Pairs, Scores
from s2scli.data.cleaning.rule import Context, Filter
from s2scli.data.cleaning.rules import RULES
from s2scli.errors import ConfigError, CorpusError, MissingInputError
from s2scli.settings import Settings, load_settings, read_toml, setting

Judge = Callable[[str, str], Any]
TAKEN = frozenset(
    {*RULES, EMPTY_SOURCE, EMPTY_TARGET, EMPTY_BOTH, SHIFTED, DUPLICATE, NEAR_DUPLICATE, HEADER}
)


class OwnRule(Settings):
    """One rule of a user's file."""

    python: str = setting(..., "The file, from the folder of the TOML file, and its function.")

    @field_validator("python")
    @classmethod
    def _check_python(cls, value: str) -> str:
        file, colon, function = value.rpartition(":")
        if not (colon and file.endswith(".py") and function.isidentifier()):
            raise ValueError(f"expected file.py:function, found {value!r:.60}")
        return value


class OwnRules(Settings):
    """The content of a user's file."""

    rules: dict[str, OwnRule] = setting(..., "The rules by name.")


@dataclass(frozen=True)
class LoadedRule:
    """A rule of a user's file.

    Attributes:
        filter: the rule.
        file: the path of the Python file.
        sha256: the SHA-256 of the Python file with the name of the function.
    """

    filter: Filter
    file: Path
    sha256: str


def own_files(path: str) -> list[Path]:
    """Return the Python files that a file of rules names, without running them.

    Raises:
        MissingInputError: the file does not exist or cannot be read.
        ConfigError: the file is not TOML, or has other keys than `[rules.NAME]` with `python`.
    """
    return sorted({_file_of(path, rule) for rule in _rules(path).values()})


def load_rules(path: str) -> dict[str, LoadedRule]:
    """Return the rules of a file by name. This runs the Python files.

    Raises:
        MissingInputError: a file does not exist or cannot be read.
        ConfigError: the file is not TOML, has other keys, or a Python file fails or has no such
            function.
    """
    return {name: _load(path, name, rule) for name, rule in _rules(path).items()}


def _rules(path: str) -> dict[str, OwnRule]:
    rules = load_settings(OwnRules, read_toml(Path(path)), path).rules
    if not rules:
        raise ConfigError(
            f'{path}: no rules; expected [rules.NAME] and python = "file.py:function"'
        )
    for name in rules:
        if not name.isidentifier():
            raise ConfigError(
                f"{path}: rule {name!r:.40}: expected a name of letters, digits and _"
            )
        if name in TAKEN:
            raise ConfigError(f"{path}: s2s has a rule {name}: give yours another name")
    return rules


def _file_of(path: str, rule: OwnRule) -> Path:
    return Path(path).parent / rule.python.rpartition(":")[0]


def _load(path: str, name: str, rule: OwnRule) -> LoadedRule:
    file, function = _file_of(path, rule), rule.python.rpartition(":")[2]
    try:
        content = file.read_bytes()
    except OSError as error:
        raise MissingInputError(f"{file}: cannot be read: {error.strerror}") from error
    where = f"{path}: rule {name}"
    spec = importlib.util.spec_from_file_location(f"s2s_rules_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{where}: {file} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{where}: {file} fails: {_named(error)}") from error
    judge = getattr(module, function, None)
    if not callable(judge):
        raise ConfigError(f"{where}: {file} has no function {function}")
    digest = hashlib.sha256(content + function.encode()).hexdigest()
    return LoadedRule(_filter(where, judge), file, digest)


def _filter(where: str, judge: Judge) -> Filter:
    """Return the rule that asks a function, once for each pair."""

    def score(pairs: Pairs, context: Context) -> Scores:
        sides = zip(pairs.source.texts, pairs.target.texts, strict=True)
        return np.array([_asked(where, judge, *pair) for pair in sides], np.float64)

    return Filter(
        measures="1 if your rule drops the pair, else 0",
        score=score,
        limit=lambda settings: 0.0,
        flag="--rules",
        costly=True,
    )


def _asked(where: str, judge: Judge, source: str, target: str) -> bool:
    try:
        answer = judge(source, target)
    except (Exception, SystemExit) as error:
        raise CorpusError(
            f"{where}: fails for the source {source!r:.60}: {_named(error)}"
        ) from error
    if not isinstance(answer, bool | np.bool_):
        raise CorpusError(f"{where}: returned {answer!r:.40} for a pair, expected True or False")
    return bool(answer)


def _named(error: BaseException) -> str:
    """Return the kind of an error and its message on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
