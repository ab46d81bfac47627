"""Settings are declared once, checked strictly, and a wrong one is named with the nearest."""

import datetime
import time
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, field_validator
from pydantic.fields import FieldInfo

from s2scli.errors import ConfigError, MissingInputError
from s2scli.settings import (
    Settings,
    default_of,
    extra_of,
    flags_for,
    list_settings,
    load_settings,
    override,
    read_toml,
    setting,
    toml_text,
    write_toml,
)


class Wide(Settings):
    kind: Literal["wide"] = setting("wide", "Wide.")
    width: int = setting(3, "How wide.", "units", ge=1, le=100)


class Deep(Settings):
    kind: Literal["deep"] = setting("deep", "Deep.")
    depth: float | None = setting(None, "How deep.")


class Pair(Settings):
    kind: Literal["left", "right"] = setting("left", "Left or right.")
    width: int = setting(3, "How wide.")

    @field_validator("width")
    @classmethod
    def _lucky(cls, width: int) -> int:
        if width == 13:
            raise ValueError("pairs of width 13 are not made")
        return width


class Group(Settings):
    name: str = setting("", "A name.")
    shape: Annotated[Wide | Deep, Field(discriminator="kind")] = Wide()
    inner: Wide = Wide()
    pair: Pair = Pair()


def fault(tree: dict[str, object]) -> str:
    with pytest.raises(ConfigError) as refusal:
        load_settings(Group, tree, "here")
    return str(refusal.value)


def test_none_is_no_number_but_a_text_and_a_choice() -> None:
    class Absent(Settings):
        count: int | None = setting(3, "A number, or none.")
        text: str | None = setting("a", "A text, or none.")
        choice: Literal["none", "some"] | None = setting("some", "A choice.")

    group = load_settings(Absent, dict.fromkeys(Absent.model_fields, "none"), "here")
    assert (group.count, group.text, group.choice) == (None, "none", "none")
    tree = override(Group, {"shape": {"kind": "deep", "depth": 2}}, ["shape.depth=none"])
    assert load_settings(Group, tree, "here").shape == Deep(depth=None)
    assert fault({"inner": {"width": "none"}}).endswith("found 'none'")


def test_values_are_loaded_and_frozen() -> None:
    group = load_settings(Group, {"shape": {"kind": "deep", "depth": 2}}, "here")
    assert group.shape == Deep(depth=2.0)
    assert load_settings(Group, {}, "here") == Group()
    with pytest.raises(ValueError, match="frozen"):
        group.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"nmae": "x"}, "here: unknown setting nmae; did you mean name?"),
        ({"zzz": 1}, "here: unknown setting zzz; known keys: name, shape, inner, pair"),
        ({"inner": {"witdh": 1}}, "here: unknown setting inner.witdh; did you mean width?"),
        ({"depth": 1}, "here: unknown setting depth; did you mean shape.depth?"),
        (
            {"width": 1},
            "here: unknown setting width; did you mean shape.width or inner.width or pair.width?",
        ),
        (
            {"shape": {"kind": "deep", "width": 1}},
            "here: unknown setting shape.width; did you mean depth?",
        ),
        (
            {"inner": {"width": 0}},
            "here: inner.width: input should be greater than or equal to 1, found 0",
        ),
        (
            {"shape": {"kind": "flat"}},
            "here: shape.kind: expected one of wide, deep, found 'flat'",
        ),
        (
            {"shape": {"width": 3}},
            "here: shape.kind: missing; the section's other settings need it",
        ),
        (
            {"shape": {"kind": "deep", "depth": float("inf")}},
            "here: shape.depth: input should be a finite number, found inf",
        ),
    ],
)
def test_a_fault_is_named(tree: dict[str, object], message: str) -> None:
    assert fault(tree) == message


def test_a_fault_is_short() -> None:
    assert fault({"inner": {"width": 16**10_000}}).endswith(
        "found a number of more than 4300 digits"
    )
    assert len(fault({"inner": {"width": "x" * 10_000}})) < 200
    assert len(fault({"k" * 10_000: 1})) < 300


@pytest.mark.parametrize(
    ("assignment", "value"),
    [("a=1", 1), ("a=0.5", 0.5), ("a=true", True), ("a=text", "text"), ('a="1"', "1"), ("a=", "")],
)
def test_an_assignment_is_read_as_toml_or_text(assignment: str, value: object) -> None:
    assert override(Group, {}, [assignment]) == {"a": value}


def test_assignments_reach_into_sections_and_leave_the_tree_alone() -> None:
    tree = {"a": {"b": 1}}
    assert override(Group, tree, ["a.c=2", "d.e.f=3", "a.b=4"]) == {
        "a": {"b": 4, "c": 2},
        "d": {"e": {"f": 3}},
    }
    assert tree == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("assignments", "shape"),
    [
        (["shape.kind=deep"], {"kind": "deep"}),
        (["shape.depth=2", "shape.kind=deep"], {"kind": "deep", "depth": 2}),
        (["shape.kind=wide"], {"kind": "wide", "width": 7}),
        (["shape.kind=deep", "shape.kind=wide"], {"kind": "wide"}),
    ],
)
def test_another_kind_takes_nothing_over(assignments: list[str], shape: dict[str, object]) -> None:
    tree = {"shape": {"kind": "wide", "width": 7}}
    assert override(Group, tree, assignments) == {"shape": shape}


@pytest.mark.parametrize(
    ("assignment", "shape"),
    [
        ("shape.kind=wide", {"kind": "wide", "width": 7}),
        ("shape.kind=deep", {"kind": "deep"}),
    ],
)
def test_a_section_without_a_kind_is_of_its_default_kind(
    assignment: str, shape: dict[str, object]
) -> None:
    assert override(Group, {"shape": {"width": 7}}, [assignment]) == {"shape": shape}


def test_kinds_of_one_class_keep_their_settings() -> None:
    tree = {"pair": {"kind": "left", "width": 7}}
    assert override(Group, tree, ["pair.kind=right"]) == {"pair": {"kind": "right", "width": 7}}


def test_a_date_is_a_value_like_any_other() -> None:
    assert override(Group, tomllib.loads("name = 2020-01-01"), ["inner.width=4"]) == {
        "name": datetime.date(2020, 1, 1),
        "inner": {"width": 4},
    }


def test_a_rule_of_our_own_is_told_in_its_own_words() -> None:
    assert fault({"pair": {"width": 13}}) == "here: pairs of width 13 are not made"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("a.b", "--set a.b: expected section.key=value"),
        ("=1", "--set =1: expected section.key=value"),
        ("a.b=1", "--set a.b=1: a is a setting, not a section"),
    ],
)
def test_a_wrong_assignment_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        override(Group, {"a": 1}, [assignment])
    assert str(refusal.value) == message


scalars = st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text()
keys = st.text("abcdefg_", min_size=1)
trees = st.recursive(
    st.dictionaries(keys, scalars | st.lists(scalars)),
    lambda inner: st.dictionaries(keys, scalars | inner),
    max_leaves=8,
)


@given(trees)
def test_what_is_written_as_toml_is_read_back(tree: dict[str, object]) -> None:
    assert tomllib.loads(write_toml(tree)) == tree


def test_numbers_of_numpy_are_numbers() -> None:
    values = {np.float64(0.001): "0.001", np.int64(3): "3", np.bool_(True): "true"}
    assert [toml_text(value) for value in values] == list(values.values())
    assert toml_text([np.float32(0.5), "a"]) == '[0.5, "a"]'


def test_a_byte_order_mark_begins_no_key(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("a = 1\r\n", encoding="utf-8-sig")
    assert read_toml(tmp_path / "a.toml") == {"a": 1}


def test_bad_toml_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    with pytest.raises(MissingInputError, match=r"recipe\.toml: no such file"):
        read_toml(path)
    with pytest.raises(MissingInputError, match="cannot be read: Is a directory"):
        read_toml(tmp_path)
    for content in (b"a = ", b"\xff", b"a = " + b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"recipe\.toml: not a valid TOML file"):
            read_toml(path)
    path.write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match=r"recipe\.toml: too large"):
        read_toml(path)


def test_every_setting_is_listed_once_with_its_kinds() -> None:
    rows = {row.path: row for row in list_settings(Group)}
    assert list(rows) == [
        "name",
        "shape[wide].kind",
        "shape[wide].width",
        "shape[deep].kind",
        "shape[deep].depth",
        "inner.kind",
        "inner.width",
        "pair.kind",
        "pair.width",
    ]
    row = rows["inner.width"]
    assert (row.type, row.default, row.unit, row.help) == ("int", "3", "units", "How wide.")
    assert rows["shape[deep].depth"].type == "float | none"
    assert default_of(Wide, "width") == 3


def test_settings_become_the_flags_that_give_them() -> None:
    class Flags(Settings):
        plain_count: int = setting(1, "Plain.")
        name: str | None = setting(None, "A name.")
        shared: bool | None = setting(None, "Shared.", flags=("--shared/--separate",))
        exact: bool = setting(True, "Exact.")

    assert flags_for(Flags, {"plain_count": 1, "shared": None, "unknown": 3}) == []
    values = {"plain_count": 2, "name": "a b", "shared": False, "exact": False}
    expected = ["--plain-count", "2", "--name", "a b", "--separate", "--no-exact"]
    assert flags_for(Flags, values) == expected
    assert flags_for(Flags, {"shared": True, "exact": True}) == ["--shared"]
    given = flags_for(Flags, {"plain_count": 1, "exact": True}, given=["plain_count", "exact"])
    assert given == ["--plain-count", "1", "--exact"]


def test_a_setting_declares_what_its_flag_is_called_and_where_it_is_shown() -> None:
    class Shown(Settings):
        panel = "Looks"

        plain: int = setting(1, "Plain.")
        named: int = setting(2, "Named.", "units", flags=("--named", "--called"), panel="Names")

    assert Shown.panel == "Looks" and list(Shown.model_fields) == ["plain", "named"]
    named = extra_of(Shown.model_fields["named"])
    assert named == {"unit": "units", "flags": ["--named", "--called"], "panel": "Names"}
    assert not extra_of(Shown.model_fields["plain"])["flags"]
    assert not extra_of(FieldInfo(default=1))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[" + ".".join("a" * 20_000) + "]", "more than 200 dots in a line"),
        (".".join("a" * 20_000) + " = 1", "more than 200 dots in a line"),
        ("[" + ".".join("a" * 100) + "]", "more than 50 levels of nesting"),
        ("a = " + "[" * 100 + "]" * 100, "more than 50 levels of nesting"),
        ("a = [" + "1," * 200_000 + "]", "more than 100000 values"),
    ],
)
def test_a_file_that_would_stall_is_refused_within_a_second(
    tmp_path: Path, content: str, reason: str
) -> None:
    (tmp_path / "recipe.toml").write_text(content)
    begin = time.process_time()
    with pytest.raises(ConfigError, match=reason):
        read_toml(tmp_path / "recipe.toml")
    assert time.process_time() - begin < 1
