import pytest
from s2scli.pipeline.lines import translate_lines

from s2scli.data.stream import Line
from s2scli.errors import ConfigError
from s2scli.pipeline.translate import Oddities, Tally, search_settings
from s2scli.search.settings import SearchSettings
from tests.stub_translator import StubTranslator


def test_a_tally_counts_what_was_odd() -> None:
    lines = [
        Line("f", 1, "a?"),
        Line("f", 2, "boom"),
        Line("g", 1, "\ufffd", bad_byte=1),
        Line("g", 2, "b " * 9),
        Line("g", 3, ""),
        Line("g", 4, "cut short", cut=True),
    ]
    tally = Tally()
    for record in translate_lines(lines, StubTranslator(), SearchSettings()):
        tally.add(record)
    assert tally == Tally(
        lines=6,
        source_tokens=2 + 2 + 11,  # the long line was translated in two parts
        unknown_tokens=1,
        overlong=Oddities(1, {"g": [2]}),
        failed=Oddities(2, {"f": [2], "g": [4]}),
        not_utf8=Oddities(1, {"g": [1]}),
    )


def test_what_is_not_given_is_as_the_model_has_it() -> None:
    stub = StubTranslator(search_settings=SearchSettings(beam_size=7, length_penalty=0.5))
    found = search_settings(stub, {"length_penalty": 0.0})
    assert found == SearchSettings(beam_size=7, length_penalty=0.0)


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"command line: unknown setting beem_size"):
        search_settings(StubTranslator(), {"beem_size": 1})
