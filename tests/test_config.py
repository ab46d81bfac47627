"""Recipes: built in or of the user's own, resolved, and saved so that they can be read again."""

import fnmatch
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from s2scli.config import (
    CRITERIA,
    SAFE_TO_CHANGE,
    Recipe,
    fit_to_target,
    fixed_settings,
    is_safe_to_change,
    list_recipe_settings,
    load_recipe,
    recipe_names,
    recipe_path,
    recipe_toml,
)
from s2scli.errors import ConfigError, MissingInputError
from s2scli.metrics import METRICS
from s2scli.model.attention.dot import DotAttentionSettings
from s2scli.model.frontend.audio import AudioFrontendSettings
from s2scli.settings import list_settings, load_settings
from s2scli.sides import TEXT, Picture, Sides, Sound
from s2scli.tokenizer.pictures import Bits
from s2scli.training.optimizer import SGDSettings
from tests.folders import letters_of
from tests.tokenizer.samples import learn


@pytest.mark.parametrize("name", recipe_names())
def test_a_resolved_recipe_is_a_recipe(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.paper and recipe.description
    assert load_settings(Recipe, tomllib.loads(recipe_toml(recipe)), "again") == recipe


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_cites_its_paper_with_a_year(name: str) -> None:
    assert any(word.strip(",()").isdigit() for word in load_recipe(name).paper.split())


def test_every_setting_has_help() -> None:
    rows = list(list_settings(Recipe))
    assert len(rows) > 50
    assert not [row.path for row in rows if len(row.help) < 4]


def test_assignments_change_a_recipe() -> None:
    recipe = load_recipe("tiny", ["training.seed=7", "model.encoder.kind=lstm"])
    assert (recipe.training.seed, recipe.model.encoder.kind) == (7, "lstm")
    with pytest.raises(ConfigError, match=r"recipe tiny: unknown setting training\.sede; did you"):
        load_recipe("tiny", ["training.sede=7"])


def test_another_kind_begins_with_its_own_defaults() -> None:
    changes = ["model.attention.kind=dot", "training.optimizer.kind=sgd", "model.encoder.kind=gru"]
    recipe, before = load_recipe("lstm-attention", changes), load_recipe("lstm-attention")
    assert recipe.model.attention == DotAttentionSettings()
    assert recipe.training.optimizer == SGDSettings()
    assert before.model.encoder.dropout > 0
    assert recipe.model.encoder == before.model.encoder.model_copy(update={"kind": "gru"})


def test_the_kind_that_a_recipe_has_changes_nothing() -> None:
    for name in ("vaswani2017", "bahdanau2015", "las2016"):
        recipe = load_recipe(name)
        kinds = [
            f"model.{part}.kind={getattr(recipe.model, part).kind}"
            for part in ("source", "target", "encoder", "connection", "attention", "decoder")
        ]
        assert load_recipe(name, kinds) == recipe


def test_a_recipe_can_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[training]\nseed = 3\n")
    recipe = load_recipe(str(path))
    assert (recipe.name, recipe.training.seed) == ("mine", 3)
    with pytest.raises(MissingInputError, match=r"other\.toml: no such file"):
        load_recipe(str(tmp_path / "other.toml"))


def test_an_unknown_recipe_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown recipe 'bahdanau'; did you mean bahdanau2"):
        recipe_path("bahdanau")
    with pytest.raises(ConfigError, match="unknown recipe '@'; expected one of "):
        recipe_path("@")


def test_every_metric_can_select_the_best_checkpoint_and_so_can_the_loss() -> None:
    unvalidated = {"nats", "word_perplexity", "byte_perplexity"}
    assert CRITERIA.keys() == {"loss", *METRICS} - unvalidated
    assert not CRITERIA["loss"].higher_is_better
    for name in CRITERIA:
        recipe = load_recipe("tiny", [f"training.metric={name}"])
        assert recipe.criterion.name == name
        if name in METRICS:
            assert recipe.criterion.higher_is_better == METRICS[name].higher_is_better


def test_an_unknown_score_is_told_the_nearest_and_all_others() -> None:
    with pytest.raises(ConfigError) as refusal:
        load_recipe("tiny", ["training.metric=exact"])
    known = ", ".join(CRITERIA)
    assert str(refusal.value) == (
        "recipe tiny: training.metric: unknown validation score 'exact'; "
        f"did you mean exact_match? expected one of {known}"
    )


def test_the_search_gives_no_weight_to_a_missing_ctc_layer() -> None:
    assert load_recipe("speech-gru", []).search.ctc_weight > 0
    for name, setting in (("tiny", "search.ctc_weight=0.5"), ("speech-gru", "model.ctc_weight=0")):
        with pytest.raises(ConfigError, match=r"search\.ctc_weight needs a CTC layer"):
            load_recipe(name, [setting])


def test_the_listing_shows_the_scores_to_choose_from() -> None:
    rows = {row.path: row for row in list_recipe_settings()}
    assert rows["training.metric"].type == " | ".join(CRITERIA)
    assert [*rows] == [row.path for row in list_settings(Recipe)]


AUDIO, IMAGE = Sides(Sound(8000)), Sides(Picture(8, None, 1))
TEXT_ONLY = ("denoising", "inflection", "summarize")  # noise on tokens, or copies of them


@pytest.mark.parametrize("name", [name for name in recipe_names() if name not in TEXT_ONLY])
@pytest.mark.parametrize(("sides", "kind"), [(AUDIO, "audio"), (IMAGE, "image")])
def test_a_recipe_for_text_is_adapted_to_its_source(name: str, sides: Sides, kind: str) -> None:
    text, recipe = load_recipe(name), load_recipe(name, sides=sides)
    if text.model.source.kind == "tokens":
        assert recipe.model.source.kind == kind
        assert recipe.model.source.embedding_dim == text.model.source.embedding_dim
    assert recipe.model.encoder == text.model.encoder and recipe.model.decoder == text.model.decoder
    again = load_settings(Recipe, tomllib.loads(recipe_toml(recipe)), "again")
    assert again == recipe, "and a saved recipe is not adapted again"


def test_a_recipe_of_text_is_left_alone() -> None:
    assert load_recipe("tiny", sides=TEXT) == load_recipe("tiny")


def test_pictures_are_written_without_smoothing_and_judged_by_the_loss() -> None:
    recipe = load_recipe("tiny", sides=Sides(None, Picture(8, 8, 1)))
    assert recipe.model.source.kind == "tokens"
    assert (recipe.training.metric, recipe.training.label_smoothing) == ("loss", 0.0)


def test_own_settings_win_over_adapted_ones() -> None:
    changes = ("model.source.bands=7", "training.max_length=9", "training.metric=loss")
    recipe = load_recipe("tiny", changes, sides=AUDIO)
    assert isinstance(recipe.model.source, AudioFrontendSettings)
    assert recipe.model.source.bands == 7
    assert (recipe.training.max_length, recipe.training.metric) == (9, "loss")


@pytest.mark.parametrize("change", ["training.source_token_dropout=0.1", "training.noise.mask=0.1"])
def test_noise_of_tokens_needs_tokens(change: str) -> None:
    assert load_recipe("tiny", [change])
    for name, changes in (("tiny", [change]), ("denoising", [])):
        with pytest.raises(ConfigError, match="for text, and the source is audio; leave them out"):
            load_recipe(name, changes, sides=AUDIO)


def test_pictures_are_not_judged_as_texts(tmp_path: Path) -> None:
    sides, own = Sides(None, Picture(8, 8, 1)), tmp_path / "own.toml"
    own.write_text("[search]\nmax_length = 9\n")  # it is not adapted, and chrF is the default
    for name, changes in (("tiny", ["training.metric=chrf"]), (str(own), [])):
        with pytest.raises(ConfigError, match="chrf compares texts, and the target is image"):
            load_recipe(name, changes, sides=sides)
    for metric in ("loss", "perplexity", "token_accuracy"):
        changes = [f"training.metric={metric}"]
        assert load_recipe("tiny", changes, sides=sides).training.metric == metric


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("model = 3", "model"),
        ("[model]\nsource = 3", "model.source"),
        ("[[model.source]]\nembedding_dim = 8", "model.source"),
        ("training = [1]", "training"),
    ],
)
@pytest.mark.parametrize("sides", [AUDIO, Sides(Picture(8, None, 1), Picture(8, 8, 1))])
def test_what_is_adapted_must_be_a_section(
    text: str, path: str, sides: Sides, tmp_path: Path
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=rf"^{re.escape(path)}: expected a section with settings"):
        load_recipe(str(file), sides=sides)


SIDES = ("encoder", "decoder")
PICTURES = Sides(target=Picture(28, 28, 1))


def test_target_pictures_get_a_grid_and_a_likelihood() -> None:
    recipe = load_recipe("transformer-small", sides=PICTURES)
    assert recipe.model.decoder.kind == "transformer"
    assert (recipe.model.decoder.positions, recipe.model.decoder.grid_columns) == ("grid", 7)
    assert (recipe.training.metric, recipe.training.label_smoothing) == ("loss", 0.0)
    given = ["model.decoder.positions=rotary", "training.label_smoothing=0.1"]
    changed = load_recipe("transformer-small", given, sides=PICTURES)
    assert changed.model.decoder.kind == "transformer"
    assert changed.model.decoder.positions == "rotary"
    assert changed.training.label_smoothing == 0.1


def test_a_recipe_whose_length_is_none_is_adapted_to_pictures(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[search]\nmax_length = "none"\n')
    recipe = load_recipe(str(own), sides=PICTURES)
    assert (recipe.training.metric, recipe.search.max_length) == ("loss", None)


def test_all_output_pictures_have_one_length() -> None:
    bits, recipe = Bits(height=28, width=28), load_recipe("tiny", sides=PICTURES)
    search = fit_to_target(recipe, bits, ()).search
    assert search.min_length == search.max_length == bits.num_tokens + 1
    changes = ["search.min_length=1"]
    assert fit_to_target(recipe, bits, changes).search.min_length == 1
    longest = f"search.max_length={bits.num_tokens + 1}"
    given = load_recipe("tiny", [longest], sides=PICTURES)
    assert fit_to_target(given, bits, [longest]).search == search


def test_a_recipe_that_was_fitted_to_its_pictures_keeps_its_lengths() -> None:
    bits, changes = Bits(height=28, width=28), ["search.min_length=1"]
    recipe = fit_to_target(load_recipe("tiny", changes, sides=PICTURES), bits, changes)
    assert fit_to_target(recipe, bits, ()) == recipe, "as when the run is resumed"
    longest = f"search.max_length={bits.num_tokens + 1}"
    given = load_recipe("tiny", [longest], sides=PICTURES)
    assert fit_to_target(given, bits, ()).search.min_length == bits.num_tokens + 1, "not fitted"
    smaller = fit_to_target(recipe, Bits(height=8, width=8), ()).search
    assert smaller.min_length == smaller.max_length == Bits(height=8, width=8).num_tokens + 1


def test_a_saved_recipe_of_pictures_keeps_its_settings(tmp_path: Path) -> None:
    bits, given = Bits(height=28, width=28), ["training.label_smoothing=0.1"]
    recipe = fit_to_target(load_recipe("vaswani2017", given, sides=PICTURES), bits, given)
    path = tmp_path / "vaswani2017.toml"
    path.write_text(recipe_toml(recipe))
    assert load_recipe(str(path), sides=PICTURES) == recipe


def test_pictures_of_too_many_tokens_are_refused() -> None:
    recipe = load_recipe("tiny", ["training.max_length=98"], sides=PICTURES)
    with pytest.raises(ConfigError, match=r"training.max_length.*99 tokens"):
        fit_to_target(recipe, Bits(height=28, width=28), ())


def test_what_is_safe_to_change_is_what_resuming_can_bear() -> None:
    paths = {re.sub(r"\[.*?\]", "", row.path) for row in list_recipe_settings()}
    safe = {path for path in paths if is_safe_to_change(path)}
    for pattern in SAFE_TO_CHANGE:
        assert fnmatch.filter(paths, pattern), f"{pattern} is no setting"
    assert {path for path in safe if path.startswith("model.")} == {
        *(f"model.{part}.dropout" for part in ("source", "target", "encoder", "decoder")),
        *(f"model.{side}.{name}_dropout" for side in SIDES for name in ("attention", "ffn")),
        "model.attention.dropout",
    }
    for group in ("optimizer.kind", "batch_tokens", "min_batches", "max_length", "seed", "metric"):
        assert f"training.{group}" in paths - safe
    for group in ("noise.delete", "noise.typos"):  # of validation, too
        assert f"training.{group}" in paths - safe


def test_what_a_validation_searches_with_is_fixed_and_other_searches_are_free() -> None:
    one, other, wider = (
        fixed_settings(load_recipe("speech-gru", [f"search.{change}"], sides=AUDIO))
        for change in ("ctc_weight=0.1", "ctc_weight=0.2", "beam_size=9")
    )
    assert one["search"] == {"ctc_weight": 0.1} and other["search"] == {"ctc_weight": 0.2}
    assert wider["search"].keys() == {"ctc_weight"}


def test_a_loss_on_attention_needs_attention() -> None:
    with pytest.raises(ConfigError, match=r"training\.coverage: it is a loss on attention"):
        load_recipe("sutskever2014", ["training.coverage=1"])


def test_a_model_that_copies_knows_what_can_be_copied() -> None:
    tokenizers = letters_of(["abc"])
    assert load_recipe("tiny").copier(tokenizers) is None
    copier = load_recipe("tiny", ["model.output.kind=pointer"]).copier(tokenizers)
    assert copier is not None and (copier.source, copier.target) == tokenizers.texts


@pytest.mark.parametrize("sides", [Sides(source=Sound(8000)), Sides(target=Picture(8, 8, 1))])
def test_only_text_is_copied_to_text(sides: Sides) -> None:
    with pytest.raises(ConfigError, match=r"model\.output\.kind: pointer copies tokens from text"):
        load_recipe("tiny", ["model.output.kind=pointer"], sides=sides)


def test_a_ctc_layer_needs_a_target_from_left_to_right() -> None:
    target = replace(learn("word", ["low high"]), reverse=True)
    recipe = load_recipe("speech-gru", sides=AUDIO)
    with pytest.raises(ConfigError, match=r"model\.ctc_weight: a CTC layer reads from left to"):
        fit_to_target(recipe, target, ())
    without = load_recipe("speech-gru", ["model.ctc_weight=0", "search.ctc_weight=0"], sides=AUDIO)
    assert fit_to_target(without, target, ()) == without
