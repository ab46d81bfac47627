"""Groups of options as one parameter; flags that follow from declared settings."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
import typer
from typer.testing import CliRunner, Result

from s2scli.cli.app import Commands
from s2scli.cli.flags import Options, expand, flag_errors, flags
from s2scli.cli.help import HelpfulCommand
from s2scli.errors import ConfigError, UsageError
from s2scli.metrics.choice import metric_choice
from s2scli.search.settings import SearchSettings
from s2scli.settings import Settings, load_settings, setting


class Toy(Settings):
    panel = "Toys"

    size: int = setting(3, "How large.", ge=1, le=9)
    weight: float | None = setting(None, "How heavy.", flags=("--weight", "--mass"), gt=0)
    colour: Literal["red", "blue"] = setting("red", "Which colour.", panel="Paint")
    loud: bool = setting(False, "Make noise.")
    safe: bool = setting(True, "Leave the sharp parts out.")
    joint: bool | None = setting(None, "One box, or two.", flags=("--joint/--apart",))


class LargerToy(Toy):
    wheel_count: int = setting(4, "How many wheels.")


def run(options: Options, *words: str) -> Any:
    """Return what a command is given for these words."""
    given: list[Any] = []

    def command(value: Annotated[Any, options]) -> None:
        given.append(value)

    result = invoke(command, *words)
    assert result.exit_code == 0, result.output
    return given[0]


def invoke(command: Callable[..., None], *words: str) -> Result:
    program = typer.Typer(cls=Commands)
    program.callback()(lambda: None)
    program.command("toy", cls=HelpfulCommand)(expand(command))
    return CliRunner().invoke(program, ["toy", *words], env={"COLUMNS": "80"})


def refusal(options: Options, *words: str) -> str:
    def command(value: Annotated[Any, options]) -> None:
        raise AssertionError("a wrong flag reached the command")

    result = invoke(command, *words)
    assert result.exit_code == 2
    return result.stderr


def toy_help(options: Options) -> str:
    def command(value: Annotated[Any, options]) -> None:
        """Play."""

    return invoke(command, "--help").stdout


def test_without_flags_the_settings_are_the_declared_ones() -> None:
    toy = run(flags(Toy))
    assert toy == Toy()
    assert toy.model_fields_set == set()


def test_flags_have_the_types_of_their_settings() -> None:
    words = ("--size", "7", "--weight", "2", "--colour", "blue", "--loud", "--no-safe", "--apart")
    toy = run(flags(Toy), *words)
    assert toy == Toy(size=7, weight=2.0, colour="blue", loud=True, safe=False, joint=False)
    assert isinstance(toy.weight, float)


def test_only_what_is_given_is_an_override() -> None:
    assert run(flags(Toy, load=False)) == {}
    words = ("--size", "3", "--safe", "--joint")
    assert run(flags(Toy, load=False), *words) == {"size": 3, "safe": True, "joint": True}


def test_a_setting_has_every_spelling_it_declares() -> None:
    assert run(flags(Toy), "--mass", "2").weight == run(flags(Toy), "--weight", "2").weight == 2


def test_a_switch_that_is_off_by_default_has_no_opposite() -> None:
    assert "No such option: --no-loud" in " ".join(refusal(flags(Toy), "--no-loud").split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--size", "10"), "error: --size: input should be less than or equal to 9, found 10\n"),
        (("--colour", "x"), "error: --colour: input should be 'red' or 'blue', found 'x'\n"),
        (("--weight", "0"), "error: --weight: input should be greater than 0, found 0.0\n"),
    ],
)
def test_a_wrong_value_is_told_by_its_flag(words: tuple[str, ...], message: str) -> None:
    assert refusal(flags(Toy), *words) == message


def test_a_fault_of_several_settings_names_their_flags() -> None:
    told = refusal(flags(SearchSettings), "--nbest", "7")
    assert told == "error: --n-best 7 must not be more than --beam-size 5\n"


def test_some_settings_of_a_group_are_flags() -> None:
    assert run(flags(Toy, only=("size",)), "--size", "4") == Toy(size=4)
    assert "No such option: --loud" in refusal(flags(Toy, only=("size",)), "--loud")
    assert "No such option: --size" in refusal(flags(Toy, but=("size",)), "--size", "4")


def test_a_flag_may_be_spelled_otherwise_in_one_command() -> None:
    options = flags(Toy, load=False, spelled={"size": "--toy-size"})
    assert run(options, "--toy-size", "4") == {"size": 4}
    assert "No such option: --size" in refusal(options, "--size", "4")


def test_the_help_is_that_of_the_declaration() -> None:
    shown = toy_help(flags(Toy))
    assert shown.index("─ Toys ─") < shown.index("─ Paint ─") < shown.index("─ General ─")
    assert "--size INT " in shown
    assert "How large. [default: 3]" in shown
    assert "--weight, --mass FLOAT" in shown
    assert "--colour red|blue" in shown
    assert "--safe / --no-safe" in shown
    assert "--joint / --apart" in shown
    assert "Leave the sharp parts out. [default: on]" in shown
    assert "Make noise. " in shown


def test_another_default_can_be_shown_where_there_is_one() -> None:
    shown = toy_help(flags(Toy, default="the recipe's"))
    assert "How large. [default: the recipe's]" in shown
    assert "How heavy. " in shown


def test_a_new_setting_is_a_new_flag() -> None:
    assert "How many wheels. [default: 4]" in toy_help(flags(LargerToy))
    assert run(flags(LargerToy), "--wheel-count", "6") == LargerToy(wheel_count=6)


def test_choices_are_completed() -> None:
    def command(value: Annotated[Toy, flags(Toy)]) -> None:
        raise AssertionError

    program = typer.Typer()
    program.command()(expand(command))
    built = typer.main.get_command(program)
    (colour,) = (option for option in built.params if "--colour" in option.opts)
    context = typer.Context(built)
    assert [item.value for item in colour.shell_complete(context, "b")] == ["blue"]


def test_groups_hold_groups_and_names_do_not_meet() -> None:
    def pair(size: Annotated[Toy, flags(Toy, only=("size",))], count: int = 1) -> list[Any]:
        return [size.size, count]

    seen: list[Any] = []

    def command(
        name: Annotated[str, typer.Argument()],
        count: Annotated[int, typer.Option("--own-count")] = 5,
        *,
        first: Annotated[list[Any], Options(pair)],
    ) -> None:
        seen.append((name, count, first))

    assert invoke(command, "x", "--size", "2", "--first-count", "9").exit_code == 0
    assert invoke(command, "y", "--own-count", "6").exit_code == 0
    assert seen == [("x", 5, [2, 9]), ("y", 6, [3, 1])]


@pytest.mark.parametrize("needs", [("outputs",), ("model",), ("outputs", "model")])
def test_the_metrics_are_flags(needs: tuple[str, ...]) -> None:
    chosen = list(metric_choice(*needs).model_fields)
    options = flags(metric_choice(*needs), load=False)
    words = (f"--{name.replace('_', '-')}" for name in reversed(chosen))
    assert list(run(options, *words)) == chosen
    assert run(options) == {}


def test_only_faults_of_the_command_line_become_faults_of_flags() -> None:
    less = "input should be less"
    with pytest.raises(UsageError, match=f"^--big: {less}"), flag_errors(size="--big"):
        load_settings(Toy, {"size": 10}, "command line")
    with pytest.raises(ConfigError, match=f"^mine.toml: size: {less}"), flag_errors():
        load_settings(Toy, {"size": 10}, "mine.toml")
