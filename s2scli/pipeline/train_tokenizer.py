"""`s2s train-tokenizer`: train the tokenizers of a workspace and encode its corpus."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

from s2scli.data.codecs.cell import values_of
from s2scli.data.codecs.image import pixels_of
from s2scli.data.encoded import encode_split, join_encoded
from s2scli.data.sampling import sample_pairs, sample_rows
from s2scli.data.store import Corpus, Side, TextSplit, split_path
from s2scli.errors import CheckpointError, ConfigError, MissingInputError, UsageError
from s2scli.files import remove_folder
from s2scli.manifest import Manifest, Verification, new_folder, read_manifest, verify_folder
from s2scli.normalization import Normalization
from s2scli.pipeline.encoding import divide_split, encode_shard, encoder_of
from s2scli.pipeline.overwriting import require_replaceable
from s2scli.pipeline.workers import THIS_PROCESS, Workers, kept_shards
from s2scli.report.console import Talk
from s2scli.report.counting import Advance, counting
from s2scli.settings import load_settings
from s2scli.sides import Media, Picture
from s2scli.tags import divide_tag
from s2scli.tokenizer.copying import Copier
from s2scli.tokenizer.learning import learn_sentencepiece
from s2scli.tokenizer.pictures import (
    Bits,
    Codebook,
    PictureTokenizer,
    learn_codebook,
    reconstruction_error,
)
from s2scli.tokenizer.plan import CorpusPlan, plan_corpus, plan_side
from s2scli.tokenizer.quality import TokenizerQuality, measure_quality
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.tokenizer.statistics import count_pairs
from s2scli.tokenizer.tokenizers import Source, Target, Tokenizers
from s2scli.workspace import Workspace

PLANNING_PAIRS = 100_000
MEASURED_PAIRS = 10_000
MEASURED_PICTURES = 500
PICTURES, CENTRES = 5_000, 512  # that a codebook is learned from; its size
MAX_UNKNOWN_RATE = 0.01
SECONDS_CHECKED = 0.5  # before training; the rest of a large encoded corpus is checked meanwhile
AGAIN = "make it again with `s2s train-tokenizer`"


@dataclass(frozen=True)
class PictureQuality:
    """The properties of a tokenizer of pictures.

    Attributes:
        kind: bits or codebook.
        vocab_size: the number of tokens, including special ones.
        tokens: the number of tokens of a picture.
        reconstruction_error: mean squared error of encoding and decoding, for pixels from 0 to 1.
    """

    kind: str
    vocab_size: int
    tokens: int
    reconstruction_error: float


@dataclass(frozen=True)
class TokenizerReport:
    """The result of `s2s train-tokenizer`.

    Attributes:
        joint: whether both sides share one tokenizer.
        source: the quality of the source tokenizer on `split`; None if it is not text.
        target: the quality of the target tokenizer on `split`; None if it is not text.
        split: the split used to measure the quality: valid, or train if there is no valid split.
        digest: the SHA-256 of the tokenizers.
        encoded: the number of rows in each split of the encoded corpus.
        pictures: the quality of the tokenizer of target pictures on `split`; None for text.
    """

    joint: bool
    source: TokenizerQuality | None
    target: TokenizerQuality | None
    split: str
    digest: str
    encoded: dict[str, int]
    pictures: PictureQuality | None = None


def train_tokenizer(
    workspace: Workspace,
    settings: TokenizerSettings,
    talk: Talk,
    *,
    overwrite: bool = False,
    workers: Workers = THIS_PROCESS,
) -> TokenizerReport:
    """Train one tokenizer per side, or one for both, and encode the corpus.

    With `overwrite`, a tokenizer that a model was trained with is replaced without asking. The
    `workers` encode the corpus.

    Raises:
        MissingInputError: the workspace has no corpus.
        CheckpointError: the corpus is damaged.
        TokenizerError: no tokenizer can be trained on the text of the corpus.
        LockedError: another process uses the workspace, or a model was trained with its tokenizer.
        StorageError: the disk is full or a write failed.
    """
    if not workspace.root.exists():  # locking would create it
        workspace.find_corpus()
    if not overwrite:
        require_replaceable(workspace, "tokenizer", talk)
    with workspace.locked("train-tokenizer"):
        corpus = Corpus.load(workspace.find_corpus()).verified
        tokenizers = _learn(workspace, corpus, settings, talk)
        _encode(workspace, corpus, tokenizers, talk, workers=workers)
        report = _report(corpus, tokenizers)
    _warn_of_unknown(report, "--byte-fallback encodes them as bytes", talk)
    return report


def copy_tokenizer(
    workspace: Workspace,
    model: Path,
    talk: Talk,
    *,
    overwrite: bool = False,
    workers: Workers = THIS_PROCESS,
) -> TokenizerReport:
    """Copy the tokenizers of a model, and let the `workers` encode the corpus with them.

    Raises:
        MissingInputError: there is no model, or the workspace has no corpus.
        CheckpointError: the model or the corpus is damaged.
        TokenizerError: the tokenizers of the model are damaged.
        UsageError: the model reads or writes other things than the corpus has.
        LockedError: another process uses the workspace, or a model was trained with its tokenizer.
        StorageError: the disk is full or a write failed.
    """
    folder = workspace.find_model(model)
    manifest, tokenizers = Tokenizers.verified(folder, "model")
    if not workspace.root.exists():  # locking would create it
        workspace.find_corpus()
    if not overwrite:
        require_replaceable(workspace, "tokenizer", talk)
    with workspace.locked("train-tokenizer"):
        corpus = Corpus.load(workspace.find_corpus())
        report = adopt_tokenizer(workspace, corpus, tokenizers, manifest.digest, talk)
        _encode(workspace, corpus, tokenizers, talk, workers=workers)
    return report


def adopt_tokenizer(
    workspace: Workspace, corpus: Corpus, tokenizers: Tokenizers, model: str, talk: Talk
) -> TokenizerReport:
    """Write the tokenizers of a model to the workspace; they are kept when the corpus changes.

    The caller must lock the workspace.

    Args:
        workspace: the workspace to write to.
        corpus: the corpus of the workspace.
        tokenizers: the tokenizers of the model.
        model: the digest of the model.
        talk: warns about unknown pieces.

    Raises:
        CheckpointError: the corpus is damaged.
        UsageError: the model reads or writes other things than the corpus has.
    """
    if tokenizers.sides != corpus.sides:
        raise UsageError(
            f"the model is for {tokenizers.sides.description}, and the corpus has "
            f"{corpus.sides.description}: `s2s train-tokenizer` learns a tokenizer for it"
        )
    made_from = {"corpus": corpus.verified.digest, "model": model}
    with new_folder(workspace.tokenizer, "tokenizer", made_from=made_from) as draft:
        tokenizers.write(draft.path)
    report = _report(corpus, tokenizers)
    if unknown := [tag for tag in corpus.tags if tag not in tokenizers.tags]:
        talk.warn(
            f"the tokenizer has no token for the tags {', '.join(unknown[:10])}: the model reads "
            "them as text; `s2s train-tokenizer` learns a tokenizer that has"
        )
    _warn_of_unknown(report, "`s2s train-tokenizer` learns pieces for this corpus", talk)
    return report


def _warn_of_unknown(report: TokenizerReport, advice: str, talk: Talk) -> None:
    for side, quality in (("source", report.source), ("target", report.target)):
        if quality and quality.unknown_rate > MAX_UNKNOWN_RATE:
            talk.warn(
                f"{quality.unknown_rate:.1%} of the {side} pieces of the {report.split} split are "
                f"unknown, so a model can neither read nor write them, unless it copies them "
                f"(model.output.kind = pointer); {advice}"
            )


def ensure_tokenizer(workspace: Workspace, corpus: Corpus, talk: Talk) -> Tokenizers:
    """Return the workspace's tokenizers; train them first if they are missing or out of date.

    Tokenizers that are out of date are trained again with their old settings. The caller must lock
    the workspace.

    Raises:
        CheckpointError: the corpus or a tokenizer is damaged.
        TokenizerError: no tokenizer can be trained on the corpus, or a tokenizer is damaged.
    """
    manifest = _tokenizer_manifest(workspace)
    reason = _out_of_date(manifest, corpus)
    if reason is None:
        return Tokenizers.load(workspace.tokenizer)
    talk.say(f"{reason}: learning a tokenizer")
    facts = manifest.facts if manifest else {}
    settings = load_settings(TokenizerSettings, facts, str(workspace.tokenizer))
    return _learn(workspace, corpus.verified, settings, talk)


@dataclass(frozen=True)
class Encoding:
    """The encoded corpus of a workspace, whose files are still being checked.

    Attributes:
        folder: the folder of the encoded corpus.
        verification: the check of its files; None if they were written just now.
    """

    folder: Path
    verification: Verification | None = None

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end of the check; remove the folder if a file is damaged.

        Args:
            seconds: the maximum time to wait; None waits until the end.

        Raises:
            CheckpointError: a file is damaged.
        """
        if not self.verification:
            return
        try:
            self.verification.wait(seconds)
        except CheckpointError as error:
            if self.folder.exists():
                remove_folder(self.folder)
            raise CheckpointError(
                f"{error}; the encoded corpus was removed: repeat the command, which encodes the "
                "corpus again"
            ) from error


def ensure_encoded(
    workspace: Workspace,
    corpus: Corpus,
    tokenizers: Tokenizers,
    talk: Talk,
    copier: Copier | None = None,
    workers: Workers = THIS_PROCESS,
) -> Encoding:
    """Encode the corpus with `tokenizers`, unless an undamaged, current encoding exists.

    The hashes of a large encoding may still be checked in the background on return. The caller
    must lock the workspace.

    Args:
        workspace: the workspace of the corpus.
        corpus: the corpus.
        tokenizers: the tokenizers of both sides.
        talk: says why the corpus is encoded again.
        copier: for a model that copies, which keeps unknown pieces apart.
        workers: who encodes the corpus, if there is no copier.

    Raises:
        CheckpointError: the corpus is damaged.
    """
    try:
        manifest = read_manifest(workspace.encoded, "encoded")
        verification = Verification(workspace.encoded, manifest)
        verification.wait(SECONDS_CHECKED)
    except MissingInputError:
        pass
    except CheckpointError as error:
        talk.warn(f"{error}; encoding the corpus again")
    else:
        plain = manifest.made_from == _ancestry(corpus, tokenizers)
        if plain and bool(manifest.facts.get("copying")) == bool(copier):
            return Encoding(workspace.encoded, verification)
        use = "copies" if copier else "does not copy"
        talk.say(
            f"the corpus is encoded again for a model that {use}"
            if plain
            else "the encoded corpus is out of date"
        )
    _encode(workspace, corpus, tokenizers, talk, copier, workers)
    return Encoding(workspace.encoded)


def _tokenizer_manifest(workspace: Workspace) -> Manifest | None:
    """Verify the workspace's tokenizers and return their manifest; None if there are none."""
    try:
        return verify_folder(workspace.tokenizer, "tokenizer")
    except MissingInputError:
        return None
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {AGAIN}") from error


def _out_of_date(manifest: Manifest | None, corpus: Corpus) -> str | None:
    """Return why the tokenizers must be trained again, or None if they are current."""
    if manifest is None:
        return "there is no tokenizer yet"
    if "model" not in manifest.made_from and manifest.made_from != {"corpus": corpus.digest}:
        return "the corpus has changed since the tokenizer was learned"
    return None


def _learn(
    workspace: Workspace, corpus: Corpus, settings: TokenizerSettings, talk: Talk
) -> Tokenizers:
    """Plan, train and publish the tokenizers of the corpus."""
    train = corpus.open_split("train")
    with counting(talk, "learning the tokenizer"):
        if corpus.sides.are_text:
            tokenizers = _learn_text(train, corpus, settings, talk)
        else:
            tokenizers = _learn_media(train, corpus, settings, talk)
    if settings.right_to_left:
        tokenizers = _from_right(tokenizers)
    if settings.vocab_size is not None:
        _say_other_sizes(tokenizers, settings.vocab_size, talk)
    with new_folder(workspace.tokenizer, "tokenizer", made_from={"corpus": corpus.digest}) as draft:
        newer = {"picture_kind", "right_to_left"}  # recorded only if they are set
        without = {name for name in newer if not getattr(settings, name)}
        draft.facts = settings.model_dump(exclude=without)
        tokenizers.write(draft.path)
    return tokenizers


def _from_right(tokenizers: Tokenizers) -> Tokenizers:
    """Return the tokenizers with targets from the last token to the first.

    Raises:
        UsageError: the target is not text.
    """
    if not isinstance(tokenizers.target, SentencePiece):
        raise UsageError("--right-to-left is for targets of text, and they are pictures")
    return replace(tokenizers, target=replace(tokenizers.target, reverse=True))


def _learn_text(
    train: TextSplit, corpus: Corpus, settings: TokenizerSettings, talk: Talk
) -> Tokenizers:
    """Learn a tokenizer for each side, or one for both."""
    sample = (
        (divide_tag(source, corpus.tags)[1], target)
        for source, target in sample_pairs(train, min(settings.sample_size, PLANNING_PAIRS))
    )
    plan = plan_corpus(*count_pairs(sample, len(train)), settings)
    for reason in plan.reasons:
        talk.say(reason)
    plan = replace(plan, source=replace(plan.source, tags=corpus.tags))
    return _learn_sides(train, plan, settings, corpus.normalization)


def _learn_media(
    train: TextSplit, corpus: Corpus, settings: TokenizerSettings, talk: Talk
) -> Tokenizers:
    """Learn the tokenizers of a corpus with a side that is not text.

    Raises:
        ConfigError: `joint`, and only one side has a tokenizer.
    """
    if settings.joint:
        raise ConfigError("--joint is for two sides of text; leave it out")
    sides = corpus.sides
    source = sides.source or _learn_side(train, "source", corpus, settings, talk)
    if sides.target is None:
        return Tokenizers(source, _learn_side(train, "target", corpus, settings, talk), joint=False)
    return Tokenizers(source, _learn_pictures(train, sides.target, settings, talk), joint=False)


def _learn_side(
    train: TextSplit, side: Side, corpus: Corpus, settings: TokenizerSettings, talk: Talk
) -> SentencePiece:
    """Learn the tokenizer of the only side that is text."""
    column = 0 if side == "source" else 1

    def texts(size: int) -> Iterator[str]:
        return (pair[column] for pair in sample_pairs(train, size))

    sample = ((text, text) for text in texts(min(settings.sample_size, PLANNING_PAIRS)))
    text, _ = count_pairs(sample, len(train))
    plan, reason = plan_side(text, settings)
    talk.say(f"{side}: {reason}")
    plan = replace(plan, tags=corpus.tags if side == "source" else ())
    return learn_sentencepiece(lambda: texts(settings.sample_size), plan, corpus.normalization)


def _learn_pictures(
    train: TextSplit, media: Media, settings: TokenizerSettings, talk: Talk
) -> PictureTokenizer:
    """Return a tokenizer of pictures: of bits if they are grey, else a codebook.

    Raises:
        ConfigError: bits are chosen, and the pictures are in colour.
    """
    assert isinstance(media, Picture) and media.width, "prepare fixes the size of target pictures"
    chosen = settings.picture_kind or ("bits" if media.channels == 1 else "codebook")
    if chosen == "bits":
        if media.channels != 1:
            raise ConfigError(
                "--picture-kind bits is for black and white, and the pictures are in colour: "
                "prepare them with --grey"
            )
        return Bits(height=media.height, width=media.width)
    rows = sample_rows(len(train), PICTURES)
    pictures = (pixels_of(values_of(train[int(row)].target), media) for row in rows)
    return learn_codebook(pictures, settings.vocab_size or CENTRES)


def _learn_sides(
    train: TextSplit, plan: CorpusPlan, settings: TokenizerSettings, normalization: Normalization
) -> Tokenizers:
    def pairs() -> Iterator[tuple[str, str]]:
        return sample_pairs(train, settings.sample_size)

    if plan.joint:
        both = learn_sentencepiece(lambda: chain.from_iterable(pairs()), plan.source, normalization)
        return Tokenizers(both, both, joint=True)
    return Tokenizers(
        learn_sentencepiece(lambda: (source for source, _ in pairs()), plan.source, normalization),
        learn_sentencepiece(lambda: (target for _, target in pairs()), plan.target, normalization),
        joint=False,
    )


def _say_other_sizes(tokenizers: Tokenizers, wanted: int, talk: Talk) -> None:
    """Report each vocabulary whose size differs from the requested one."""
    sides = {"source": tokenizers.source, "target": tokenizers.target}
    for side, tokenizer in ({"joint": tokenizers.source} if tokenizers.joint else sides).items():
        if not isinstance(tokenizer, SentencePiece):
            continue
        if tokenizer.vocab_size < wanted:
            why = "reduced to {:,}: the text has no more pieces"
        elif tokenizer.vocab_size > wanted:
            why = "increased to {:,}: every character needs a piece"
        else:
            continue
        talk.say(f"the {side} vocabulary of {wanted:,} is {why.format(tokenizer.vocab_size)}")


def _encode(
    workspace: Workspace,
    corpus: Corpus,
    tokenizers: Tokenizers,
    talk: Talk,
    copier: Copier | None = None,
    workers: Workers = THIS_PROCESS,
) -> None:
    """Encode every split of the corpus and publish the result."""
    texts = {split: corpus.verified.open_split(split) for split in corpus.splits}
    rows = sum(map(len, texts.values()))
    with (
        new_folder(workspace.encoded, "encoded", made_from=_ancestry(corpus, tokenizers)) as draft,
        counting(talk, "encoding the corpus", total=rows) as advance,
    ):
        if not copier:
            _encode_shards(workspace, corpus, tokenizers, draft.path, workers, advance, talk)
            return
        draft.facts = {"copying": True}
        for split, text in texts.items():
            path = split_path(draft.path, split)
            encode_split(text, path, copier.encode_sources, copier.encode_targets, advance)


def _encode_shards(
    workspace: Workspace,
    corpus: Corpus,
    tokenizers: Tokenizers,
    folder: Path,
    workers: Workers,
    advance: Advance,
    talk: Talk,
) -> None:
    """Encode the splits shard by shard, and join the shards of each split."""

    def finished(count: int) -> Iterator[Path]:
        for shard in islice(encoded, count):
            advance(shard.rows)
            yield shard.path

    with kept_shards(workspace.shards) as shards:
        by_split = {
            split: list(divide_split(corpus, split, workspace.tokenizer, tokenizers.digest, shards))
            for split in corpus.splits
        }
        encoded = workers.map(encode_shard, chain.from_iterable(by_split.values()), talk)
        has_source = encoder_of(tokenizers.source) is not None
        for split, parts in by_split.items():
            path = split_path(folder, split)
            join_encoded(finished(len(parts)), path, with_source=has_source)


def _ancestry(corpus: Corpus, tokenizers: Tokenizers) -> dict[str, str]:
    return {"corpus": corpus.digest, "tokenizer": tokenizers.digest}


def _report(corpus: Corpus, tokenizers: Tokenizers) -> TokenizerReport:
    texts = {split: corpus.open_split(split) for split in corpus.splits}
    split = "valid" if texts.get("valid") else "train"
    sources, targets = zip(*sample_pairs(texts[split], MEASURED_PAIRS), strict=True)
    return TokenizerReport(
        joint=tokenizers.joint,
        source=_quality(tokenizers.source, sources),
        target=_quality(tokenizers.target, targets),
        split=split,
        digest=tokenizers.digest,
        encoded={name: len(text) for name, text in texts.items()},
        pictures=_picture_quality(tokenizers.target, texts[split]),
    )


def _picture_quality(target: Target, text: TextSplit) -> PictureQuality | None:
    if isinstance(target, SentencePiece):
        return None
    rows = sample_rows(len(text), MEASURED_PICTURES)
    pictures = (pixels_of(values_of(text[int(row)].target), target.picture) for row in rows)
    return PictureQuality(
        "codebook" if isinstance(target, Codebook) else target.kind,
        target.vocab_size,
        target.num_tokens,
        reconstruction_error(target, pictures),
    )


def _quality(side: Source | Target, texts: Sequence[str]) -> TokenizerQuality | None:
    return measure_quality(side, texts) if isinstance(side, SentencePiece) else None
