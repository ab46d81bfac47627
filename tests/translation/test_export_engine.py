from s2scli.report.readings import BEST_HEADS
from s2scli.search.settings import SearchSettings
from s2scli.translation.export_engine import ExportEngine, ExportFacts, ranking_score
from tests.folders import letters_of


def test_it_knows_what_the_manifest_says() -> None:
    search = SearchSettings(beam_size=3)
    facts = ExportFacts(
        name="tiny", quantization="int8", max_source_tokens=9, positions=20, search=search
    )
    engine = ExportEngine(None, letters_of(["abc"] * 9), facts)
    assert engine.settings == search
    assert (engine.max_source_tokens, engine.positions(4)) == (9, 4)
    assert (engine.attention_shape, engine.reading) == (None, BEST_HEADS)
    assert not engine.is_latent


def test_the_score_is_the_sum_by_a_power_of_the_length() -> None:
    settings = SearchSettings(length_penalty=2.0)
    assert ranking_score((-1.0, -2.0, -3.0), settings) == -6.0 / 9
