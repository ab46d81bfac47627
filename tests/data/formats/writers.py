"""Write pairs in every format with fields, each with the library that owns the format."""

import csv
import html
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

Pairs = Sequence[tuple[str, str]]


def jsonl(path: Path, pairs: Pairs) -> None:
    rows = (json.dumps({"source": source, "target": target}) for source, target in pairs)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def csv_file(path: Path, pairs: Pairs) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("source", "target"), *pairs])
    path.write_bytes(text.getvalue().encode())


def table(pairs: Pairs) -> pa.Table:
    sources, targets = zip(*pairs, strict=True) if pairs else ((), ())
    return pa.table(
        {"source": pa.array(sources, pa.string()), "target": pa.array(targets, pa.string())}
    )


def parquet(path: Path, pairs: Pairs) -> None:
    pyarrow.parquet.write_table(table(pairs), path, row_group_size=2)


def arrow_file(path: Path, pairs: Pairs) -> None:
    with pa.ipc.new_file(path, table(pairs).schema) as writer:
        writer.write_table(table(pairs), max_chunksize=2)


def arrow_stream(path: Path, pairs: Pairs) -> None:
    with pa.ipc.new_stream(path, table(pairs).schema) as writer:
        writer.write_table(table(pairs), max_chunksize=2)


def feather(path: Path, pairs: Pairs) -> None:
    pyarrow.feather.write_feather(table(pairs), path)


def tmx(path: Path, pairs: Pairs) -> None:
    root = ElementTree.Element("tmx", version="1.4")
    ElementTree.SubElement(root, "header", srclang="en")
    body = ElementTree.SubElement(root, "body")
    for pair in pairs:
        unit = ElementTree.SubElement(body, "tu")
        for language, text in zip(("en-GB", "de"), pair, strict=True):
            variant = ElementTree.SubElement(unit, "tuv", {"xml:lang": language})
            ElementTree.SubElement(variant, "seg").text = text
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def sgm(path: Path, texts: Sequence[str], kind: str = "src") -> None:
    segments = (f'<seg id="{n}">{html.escape(text)}</seg>\n' for n, text in enumerate(texts, 1))
    body = f'<{kind}set setid="a"><doc docid="d">\n{"".join(segments)}</doc></{kind}set>\n'
    path.write_text(body, encoding="utf-8")


WRITERS: dict[str, Callable[[Path, Pairs], None]] = {
    "a.jsonl": jsonl,
    "a.csv": csv_file,
    "a.parquet": parquet,
    "a.arrow": arrow_file,
    "stream.arrow": arrow_stream,
    "a.feather": feather,
    "a.tmx": tmx,
}


def write(folder: Path, name: str, pairs: Pairs) -> list[Path]:
    """Write pairs into a folder; return the files to give to a command."""
    if name == "a.sgm":
        paths = [folder / "a.src.sgm", folder / "a.ref.sgm"]
        for path, texts, kind in zip(paths, zip(*pairs, strict=True), ("src", "ref"), strict=True):
            sgm(path, texts, kind)
        return paths
    if name == "dataset":
        return [dataset(folder / "dataset", pairs)]
    WRITERS[name](folder / name, pairs)
    return [folder / name]


def dataset(folder: Path, pairs: Pairs) -> Path:
    """Write a folder as `datasets.Dataset.save_to_disk` does, in two files."""
    folder.mkdir()
    half, names = len(pairs) // 2, ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    arrow_stream(folder / names[0], pairs[:half])
    arrow_stream(folder / names[1], pairs[half:])
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")
    return folder


EVERY = (*WRITERS, "a.sgm", "dataset")
