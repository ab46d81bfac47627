"""Make Markdown of what benchmarks have shown; every number comes from their documents."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from tests.bench.results import Document


def number(value: Any) -> str:
    """Return a value as the page writes it: 1,234 and 0.56; a list of two numbers is a range."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{float(f'{value:.4g}'):,}"
    if isinstance(value, list | tuple):
        return ", ".join(map(number, value))
    return str(value)


def span(least: Any, most: Any) -> str:
    """Return a range."""
    return f"{number(least)} to {number(most)}"


def grid(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return a table of Markdown."""
    lines = [headings, ["---"] * len(headings), *([number(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


Path = tuple[str, ...]  # the keys that lead to a value


def figures(documents: Sequence[Document]) -> list[str]:
    """Show any documents, whose values are named by the keys that lead to them.

    Documents with the same keys stand side by side, or are the lines if there are more of them
    than keys. In other documents, mappings with the same keys are the lines of a table, and every
    other value has a line of its own.
    """
    flat = [dict(_flat(each)) for each in documents]
    names = list(flat[0])
    if len(flat) == 1 or any(list(each) != names for each in flat):
        return [line for each in flat for line in ("", *_tables(each))][1:]
    labels = [": ".join(name) for name in names]
    if len(flat) > len(names):
        return grid(labels, [list(each.values()) for each in flat])
    rows = [
        (label, *(each[name] for each in flat)) for label, name in zip(labels, names, strict=True)
    ]
    return grid(("what", *["value"] * len(flat)), rows)


def _flat(tree: Mapping[str, Any], *path: str) -> Iterable[tuple[Path, Any]]:
    for key, value in tree.items():
        words = (*path, key.replace("_", " "))
        if isinstance(value, Mapping):
            yield from _flat(value, *words)
        elif key not in ("table", "load"):
            yield words, value


def _tables(values: Mapping[Path, Any]) -> list[str]:
    """Show the values of a document: those of mappings with the same keys in a table for these."""
    mappings: dict[Path, dict[str, Any]] = {}
    for path, value in values.items():
        mappings.setdefault(path[:-1], {})[path[-1]] = value
    alike: dict[Path, list[Path]] = {}
    for path, mapping in mappings.items():
        alike.setdefault(tuple(mapping), []).append(path)
    shared = {keys: paths for keys, paths in alike.items() if len(keys) > 1 and len(paths) > 1}
    inside = {path for paths in shared.values() for path in paths}
    lone = [(": ".join(path), value) for path, value in values.items() if path[:-1] not in inside]
    lines = ["", *grid(("what", "value"), lone)] if lone else []
    for keys, paths in shared.items():
        steps = zip(*paths, strict=False)
        title = [step[0] for step in takewhile(lambda step: len({*step}) == 1, steps)]
        rows = [(": ".join(path[len(title) :]), *mappings[path].values()) for path in paths]
        lines += ["", *grid((": ".join(title) or "what", *keys), rows)]
    return lines[1:]


def training(documents: Sequence[Document]) -> list[str]:
    """Show s2s and its peers on one shape, and how the shape and the machine are."""
    lines = []
    for found in documents:
        ratios = found["s2s"]
        rows = [
            (
                label,
                f"{number(one['tokens_per_second'])} ({span(*one['tokens_per_second_range'])})",
                ratios["times_each_peer"].get(label),
                ratios["times_each_peer_by_cpu_seconds"].get(label),
                found["share_of_peak"][label],
                one["memory_mb"]["peak"],
            )
            for label, one in found["contenders"].items()
        ]
        columns = ("contender", "target tokens/s", "s2s is faster (times)", "by CPU time")
        lines += [*grid((*columns, "share of peak", "peak memory (MB)"), rows), ""]
        lines += _shape(found)
    return lines


def _shape(found: Document) -> list[str]:
    work, padding = found["mflop_per_target_token"], found["padding_of_an_epoch"]
    ours = found["contenders"]["s2s"]
    peaks = ", ".join(f"{name} {number(rate)}" for name, rate in found["gflops"].items())
    outside = 100 * ours["share_outside_forward_backward_optimizer"]
    thirds = number(ours["memory_mb"]["after_thirds"])
    return [
        f"Corpus: {found['corpus']}; {number(found['target_tokens_per_update'])} target tokens per "
        f"update; {number(100 * padding['source'])} % of the source positions and "
        f"{number(100 * padding['target'])} % of the target positions are padding. "
        f"{number(work['products_with_weights'])} MFLOP per target token in products with weights, "
        f"{number(work['attention_beside_them'])} in attention. "
        f"GFLOP/s of large products: {peaks}. "
        f"s2s spends {number(outside)} % of its time outside forward, backward and optimizer; its "
        f"memory after each third of the rounds: {thirds} MB."
    ]


def recipes(documents: Sequence[Document]) -> list[str]:
    """Show the built-in recipes, which have no peers."""
    rows = [
        (
            label,
            f"{number(one['tokens_per_second'])} ({span(*one['tokens_per_second_range'])})",
            one["tokens_per_cpu_second"],
            one["memory_mb"]["peak"],
        )
        for found in documents
        for label, one in found["contenders"].items()
    ]
    return grid(("recipe", "target tokens/s", "per CPU second", "peak memory (MB)"), rows)


def quality(documents: Sequence[Document]) -> list[str]:
    """Show what a time of training gave."""
    rows = [
        (
            run["recipe"],
            run["minutes_of_training"],
            run["minutes_to_prepare_and_train"],
            run["updates"],
            run["epochs"],
            f"{number(run['bleu'])} ({span(*run['interval'])})",
        )
        for found in documents
        for run in found["runs"]
    ]
    headings = ("recipe", "minutes of training", "with preparation", "updates", "epochs")
    return grid((*headings, "BLEU (95 % interval)"), rows)


def memory(documents: Sequence[Document]) -> list[str]:
    """Show the memory in each part of a run."""
    rows = [
        (f"{found['recipe']}, {number(found['minutes'])} minutes, {what}", *found[key])
        for found in documents
        for what, key in (("least", "least_mb"), ("most", "most_mb"))
    ]
    parts = range(1, len(documents[0]["least_mb"]) + 1)
    return grid(("MB in each part of the run", *map(str, parts)), rows)


def scale(documents: Sequence[Document]) -> list[str]:
    """Show how a run starts on corpora of several sizes."""
    rows = [
        (
            row["pairs"],
            row["in memory"]["seconds"],
            row["in memory"]["peak_mb"],
            row["in memory"]["own_mb"],
            row["from disk"]["seconds"],
            row["resumed"]["seconds"],
            [100 * share for share in row["padding"]],
        )
        for found in documents
        for row in found["rows"]
    ]
    headings = ("pairs", "files in memory (s)", "peak memory (MB)", "without files (MB)")
    return grid((*headings, "files from the disk (s)", "resumed (s)", "padding (%)"), rows)


def search(documents: Sequence[Document]) -> list[str]:
    """Show sentences per second of each decoder, and what s2s is over it."""
    names = list(dict.fromkeys(name for one in documents for name in one["sentences_per_second"]))
    rows = []
    for name in names:
        cells = []
        for one in documents:
            ratio = one["ours over"].get(name)
            over = "" if ratio is None else f" ({number(ratio)})"
            cells.append(f"{number(one['sentences_per_second'].get(name))}{over}")
        rows.append((name, *cells))
    columns = (f"{one['model']}, beam {one['beam_size']}" for one in documents)
    return grid(("sentences/s (ours over it)", *columns), rows)


def engine(documents: Sequence[Document]) -> list[str]:
    """Show the CPU time of the engine over that of CTranslate2 alone."""
    rows = [
        (
            f"{one['engine']}, beam {one['beam_size']}",
            one["cpu_seconds"]["ours"],
            *one["ours over"].values(),
        )
        for one in documents
    ]
    names = (f"over it {name}" for name in documents[0]["ours over"])
    return grid(("engine", "CPU seconds", *names), rows)
