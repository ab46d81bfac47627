"""Groups of options that a command takes as one parameter, such as the flags of its settings."""

import contextlib
import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import typer

from s2scli.errors import ConfigError, UsageError
from s2scli.settings import Settings, Tree, default_of, extra_of, flag_of, load_settings

COMMAND_LINE = "command line"
SETTING_NAME = re.compile(r"^\w+(?=:)|(?<!['\w])(?:[a-z]+(?:_[a-z]+)+|mbr\b)")
METAVAR_WIDTH = 28
OWN = "the model's"  # default of the search settings, which are saved with the model

T = TypeVar("T")
S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Options:
    """Marks a parameter of a command that collects several options.

    Attributes:
        collect: a function whose parameters are the options and whose result is the value.
    """

    collect: Callable[..., Any]


def expand(command: Callable[..., T]) -> Callable[..., T]:
    """Return `command` with one parameter per option, as Typer needs it.

    A parameter `search: Annotated[..., Options(collect)]` is replaced by the parameters of
    `collect`, and the command is called with the result of `collect`. Groups can be nested.
    """
    signature = inspect.signature(command)
    groups: dict[str, tuple[Callable[..., Any], list[str]]] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        marks = getattr(parameter.annotation, "__metadata__", ())
        options = next((mark for mark in marks if isinstance(mark, Options)), None)
        if options is None:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        collect = expand(options.collect)
        inner = inspect.signature(collect).parameters
        groups[name] = collect, list(inner)
        parameters += [option.replace(name=f"{name}_{option.name}") for option in inner.values()]

    @functools.wraps(command)
    def expanded(**values: Any) -> T:
        for name, (collect, inner) in groups.items():
            values[name] = collect(**{key: values.pop(f"{name}_{key}") for key in inner})
        return command(**values)

    expanded.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return expanded


def flags(
    group: type[Settings],
    *,
    only: Collection[str] = (),
    but: Collection[str] = (),
    load: bool = True,
    default: str | None = None,
    spelled: Mapping[str, str] = types.MappingProxyType({}),
) -> Options:
    """Return the flags of a settings group, as one parameter of a command.

    Args:
        group: the settings; a flag's name, type, default, help and panel come from there.
        only: the names of the settings that are flags; empty means all.
        but: the names of the settings that are not flags.
        load: if true, the value is the loaded settings; otherwise it is a dict of the values that
            were given, which override other settings.
        default: the default to show in the help, if it is not the declared one.
        spelled: maps a setting to its flag, if the flag has another name.
    """
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,  # not given
            annotation=_flag(group, name, default, spelled.get(name)),
        )
        for name in group.model_fields
        if name in (only or group.model_fields) and name not in but
    ]

    def collect(**values: Any) -> Settings | Tree:
        given = {name: value for name, value in values.items() if value is not None}
        if not load:
            return given
        with flag_errors():
            return load_settings(group, given, COMMAND_LINE)

    collect.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return Options(collect)


def _flag(group: type[Settings], name: str, default: str | None, spelled: str | None) -> Any:
    """Return the annotation of one setting's option."""
    field, declared = group.model_fields[name], default_of(group, name)
    extra = extra_of(field)
    kind, choices = _type_of(field.annotation)
    listed = "|".join(choices)
    flag = flag_of(name)
    if kind is bool and declared is not False:
        flag = f"{flag}/--no-{flag[2:]}"
    shown = {"None": "", "False": "", "True": "on"}.get(str(declared), default or declared)
    option = typer.Option(
        *([spelled] if spelled else extra.get("flags") or [flag]),
        help=f"{field.description} [default: {shown}]" if shown != "" else field.description,
        show_default=False,
        metavar=(listed or (kind is str and (str(extra["unit"]).upper() or "NAME")) or None)
        if len(listed) <= METAVAR_WIDTH
        else "CHOICE",
        rich_help_panel=extra.get("panel") or group.panel,
        autocompletion=(lambda: list(choices)) if choices else None,
    )
    return Annotated[kind | None, option]


def _type_of(annotation: Any) -> tuple[Any, tuple[str, ...]]:
    """Return the type of a flag's value, and the choices of a literal type."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = typing.get_args(annotation)
        (annotation,) = (part for part in parts if part is not types.NoneType)
    if typing.get_origin(annotation) is Literal:
        return str, typing.get_args(annotation)
    return annotation, ()


@contextlib.contextmanager
def flag_errors(**spelled: str) -> Iterator[None]:
    """Turn a ConfigError about a setting of the command line into a UsageError about its flag.

    `spelled` maps a setting to its flag, if the flag has another name.
    """
    try:
        yield
    except ConfigError as error:
        where, _, fault = str(error).partition(": ")
        if where != COMMAND_LINE:
            raise
        fault = re.sub(r"^\w+: value error, ", "", fault)  # from a validator of several settings
        named = SETTING_NAME.sub(lambda m: spelled.get(m[0]) or flag_of(m[0]), fault)
        raise UsageError(named) from error
