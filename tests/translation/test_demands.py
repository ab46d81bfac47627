"""What is demanded of outputs, as the options of a call."""

from dataclasses import replace

import pytest

from s2scli.data.stream import StreamSettings
from s2scli.errors import UsageError
from s2scli.search.settings import SearchSettings
from s2scli.sides import Picture, Sides
from s2scli.translation.demands import DemandSettings, require_text
from s2scli.translation.options import Options, Wanted
from tests.translation.stub import StubEngine, stub_translator

SETTINGS = SearchSettings(n_best=2)


def test_without_demands_the_options_are_those_of_the_stream() -> None:
    stream = StreamSettings(window=3, overlong="truncate", unit="sentence")
    options = DemandSettings().read().options(stub_translator(), SETTINGS, stream, Wanted())
    assert options == Options(SETTINGS, "truncate", Wanted(), 3, "sentence")


def test_replacing_unknown_tokens_needs_attention() -> None:
    read = DemandSettings(replace_unknown=True).read()
    stream = StreamSettings()
    options = read.options(stub_translator(), SETTINGS, stream, Wanted(scores=False))
    assert options.wanted == Wanted(attention=True, scores=False) and options.dictionary == {}
    with pytest.raises(UsageError, match="--replace-unknown needs attention"):
        read.options(stub_translator(StubEngine(attention_shape=None)), SETTINGS, stream, Wanted())


def test_units_of_text_are_for_text() -> None:
    translator = replace(stub_translator(), sides=Sides(Picture(8, 8, 1)))
    require_text(stub_translator(), "--unit sentence")
    with pytest.raises(UsageError, match="--unit sentence is for text, and the model reads"):
        require_text(translator, "--unit sentence")
