"""How fast a corpus is prepared and encoded, and in how much memory.

Preparing is compared with HuggingFace `datasets` with the same rules, and encoding with
SentencePiece's own batch encoding. S2S_BENCH_ROWS sets the number of rows (1,000,000 by default).
Each contender runs in a process of its own, so that its memory is its own.

The table of scale is that of S2S_BENCH_ROWS=1000000, 10000000 and 30000000 with
`-k how_much_memory`: its rows are made as they are read, so that only what s2s writes is on the
disk, about 120 bytes a row.
"""

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import pytest
from sentencepiece import SentencePieceProcessor

from s2scli.data.settings import PrepareSettings
from s2scli.data.store import Corpus
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.train_tokenizer import ensure_encoded, train_tokenizer
from s2scli.pipeline.workers import cores, local_workers
from s2scli.report.console import Talk
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.tokenizer.tokenizers import Source, Tokenizers
from s2scli.workspace import Workspace
from tests.bench.showing import show

ROWS = int(os.environ.get("S2S_BENCH_ROWS", "1000000"))
CORES = cores()
TEXT = "a the dog cat man woman park house river runs sees sleeps old young and in by of"
WORDS = TEXT.split()
# The peak is that of the program alone; what its parent had before `exec` does not count.
PEAK = """
import atexit, re, sys

def tell():
    with open("/proc/self/status") as status:
        print(re.search(r"VmHWM:\\s*(\\d+)", status.read())[1], file=sys.stderr)

atexit.register(tell)
"""
PREPARE = f"{PEAK}\nfrom s2scli.__main__ import main; main()"
# The default rules: no empty side, no side over 5000 characters, no ratio over 50, no duplicates.
DATASETS = (
    f"{PEAK}"
    + """
import sys
import datasets

datasets.disable_progress_bars()
path, out, workers = sys.argv[1:]
rows = datasets.load_dataset(
    "csv", data_files=path, delimiter="\\t", column_names=["source", "target"], split="train",
    quoting=3, keep_default_na=False, cache_dir=out + "/cache",
)

def tidied(batch):
    return {side: [(text or "").strip() for text in batch[side]] for side in ("source", "target")}

def kept(batch):
    sizes = [sorted((len(s), len(t))) for s, t in zip(batch["source"], batch["target"])]
    return [0 < low and high <= 5000 and high <= 50 * low for low, high in sizes]

count = None if workers == "1" else int(workers)
rows = rows.map(tidied, batched=True, num_proc=count)
rows = rows.filter(kept, batched=True, num_proc=count)
seen = set()

def new(batch):
    found = []
    for pair in zip(batch["source"], batch["target"]):
        found.append(pair not in seen)
        seen.add(pair)
    return found

rows = rows.filter(new, batched=True)  # one process: it has to know all rows before
split = rows.train_test_split(test_size=4000, seed=1)
split.save_to_disk(out + "/saved")
print(len(rows))
"""
)


def write_corpus(path: Path, rows: int) -> None:
    """Write rows of 4 to 16 words; one of a hundred is empty on one side, and one a copy."""
    words = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        line = ""
        for number in range(rows):
            if number % 100 == 0:
                line = f"only a source {number}\t\n"
            elif number % 100 != 50:
                text = " ".join(words.choices(WORDS, k=words.randint(4, 16)))
                line = f"{text} {number}\t{number} {text}\n"
            file.write(line)


def memory_of(pid: int) -> int:
    """Return the resident memory of a process and its children, in bytes; shared pages of each."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0  # it has just ended
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(memory_of(int(child)) for child in children)


def timed(command: list[str], *, given: Iterable[bytes] = ()) -> dict[str, float]:
    """Run a command in a process, and return its rows per second and its peak memory.

    Args:
        command: the command.
        given: what it reads on stdin.
    """
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = 0
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe) as process:
        assert process.stdin and process.stderr
        feeder = threading.Thread(target=feed, args=(process.stdin, given))
        feeder.start()
        while process.poll() is None:
            peak = max(peak, memory_of(process.pid))
            time.sleep(0.2)
        feeder.join()
        errors = process.stderr.read()
    seconds = time.monotonic() - start
    assert process.returncode == 0, errors.decode()[-2000:]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "rows per second": round(ROWS / seconds),
        "rows per processor second": round(ROWS / used),
        "peak MB": round(int(errors.split()[-1]) / 1024),
        "peak MB of all processes": round(peak / 1e6),
    }


def feed(stdin: IO[bytes], given: Iterable[bytes]) -> None:
    """Write to the stdin of a process, and close it."""
    with stdin:
        stdin.writelines(given)


@pytest.mark.bench
@pytest.mark.timeout(7200)
def test_how_fast_a_corpus_is_prepared(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    path = tmp_path / "corpus.tsv"
    write_corpus(path, ROWS)
    rules = ("--max-repeats", "20", "--max-other-script", "0.5", "--max-unmatched", "0.5")
    repairs = ("--unescape-html", "--remove-controls", "--redact")
    ours = [sys.executable, "-c", PREPARE, "prepare", str(path), "-q", "-w"]
    (tmp_path / "datasets").mkdir()
    script = tmp_path / "peer.py"
    script.write_text(DATASETS)
    peer = [sys.executable, str(script), str(path), str(tmp_path / "datasets")]
    found = {"rows": ROWS, "cores": CORES, "s2s": timed([*ours, str(tmp_path / "w")])}
    found["s2s, one process"] = timed([*ours, str(tmp_path / "one"), "--workers", "1"])
    found["s2s, most rules"] = timed([*ours, str(tmp_path / "all"), *rules, *repairs])
    found["datasets, the same default rules"] = timed([*peer, "1"])
    if CORES > 1:
        found[f"datasets, {CORES} processes"] = timed([*peer, str(CORES)])
    show(found)
    corpus = tmp_path / "w" / "corpus"
    (account,) = json.loads((corpus / "report.json").read_text())["files"]
    assert account["kept"] + sum(account["dropped"].values()) == account["read"] == ROWS
    assert account["dropped"]["duplicate"] >= ROWS // 100
    for name in ("train.arrow", "report.json"):
        alone = tmp_path / "one" / "corpus" / name
        assert (corpus / name).read_bytes() == alone.read_bytes()


def made_rows(rows: int) -> Iterator[bytes]:
    """Yield rows as they are read, in blocks; one of a hundred is empty on one side."""
    words = random.Random(1)
    texts = [" ".join(words.choices(WORDS, k=words.randint(4, 16))) for _ in range(9973)]
    for start in range(0, rows, 10_000):
        numbers = range(start, min(rows, start + 10_000))
        pairs = ((n, texts[n % 9973]) for n in numbers)
        lines = (f"{text} {n}\t{f'{n} {text}' if n % 100 else ''}\n" for n, text in pairs)
        yield "".join(lines).encode()


@pytest.mark.bench
@pytest.mark.timeout(14_400)
def test_how_much_memory_a_corpus_of_any_size_needs(tmp_path: Path) -> None:
    ours = [sys.executable, "-c", PREPARE, "prepare", "-", "-q", "-w", str(tmp_path / "w")]
    show({"rows": ROWS, "s2s": timed(ours, given=made_rows(ROWS))})


@pytest.mark.bench
@pytest.mark.timeout(7200)
def test_how_fast_a_corpus_is_encoded(tmp_path: Path) -> None:
    """SentencePiece gets its texts in memory, and s2s reads them, starts processes and writes."""
    corpus = tmp_path / "corpus.tsv"
    write_corpus(corpus, ROWS)
    workspace, talk = Workspace(tmp_path / "w"), Talk(quiet=True)
    workers = local_workers(None)
    prepare(workspace, Inputs((corpus,)), PrepareSettings(), talk, workers=workers)
    train_tokenizer(workspace, TokenizerSettings(sample_size=100_000), talk, workers=workers)
    tokenizers, corpus_of = Tokenizers.load(workspace.tokenizer), Corpus.load(workspace.corpus)
    rows = sum(len(corpus_of.open_split(split)) for split in corpus_of.splits)
    processor = SentencePieceProcessor(model_proto=text_model(tokenizers.source))
    seconds = {"SentencePiece": 0.0, "s2s": 0.0}
    for split in corpus_of.splits:
        for sides in corpus_of.open_split(split).cells():
            start = time.perf_counter()
            for texts in sides:
                processor.encode(texts)
            seconds["SentencePiece"] += time.perf_counter() - start
    shutil.rmtree(workspace.encoded)
    start = time.perf_counter()
    with workspace.locked("train-tokenizer"):
        ensure_encoded(workspace, corpus_of, tokenizers, talk, workers=workers)
    seconds["s2s"] = time.perf_counter() - start
    rates = {name: round(rows / each) for name, each in seconds.items()}
    ratio = round(seconds["SentencePiece"] / seconds["s2s"], 2)
    show({"rows": rows, "cores": CORES, "rows per second": rates, "ratio": ratio})


def text_model(side: Source) -> bytes:
    assert isinstance(side, SentencePiece)
    return side.model
