"""Declare settings, validate them, read them from TOML, and change them with `--set`.

A group of settings is a frozen pydantic model. Each field is declared with `setting`: its default,
one sentence of help and its unit. All user interfaces of a setting (the TOML key,
`--set section.key=value`, `s2s inspect recipe`, a command's flag) use this declaration.
"""

import copy
import difflib
import json
import re
import tomllib
import types
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic.fields import FieldInfo

from s2scli.artifacts import check_tree
from s2scli.errors import ConfigError, MissingInputError
from s2scli.synonyms import meaning

MAX_TOML_BYTES, MAX_DOTS = 1_000_000, 200
MOST = 10**12  # max rows, tokens or updates: more than any corpus has, and it fits into 64 bits
Tree = dict[str, Any]
_KIND = re.compile(r"[^=]*\.kind\s*=")
S = TypeVar("S", bound="Settings")


class Settings(BaseModel):
    """A frozen group of settings; unknown keys and wrong values are errors.

    `panel` is the heading of the group's flags in a command's help.
    """

    panel: ClassVar[str] = "Settings"
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _read_none(cls, values: Any) -> Any:
        """Read "none" as no value in the settings that are listed as a number or none."""
        if not isinstance(values, dict):
            return values
        absent = {name for name, value in values.items() if value == "none"}
        numbers = {name for name in absent & cls.model_fields.keys() if _may_lack(cls, name)}
        return {**values, **dict.fromkeys(numbers)}


def setting(
    default: Any,
    help: str,
    unit: str = "",
    *,
    flags: tuple[str, ...] = (),
    panel: str = "",
    **limits: Any,
) -> Any:
    """Declare one setting.

    Args:
        default: the default value; `...` makes the setting required.
        help: one sentence that says what the setting does.
        unit: the unit of the value.
        flags: the spellings of the flag, if it has others than `--name`, such as
            `("--nbest", "--n-best")` or `("--joint/--separate",)`. One of them must be the name of
            the setting with dashes.
        panel: the heading of the flag, if it differs from the group's.
        limits: the constraints of pydantic's Field: ge, gt, le, lt, pattern.
    """
    extra: dict[str, JsonValue] = {"unit": unit, "flags": list(flags), "panel": panel}
    return Field(default, description=help, json_schema_extra=extra, **limits)


@dataclass(frozen=True)
class SettingRow:
    """One setting in the list of `s2s inspect recipe`."""

    path: str
    type: str
    default: str
    unit: str
    help: str


def load_settings(group: type[S], tree: Mapping[str, Any], where: str) -> S:
    """Validate `tree` against `group` and return the frozen settings.

    Raises:
        ConfigError: a key is unknown or a value is wrong. The message names `where` and the dotted
            path of the setting, and suggests the nearest known key.
    """
    try:
        return group.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_first_fault(group, error)}") from error


def read_toml(path: Path) -> Tree:
    """Read a TOML file.

    Raises:
        MissingInputError: the file does not exist or cannot be read.
        ConfigError: the file is too large, nested too deeply, not UTF-8 or not TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TOML_BYTES + 1)
        if len(content) > MAX_TOML_BYTES:
            raise ConfigError(f"{path}: too large (limit {MAX_TOML_BYTES} bytes)")
        if any(line.count(b".") > MAX_DOTS for line in content.splitlines()):
            raise ValueError(f"more than {MAX_DOTS} dots in a line")  # slow to parse
        tree = tomllib.loads(content.decode("utf-8-sig"))
        check_tree(tree)
        return tree
    except FileNotFoundError as error:
        raise MissingInputError(f"{path}: no such file") from error
    except OSError as error:
        raise MissingInputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not a valid TOML file: {error!s:.200}") from error


def override(group: type[Settings], tree: Tree, assignments: Sequence[str]) -> Tree:
    """Apply `section.key=value` assignments to a copy of `tree`, which holds settings of `group`.

    A value is parsed as TOML if possible; otherwise it is a plain string. `kind` is assigned first.
    If the new kind has a different settings class, its section is reset to the defaults of that
    class before the other assignments.

    Raises:
        ConfigError: an assignment has no `=`, or a section in its path is a setting.
    """
    changed = copy.deepcopy(tree)
    for assignment in sorted(assignments, key=lambda text: not _KIND.match(text)):
        path, equals, text = assignment.partition("=")
        if not equals or not path.strip():
            raise ConfigError(f"--set {assignment}: expected section.key=value")
        *sections, key = path.strip().split(".")
        branch = changed
        for section in sections:
            branch = branch.setdefault(section, {})
            if not isinstance(branch, dict):
                raise ConfigError(f"--set {assignment}: {section} is a setting, not a section")
        value = _toml_value(text)
        if key == "kind" and _member(group, sections, branch) is not _member(
            group, sections, {key: value}
        ):
            branch.clear()
        branch[key] = value
    return changed


def _member(
    group: type[BaseModel], sections: Sequence[str], branch: Tree
) -> type[BaseModel] | None:
    """Return the union member that a section's `kind` selects, or None if there is none.

    A section without a `kind` is of the kind it has by default.
    """
    kind = branch.get("kind", _default_kind(group, sections))
    *_, (_, member) = _walk(group, [*sections, str(kind)])
    return member


def _default_kind(group: type[BaseModel], sections: Sequence[str]) -> str | None:
    """Return the kind of a section that is not given, or None if it has no kinds."""
    *_, (_, parent) = [(None, group), *_walk(group, sections[:-1])]
    field = parent.model_fields.get(sections[-1]) if parent and sections else None
    return getattr(field.default, "kind", None) if field else None


def write_toml(tree: Mapping[str, Any]) -> str:
    """Return `tree` as TOML: plain values first, then one table per section."""
    return "\n".join(_toml_lines(tree, ())) + "\n"


def flag_of(name: str) -> str:
    """Return the flag for the name of a setting or a metric."""
    return f"--{name.replace('_', '-')}"


def flags_for(
    group: type[Settings], values: Mapping[str, Any], given: Collection[str] = ()
) -> list[str]:
    """Return the command-line words that give settings of `group` these values.

    Values that are the defaults, and names that are no settings, are left out.

    Args:
        group: the settings.
        values: their values, by name.
        given: names whose values are not left out, even if they are the defaults.
    """
    words: list[str] = []
    for name, field in group.model_fields.items():
        value = values.get(name, default_of(group, name))
        if value == default_of(group, name) and name not in given:
            continue
        if not isinstance(value, bool):
            words += [flag_of(name), str(value)]
            continue
        spelled = next((f for f in extra_of(field).get("flags", ()) if "/" in f), None)
        on, off = (spelled or f"{flag_of(name)}/{flag_of(f'no_{name}')}").split("/")
        words.append(on if value else off)
    return words


def default_of(group: type[Settings], name: str) -> Any:
    """Return the default of one setting of `group`."""
    return group.model_fields[name].get_default(call_default_factory=True)


def _may_lack(group: type[Settings], name: str) -> bool:
    """Whether the value of a setting is a number or None."""
    types_of_value = set(typing.get_args(group.model_fields[name].annotation))
    return types.NoneType in types_of_value and types_of_value <= {types.NoneType, int, float}


def list_settings(group: type[BaseModel], prefix: str = "") -> Iterator[SettingRow]:
    """Yield all settings of `group` and of its sections and their kinds, in declaration order."""
    for name, field in group.model_fields.items():
        path = f"{prefix}{name}"
        groups = _groups_of(field.annotation)
        if not groups:
            yield _row(path, field)
        for inner in groups:
            kind = inner.model_fields.get("kind")
            tag = "|".join(_choices(kind.annotation)) if kind and len(groups) > 1 else ""
            yield from list_settings(inner, f"{path}[{tag}]." if tag else f"{path}.")


def _row(path: str, field: FieldInfo) -> SettingRow:
    default = "" if field.is_required() else toml_text(field.get_default(call_default_factory=True))
    unit = str(extra_of(field).get("unit", ""))
    return SettingRow(path, _type_name(field.annotation), default, unit, field.description or "")


def extra_of(field: FieldInfo) -> Mapping[str, Any]:
    """Return the extra fields that `setting` stores for a field: unit, flags, panel."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _groups_of(annotation: Any) -> list[type[BaseModel]]:
    """Return the groups of settings in an annotation: one, or the members of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) is typing.Annotated:
        return _groups_of(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [group for part in typing.get_args(annotation) for group in _groups_of(part)]
    return []


def _choices(annotation: Any) -> list[str]:
    return [str(choice) for choice in typing.get_args(annotation)]


def _type_name(annotation: Any) -> str:
    if typing.get_origin(annotation) is Literal:
        return " | ".join(_choices(annotation))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " | ".join(_type_name(part) for part in typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        return f"list of {_type_name(typing.get_args(annotation)[0])}"
    if annotation is type(None):
        return "none"
    return getattr(annotation, "__name__", str(annotation))


def _first_fault(group: type[Settings], error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    # for a discriminated union, pydantic's path contains the chosen kind, which is not a key
    path = [str(part) for part in fault["loc"]]
    named = f"{'.'.join(_keys_only(group, path)) or group.__name__:.200}"
    if fault["type"] == "union_tag_not_found":
        return f"{named}.kind: missing; the section's other settings need it"
    if fault["type"] == "extra_forbidden":
        return f"unknown setting {named}; {_hint(group, path)}"
    if fault["type"] == "union_tag_invalid":
        context = fault["ctx"]
        expected = str(context["expected_tags"]).replace("'", "")
        return f"{named}.kind: expected one of {expected}, found {context['tag']!r}"
    if fault["type"] == "value_error":  # raised by our own validators, with a full message
        return str(fault["ctx"]["error"])
    message = fault["msg"][:1].lower() + fault["msg"][1:]
    return f"{named}: {message}, found {_shown(fault['input'])}"


def _hint(group: type[Settings], path: Sequence[str]) -> str:
    """Suggest a known key for an unknown one: first by meaning, then by spelling."""
    *sections, key = _keys_only(group, path)
    own, below = ".".join([*sections, key]), ".".join([*sections, ""])
    meant = meaning(key)
    if isinstance(meant, str):
        return meant
    paths = [_here(group, name) for name in meant]
    named = _nearest_paths([path for path in paths if path], sections) or [
        path for path in paths_called(group, key) if path.startswith(below) and path != own
    ]
    if named:
        return f"did you mean {' or '.join(named)}?"
    known = _known_keys(group, path[:-1])
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"


def _here(group: type[Settings], path: str) -> str:
    """Return the path in `group` of a recipe setting; "" if the group does not have it.

    `group` is the whole recipe or one of its sections.
    """
    name = path.rpartition(".")[2]
    if path in paths_called(group, name):
        return path
    return name if name in group.model_fields else ""


def _nearest_paths(paths: list[str], sections: Sequence[str]) -> list[str]:
    """Return the paths in the given section, or all paths if there are none in it."""
    same = [path for path in paths if path.split(".")[:-1] == list(sections)]
    return same or paths


def paths_called(group: type[Settings], name: str) -> list[str]:
    """Return the dotted paths, without kinds, of all settings in a group with this name."""
    paths = (re.sub(r"\[.*?\]", "", row.path) for row in list_settings(group))
    return [*dict.fromkeys(path for path in paths if path.rpartition(".")[2] == name)]


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.80}"
    except ValueError:  # Python refuses to print integers of more than 4300 digits
        return "a number of more than 4300 digits"


def _keys_only(group: type[BaseModel], path: Sequence[str]) -> list[str]:
    return [part for part, _ in _walk(group, path) if part is not None]


def _known_keys(group: type[BaseModel], path: Sequence[str]) -> list[str]:
    *_, (_, last) = [(None, group), *_walk(group, path)]
    return list(last.model_fields) if last else []


def _walk(
    group: type[BaseModel], path: Sequence[str]
) -> Iterator[tuple[str | None, type[BaseModel] | None]]:
    """Follow a path; yield each key and the group it leads to; the key of a union tag is None."""
    candidates: list[type[BaseModel]] = [group]
    for part in path:
        if len(candidates) > 1:  # the part is the tag of a union, not a key
            candidates = [
                c for c in candidates if part in _choices(c.model_fields["kind"].annotation)
            ]
            yield None, candidates[0] if candidates else None
            continue
        field = candidates[0].model_fields.get(part) if candidates else None
        candidates = _groups_of(field.annotation) if field else []
        yield part, candidates[0] if len(candidates) == 1 else None


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # not TOML, or too many digits or brackets for Python
        return text


def _toml_lines(tree: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    for key, value in tree.items():
        if value is not None and not isinstance(value, Mapping):
            yield f"{key} = {toml_text(value)}"
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield f"\n[{'.'.join((*path, key))}]"
            yield from _toml_lines(value, (*path, key))


def toml_text(value: Any) -> str:
    """Return one value as TOML text; a number of NumPy is one of Python."""
    value = getattr(value, "item", lambda: value)()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_text(item) for item in value) + "]"
    return str(value).lower() if isinstance(value, bool) or value is None else repr(value)
