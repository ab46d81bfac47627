"""Models that write pictures, from the corpus to files, with tiny generated pictures."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.data.codecs.picture_files import data_uri, pixels_of_uri
from s2scli.sides import Picture
from s2scli.tokenizer.tokenizers import Tokenizers
from tests.pictures import BITS, HEIGHT, TOKENS, WIDTH, write_picture_model, write_pictures

LATENT = ('model.attention={kind="none"}', 'model.connection={kind="latent", latent_dim=4}')


def run(*arguments: object, input: str | None = None) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments], input=input)
    assert result.exit_code == 0, result.output
    return result


def refused(*arguments: object, input: str | None = None) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments], input=input)
    assert result.exit_code == 2, result.output
    return " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with pictures made from words, and a model that has seen a few batches."""
    folder = tmp_path_factory.mktemp("pictures")
    table, workspace = write_pictures(folder), folder / "w"
    run("prepare", table, "--target-kind", "image", "-q", "-w", workspace)
    train = ("train", "--recipe", "text-to-image", "--size", "tiny", "--max-steps", "4")
    run(*train, "--device", "cpu", "-q", "-w", workspace)
    return workspace


@pytest.fixture(scope="module")
def variational(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a VAE of pictures that was never trained, and files to read."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("vae")
    write_pictures(folder, 12)
    write_picture_model(folder / "w" / "model", *LATENT, from_pictures=True)
    return folder / "w"


def test_the_recipe_has_the_length_and_the_grid_of_the_pictures(trained: Path) -> None:
    recipe = (trained / "model" / "recipe.toml").read_text()
    for line in (
        f"max_length = {TOKENS + 1}",
        f"min_length = {TOKENS + 1}",
        'positions = "grid"',
        "grid_columns = 2",
        "label_smoothing = 0.0",
        'metric = "loss"',
    ):
        assert f"\n{line}\n" in recipe


def test_a_run_of_pictures_is_resumed(trained: Path) -> None:
    train = ("train", "--recipe", "text-to-image", "--size", "tiny", "--max-steps", "4")
    run(*train, "--device", "cpu", "-w", trained)


def test_rows_with_one_text_are_split(tmp_path: Path) -> None:
    table = write_pictures(tmp_path, 40)
    table.write_text("".join(f"picture\t{number}.png\n" for number in range(40)))
    run("prepare", table, "--target-kind", "image", "-q", "-w", tmp_path / "w")
    splits = {"train": 32, "valid": 4, "test": 4}
    found = json.loads((tmp_path / "w" / "corpus" / "report.json").read_text())["splits"]
    assert {name: split["rows"] for name, split in found.items()} == splits


def test_each_line_becomes_a_file(trained: Path, tmp_path: Path) -> None:
    result = run("translate", "-w", trained, "-o", tmp_path / "out", input="left\nright\n")
    assert result.stdout == ""
    assert result.stderr == f"2 pictures in {tmp_path / 'out'}\n"
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["000001.png", "000002.png"]
    assert pixels_of_uri(str(tmp_path / "out" / names[0])).shape == (HEIGHT, WIDTH, 1)


def test_hypotheses_have_a_second_number(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("left\n\nright\n")
    run("translate", "-w", trained, tmp_path / "in", "--nbest", "2", "-o", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["0001-1.png", "0001-2.png", "0003-1.png", "0003-2.png"]
    run("translate", "-w", trained, tmp_path / "in", "--sample", "-o", tmp_path / "drawn")
    assert (tmp_path / "drawn" / "0001-1.png").exists()


def test_a_picture_is_not_drawn_in_parts(trained: Path, tmp_path: Path) -> None:
    text = "left\n" + "left right " * 4000 + "\nright\n"
    result = CliRunner().invoke(
        app, ["translate", "-w", str(trained), "-o", str(tmp_path / "out")], input=text
    )
    assert result.exit_code == 3
    assert "line 2: not translated (too long: a picture is drawn from one part" in " ".join(
        result.stderr.split()
    )
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_pipe_takes_json_only(trained: Path) -> None:
    assert "-o DIR, or --json" in refused("translate", "-w", trained, input="left\n")
    found = json.loads(run("translate", "-w", trained, "--json", input="left\n").stdout)
    pixels = pixels_of_uri(found["translation"])
    assert pixels.shape == (HEIGHT, WIDTH, 1)
    assert data_uri(pixels) == found["translation"]


@pytest.mark.parametrize("flag", ["--scores", "--alignment"])
def test_flags_of_text_are_refused(trained: Path, tmp_path: Path, flag: str) -> None:
    assert flag in refused("translate", "-w", trained, flag, "-o", tmp_path / "o", input="left\n")


def test_likelihoods_are_per_picture_and_pixel(trained: Path) -> None:
    found = json.loads(run("evaluate", "-w", trained, "--perplexity", "--json").stdout)
    perplexity, nats = (score["value"] for score in found["scores"])
    assert nats == pytest.approx((TOKENS + 1) * math.log(perplexity))
    bits = nats / math.log(2) / (HEIGHT * WIDTH)
    assert found["bits_per_pixel"] == pytest.approx(bits)
    shown = run("evaluate", "-w", trained).stdout
    assert "nats per picture" in shown
    assert re.search(r"^pictures +\d+ *$", shown, re.M) and "sentences" not in shown
    assert f"bits per pixel   {bits:.4f}" in shown
    assert "BLEU" not in shown


def test_metrics_of_text_are_refused(trained: Path, tmp_path: Path) -> None:
    assert "--bleu compares texts" in refused("evaluate", "-w", trained, "--bleu")
    assert "-o is for text" in refused("evaluate", "-w", trained, "-o", tmp_path / "o")
    assert "variational autoencoder" in refused(
        "evaluate", "-w", trained, "--importance-samples", "3"
    )


def test_a_summary_counts_pixels_and_pictures(trained: Path) -> None:
    pairs = f"left\t{trained.parent / '0.png'}\nright\t{trained.parent / '1.png'}\n"
    found = json.loads(run("score", "-w", trained, "--summary", "--json", input=pairs).stdout)
    per = found["per"]
    assert {name: unit["count"] for name, unit in per.items()} == {
        "token": 2 * (TOKENS + 1),
        "pixel": 2 * HEIGHT * WIDTH,
        "picture": 2,
    }
    assert per["picture"]["log_prob"] == pytest.approx(found["log_prob"] / 2)


def test_pictures_from_vectors(variational: Path, tmp_path: Path) -> None:
    generate = ("generate", "-w", variational)
    assert "-o DIR, or --json" in refused(*generate)
    run(*generate, "-n", "5", "-o", tmp_path / "sheet.png")
    side = (2 * (HEIGHT + 1) + 1, 3 * (WIDTH + 1) + 1, 1)  # 2 rows of 3
    assert pixels_of_uri(str(tmp_path / "sheet.png")).shape == side
    run(*generate, "-n", "2", "-o", tmp_path / "out")
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["0001.png", "0002.png"]
    found = json.loads(run(*generate, "-n", "2", "--json").stdout)
    assert pixels_of_uri(found["pictures"][0]["text"]).shape == (HEIGHT, WIDTH, 1)


def test_pictures_between_and_around_others(variational: Path, tmp_path: Path) -> None:
    ends = variational.parent / "0.png", variational.parent / "1.png"
    row = tmp_path / "row.png"
    run("generate", "-w", variational, "--between", *ends, "--steps", "4", "-o", row)
    assert pixels_of_uri(str(row)).shape == (HEIGHT + 2, 4 * (WIDTH + 1) + 1, 1)
    run("generate", "-w", variational, "--around", ends[0], "-n", "1", "-o", row)
    missing = tmp_path / "missing.png"
    assert "missing.png" in refused("generate", "-w", variational, "--around", missing, "-o", row)


def test_a_vae_is_bounded_and_compared_with_pca(tmp_path: Path) -> None:
    write_pictures(tmp_path, 40)
    table = tmp_path / "one.txt"
    table.write_text("".join(f"{number}.png\n" for number in range(40)))
    workspace = tmp_path / "w"
    kinds = ("--one-column", "--source-kind", "image", "--target-kind", "image")
    run("prepare", table, *kinds, "-q", "-w", workspace)
    latent = [word for change in LATENT for word in ("--set", change)]
    run(
        "train", "-r", "tiny", *latent, "--max-steps", "3", "--device", "cpu", "-q", "-w", workspace
    )
    words = ("evaluate", "-w", workspace, "--importance-samples", "5")
    found = json.loads(run(*words, "--json").stdout)
    assert "bits_per_pixel" not in found  # nats at one z are not exact
    latent_scores = found["latent"]
    assert latent_scores["importance_weighted"] >= latent_scores["elbo"] - 1
    assert 0 <= latent_scores["active_units"] <= latent_scores["latent_dim"] == 4
    assert 0 < latent_scores["pca_error"] < 0.25
    assert 0 < latent_scores["reconstruction_error"] < 1
    shown = run(*words)
    assert "PCA with 4 components" in shown.stdout
    assert "without the KL term" in shown.stderr
    given, to = [tmp_path / f"{number}.png" for number in range(2)], tmp_path / "out"
    run("translate", "-w", workspace, "--files", *given, "-o", to)
    assert sorted(path.name for path in to.iterdir()) == ["0001.png", "0002.png"]
    budget = ("--max-steps", "3", "--device", "cpu", "-w", workspace)
    compared = json.loads(run("compare", "tiny", *latent, *budget, "--json").stdout)
    (result,) = compared["results"]
    assert compared["noun"] == "pictures" and result["cross_entropy"] is None
    score, again = (
        result["scores"][0],
        json.loads(
            run(*words[:3], "--importance-samples", "10", "-m", result["model"], "--json").stdout
        ),
    )
    assert score["value"] == pytest.approx(-again["latent"]["importance_weighted"], abs=1e-3)
    assert score["signature"].startswith("bound:iw10|per:picture")


def test_a_picture_and_its_tokens(trained: Path) -> None:
    path = trained.parent / "0.png"
    shown = run("inspect", "tokenizer", path, "-w", trained).stdout
    assert f"{TOKENS} tokens; mean squared error 0.0000" in shown
    (found,) = json.loads(run("inspect", "tokenizer", path, "-w", trained, "--json").stdout)
    assert found["ids"] == BITS.encode(pixels_of_uri(str(path)))
    assert [len(row) for row in found["rows"]] == [2, 2]
    assert "▁left" in run("inspect", "tokenizer", "left", "-w", trained).stdout  # the source's


def test_a_missing_picture_has_no_tokens(trained: Path) -> None:
    words = ["inspect", "tokenizer", "--target", "none.png", "-w", str(trained)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 66
    assert "none.png" in result.stderr


def test_the_error_of_a_codebook_is_shown(tmp_path: Path) -> None:
    table, workspace = write_pictures(tmp_path), tmp_path / "w"
    run("prepare", table, "--target-kind", "image", "-q", "-w", workspace)
    words = ("train-tokenizer", "-w", workspace, "--picture-kind", "codebook", "--vocab-size", "5")
    assert "mean squared error (pixels 0 to 1)" in run(*words).stdout
    found = json.loads(run(*words, "--json").stdout)["pictures"]
    assert found["kind"] == "codebook"
    assert 0 < found["reconstruction_error"] < 0.25


def test_bits_are_not_for_pictures_in_colour(tmp_path: Path) -> None:
    table, workspace = write_pictures(tmp_path), tmp_path / "w"
    run("prepare", table, "--target-kind", "image", "--color", "-q", "-w", workspace)
    words = ["train-tokenizer", "-w", str(workspace), "--picture-kind", "bits"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 78
    assert "the pictures are in colour: prepare them with --grey" in " ".join(result.stderr.split())
    assert not (workspace / "tokenizer").exists()


def test_a_tokenizer_of_pictures_is_not_for_text(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "c.tsv").write_text("".join(f"a {n}\tb {n}\n" for n in range(40)))
    workspace = tmp_path / "text"
    run("prepare", tmp_path / "c.tsv", "-q", "-w", workspace)
    run("train-tokenizer", "-q", "-w", workspace)
    before = (workspace / "tokenizer" / "manifest.json").read_bytes()
    words = ["train-tokenizer", "-w", str(workspace), "--from", str(trained / "model")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    told = " ".join(result.stderr.split())
    assert "the model is for text to pictures of" in told
    assert "and the corpus has text to text" in told
    assert (workspace / "tokenizer" / "manifest.json").read_bytes() == before


def test_the_width_of_read_pictures_may_vary(tmp_path: Path) -> None:
    tokenizers = Tokenizers(Picture(4, None, 1), BITS, joint=False)
    tokenizers.write(tmp_path)
    assert Tokenizers.load(tmp_path) == tokenizers


def test_the_next_commands_write_pictures(trained: Path, tmp_path: Path) -> None:
    pipe = f'echo "a text" | s2s translate -w {trained} -o pictures/'
    train = ("train", "--recipe", "text-to-image", "--size", "tiny", "--max-steps", "4")
    lines = run(*train, "--device", "cpu", "-w", trained).stderr.splitlines()
    assert lines[-1] == f"next: s2s evaluate -w {trained} · {pipe}"
    lines = run("evaluate", "-w", trained).stderr.splitlines()
    assert lines[-1] == f"next: {pipe}"


def test_prepare_says_which_side_is_in_train(tmp_path: Path) -> None:
    table = write_pictures(tmp_path)
    options = ("--overwrite", "-w", tmp_path / "w")
    result = run("prepare", table, "--target-kind", "image", *options)
    assert "target also in train" in result.stdout
    assert "source also in train" not in result.stdout
    next_line = f"next: s2s train -w {tmp_path / 'w'} --recipe text-to-image"
    assert result.stderr.splitlines()[-1] == next_line


def test_recipes_for_pictures_are_ranked_by_their_likelihood(trained: Path) -> None:
    def compare(*arguments: str) -> tuple[str, ...]:
        budget = ("--max-steps", "2", "--device", "cpu", "-w", str(trained))
        sets = ("--set", "model.decoder.model_dim=16", "--set", "model.encoder.model_dim=16")
        return (
            "compare",
            "text-to-image",
            "--seed",
            "1",
            "--seed",
            "2",
            *sets,
            *budget,
            *arguments,
        )

    found = json.loads(run(*compare("--json")).stdout)
    nats = [one["scores"][0]["value"] for one in found["results"]]
    assert found["metric"] == "nats" and nats == sorted(nats) and nats[0] != nats[1]
    assert found["results"][1]["p"] is not None
    result = run(*compare())
    assert "nats per picture" in result.stdout and "BLEU" not in result.stdout
    assert 'next: echo "a text" | s2s translate -w ' in result.stderr
    assert "--bleu compares texts" in refused(*compare("--bleu"))
