"""How fast a corpus is prepared, against HuggingFace `datasets` with the same rules.

S2S_BENCH_ROWS sets the number of rows (1,000,000 by default). Each contender runs in a process of
its own, so that its memory is its own.
"""

import json
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bench.showing import show

ROWS = int(os.environ.get("S2S_BENCH_ROWS", "1000000"))
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


def timed(command: list[str]) -> dict[str, float]:
    """Run a command in a process, and return its rows per second and its peak memory."""
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, errors = process.communicate()
    seconds = time.monotonic() - start
    assert process.returncode == 0, errors.decode()[-2000:]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "rows per second": round(ROWS / seconds),
        "rows per processor second": round(ROWS / used),
        "peak MB": round(int(errors.split()[-1]) / 1024),
    }


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
    found = {"rows": ROWS, "s2s, default rules": timed([*ours, str(tmp_path / "w")])}
    found["s2s, most rules"] = timed([*ours, str(tmp_path / "all"), *rules, *repairs])
    found["datasets, the same default rules"] = timed([*peer, "1"])
    show(found)
    report = json.loads((tmp_path / "w" / "corpus" / "report.json").read_text())
    (account,) = report["files"]
    assert account["kept"] + sum(account["dropped"].values()) == account["read"] == ROWS
    assert account["dropped"]["duplicate"] >= ROWS // 100
