"""What the rooms promise of their code: which way imports go, and what must not exist."""

import ast
import functools
import graphlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import s2scli

PACKAGE = Path(s2scli.__file__).parent
TESTS = Path(__file__).parent
MODULES = sorted(path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py"))
ROOMS = ("data", "tokenizer", "model", "search", "training", "metrics", "report", "export")
FOUNDATIONS = (
    "settings",
    "workspace",
    "manifest",
    "artifacts",
    "files",
    "memory",
    "special_ids",
    "scripts",
    "devices",
    "sides",
    "sizes",
    "synonyms",
    "tags",
    "normalization",
)
# A part imports from its own layer's part and from the layers after it.
LAYERS = (
    *(("__main__",), ("cli",), ("pipeline",), ("serve",)),
    *(("translation",), ("config",)),
    *(ROOMS, FOUNDATIONS, ("errors",)),
)
LAYER_OF = {part: number for number, layer in enumerate(LAYERS) for part in layer}
SIDEWAYS = {
    *{("search", "model"), ("training", "model"), ("training", "data")},
    *{("export", "model"), ("export", "tokenizer"), ("data", "tokenizer")},
}
HEAVY = ("torch", "sentencepiece", "sacrebleu", "pyarrow")
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
UNSAFE_CALLS = {"eval", "exec", "__import__", "torch.load", "os.system", "os.popen"}
UNSAFE_FLAGS = {"shell", "allow_pickle"}
# Members of a union or of a table: the contract that runs over all of them is their test.
CONTRACTS = {
    "data/cleaning": "test_cleaning.py",
    "data/formats": "test_formats.py",
    "model/attention": "test_attention.py",
    "model/connection": "test_matrix.py",
    "model/decoder": "test_decoders.py",
    "model/encoder": "test_encoders.py",
}
# What a command of training needs beside its own file in the pipeline.
BESIDE_COMMANDS = {
    *{"budget", "rehearse", "samples", "space", "study", "processes"},
    *{"session", "start", "validation", "publishing", "carry_over", "segmenters"},
    *{"pictures", "inspect_pictures", "evaluate_latent", "evaluate_alignment"},
    *{"evaluate_request", "evaluation", "texts", "evaluate_noise"},
    *{"inputs", "parts", "overwriting", "subtitles", "watching"},
    *{"explaining", "suggesting", "report_card", "reproducing"},
    *{"workers", "cluster", "encoding", "translation_shards"},
}
NOT_COMMANDS = {
    *{"__init__", "advice", "app", "completion", "constraints", "everyday", "flags", "help"},
    *{"cards", "cleaning", "map_options", "options"},
}
NAMELESS = ("util", "helper", "common", "misc", "constants")
MAX_LINES = 60


@functools.cache
def nodes_of(module: Path) -> tuple[ast.AST, ...]:
    """Return all nodes of a module's syntax tree."""
    return tuple(ast.walk(ast.parse((PACKAGE.parent / module).read_text(encoding="utf-8"))))


def imports_of(module: Path) -> Iterator[str]:
    """Yield the dotted name of everything a module imports, inside functions too."""
    for node in nodes_of(module):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative import"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def calls_of(module: Path) -> Iterator[ast.Call]:
    return (node for node in nodes_of(module) if isinstance(node, ast.Call))


def strings_of(module: Path) -> list[str]:
    constants = [node for node in nodes_of(module) if isinstance(node, ast.Constant)]
    return [node.value for node in constants if isinstance(node.value, str)]


def name_of(module: Path) -> str:
    parts = module.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(name: str) -> str | None:
    """Return the part of the package a dotted name is in; None is outside or the package itself."""
    package, _, rest = name.partition(".")
    part = rest.partition(".")[0]
    return part if package == "s2scli" and part in LAYER_OF else None


def may_import(importer: str, imported: str) -> bool:
    if importer == imported or (importer, imported) in SIDEWAYS:
        return True
    if importer in FOUNDATIONS and imported in FOUNDATIONS:
        return True
    return LAYER_OF[importer] < LAYER_OF[imported]


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("cli", "pipeline", True),
        ("cli", "report", True),
        ("search", "model", True),
        ("workspace", "files", True),
        ("model", "search", False),
        ("report", "metrics", False),
        ("training", "search", False),
        ("training", "metrics", False),
        ("pipeline", "translation", True),
        ("translation", "pipeline", False),
        ("pipeline", "serve", True),
        ("serve", "translation", True),
        ("serve", "pipeline", False),
        ("pipeline", "cli", False),
        ("data", "config", False),
        ("errors", "settings", False),
    ],
)
def test_arrows(importer: str, imported: str, allowed: bool) -> None:
    assert may_import(importer, imported) is allowed


def test_every_part_has_its_layer() -> None:
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert found - {"__init__", "__pycache__", "recipes"} - set(LAYER_OF) == set()


def imports_against_the_layers(module: Path) -> list[str]:
    importer = part_of(name_of(module))
    if importer is None:  # s2scli/__init__.py, the Python API
        return []
    return [
        name
        for name in imports_of(module)
        if (imported := part_of(name)) is not None and not may_import(importer, imported)
    ]


@pytest.mark.gate
def test_no_module_imports_itself_in_a_circle() -> None:
    names = {name_of(module) for module in MODULES}
    graph = {
        name_of(module): {
            name if name in names else name.rpartition(".")[0]
            for name in imports_of(module)
            if name.startswith("s2scli.")
        }
        for module in MODULES
        if name_of(module) != "s2scli"
    }
    tuple(graphlib.TopologicalSorter(graph).static_order())


KERNELS = "s2scli.model.kernels"
PARTS_OF_MODEL = re.compile(
    r"(?<!recipe\.)\bmodel\.(output|connection|source|target|encoder|decoder)\b|\.table\b"
)
LIBRARIES = ("torch.ops", "torch.backends", "torch.cpu")
MODES = ("is_grad_enabled", "is_inference_mode_enabled", "is_autocast_enabled")


def is_kernel(name: str) -> bool:
    return name == KERNELS or name.startswith(f"{KERNELS}.")


def questions_of_kernels(module: Path) -> list[str]:
    """Outside nobody asks what this runs on or which mode PyTorch is in; to enter one is fine."""
    name = name_of(module)
    imports = list(imports_of(module))
    attributes = [node for node in nodes_of(module) if isinstance(node, ast.Attribute)]
    wrong = []
    if name != f"{KERNELS}.machine":  # only Kernel.runs asks for modes
        wrong += [ast.unparse(node) for node in attributes if node.attr in MODES]
        wrong += [each for each in imports if each.endswith(MODES)]
    if not is_kernel(name):
        wrong += [path for node in attributes if (path := ast.unparse(node)) in LIBRARIES]
        wrong += [text for text in strings_of(module) if "cpuinfo" in text]
        wrong += [each for each in imports if each.startswith(LIBRARIES)]
    return wrong


def imports_of_kernels_from_elsewhere(module: Path) -> list[str]:
    """Kernels import nothing else of the package."""
    own = [name for name in imports_of(module) if name.startswith("s2scli.")]
    return [name for name in own if is_kernel(name_of(module)) and not is_kernel(name)]


def reaches_into_a_model(module: Path) -> list[str]:
    """Its parts are its own; `recipe.model.connection` and the like are settings."""
    if name_of(module).startswith("s2scli.model"):
        return []
    paths = [ast.unparse(node) for node in nodes_of(module) if isinstance(node, ast.Attribute)]
    tables = [text for text in strings_of(module) if re.search(r"(source|target)\.table", text)]
    return [path for path in paths if PARTS_OF_MODEL.search(path)] + tables


def test_packages_of_the_model_import_each_other_one_way() -> None:
    graph: dict[str, set[str]] = {}
    for module in MODULES:
        package = _package_of_model(name_of(module))
        if package is not None:
            found = map(_package_of_model, imports_of(module))
            graph.setdefault(package, set()).update(each for each in found if each)
            graph[package].discard(package)
    assert {"kernels", "attention", "transformer", "decoder"} <= graph.keys()
    tuple(graphlib.TopologicalSorter(graph).static_order())


def _package_of_model(name: str) -> str | None:
    """Return the package inside the model that a dotted name is in; None for its own modules."""
    parts = name.removeprefix("s2scli.model.").split(".")
    is_package = name.startswith("s2scli.model.") and (PACKAGE / "model" / parts[0]).is_dir()
    return parts[0] if is_package else None


def prints_and_logs(module: Path) -> list[str]:
    printed = [f"print in line {call.lineno}" for call in calls_of(module) if named(call, "print")]
    return printed + [name for name in imports_of(module) if name.partition(".")[0] == "logging"]


def runs_code_from_data(module: Path) -> list[str]:
    wrong = [
        name
        for name in imports_of(module)
        if name.partition(".")[0] in UNSAFE_MODULES
        or name.startswith("torch.distributed.checkpoint")
        or name in UNSAFE_CALLS
    ]
    for call in calls_of(module):
        flags = {keyword.arg for keyword in call.keywords if not _is_false(keyword.value)}
        if not loads_no_code(call) or flags & UNSAFE_FLAGS:
            wrong.append(f"line {call.lineno}")
    return wrong


def named(call: ast.Call, name: str) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == name


def loads_no_code(call: ast.Call) -> bool:
    """Whether a call runs no code from data; `torch.load` may read tensors and plain values."""
    plain = [each for each in call.keywords if ast.unparse(each) == "weights_only=True"]
    return ast.unparse(call.func) not in UNSAFE_CALLS - ({"torch.load"} if plain else set())


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


def says_nothing_by_its_name(module: Path) -> list[str]:
    return [part for part in module.parts if part.startswith(NAMELESS)]


def functions_longer_than_a_screen(module: Path) -> list[str]:
    wrong = []
    for node in nodes_of(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.body[0].lineno + 1  # without the signature
            wrong += [f"{node.name} has {lines} lines"] if lines > MAX_LINES else []
    return wrong


def has_code(module: Path) -> bool:
    """Whether a module has functions or methods to test; those of a protocol have no body."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not all(map(says_nothing, node.body))
        for node in nodes_of(module)
    )


def says_nothing(statement: ast.stmt) -> bool:
    """Whether a statement is a docstring, `...` or `pass`."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass)


def has_no_test(module: Path) -> list[str]:
    if module.stem in ("__init__", "__main__") or not has_code(module):
        return []
    folder = module.relative_to("s2scli").parent
    contract = CONTRACTS.get(folder.as_posix())
    path = Path("contracts") / contract if contract else folder / f"test_{module.stem}.py"
    return [] if (TESTS / path).exists() else [f"there is no tests/{path.as_posix()}"]


@pytest.mark.parametrize(
    "fault",
    [
        imports_against_the_layers,
        questions_of_kernels,
        imports_of_kernels_from_elsewhere,
        reaches_into_a_model,
        prints_and_logs,
        runs_code_from_data,
        says_nothing_by_its_name,
        functions_longer_than_a_screen,
        has_no_test,
    ],
    ids=lambda fault: fault.__name__,
)
def test_no_module_has_the_fault(fault: Callable[[Path], list[str]]) -> None:
    assert {str(module): found for module in MODULES if (found := fault(module))} == {}


def test_every_command_is_one_file_in_the_pipeline() -> None:
    commands = {path.stem for path in (PACKAGE / "cli").glob("*.py")} - NOT_COMMANDS
    stories = {path.stem for path in (PACKAGE / "pipeline").glob("*.py")} - {"__init__"}
    assert stories == commands | BESIDE_COMMANDS


def test_help_imports_nothing_heavy() -> None:
    program = f"""
import json, sys
import typer
from s2scli.cli.app import app
commands = typer.main.get_command(app).commands
for arguments in ([], *([name] for name in commands)):
    try:
        app([*arguments, "--help"])
    except SystemExit as end:
        assert not end.code, arguments
    assert arguments or "rich" not in sys.modules
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""
    command = [sys.executable, "-X", "utf8", "-c", program]
    result = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    assert json.loads(result.stdout.splitlines()[-1]) == []
