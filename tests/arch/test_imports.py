"""Who may import whom, how long files and functions may be, and what no module may do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "cwsync"
MODULES = sorted(SRC.rglob("*.py"))

# package (or module) -> the packages of ours that it may import. Everything else is refused.
ALLOWED = {
    "__main__": {"cli", "errors", "render", "redaction", "__init__"},
    "__init__": set(),
    # At the bottom: whoever meets a secret, or text that may hold one, can use it.
    "redaction": set(),
    "errors": set(),
    "files": {"errors"},
    "log": {"errors", "model", "render", "redaction"},
    "model": {"model"},
    "provider": {"model", "errors", "tokens", "__init__"},
    "tokens": {"model", "errors", "redaction"},
    # What providers share of the network; it knows no service and no feature.
    "http": {"http", "errors", "redaction", "tokens"},
    "config": {"config", "mappings", "model", "errors", "provider", "files", "redaction"},
    "planner": {"planner", "model", "errors"},
    "state": {"state", "model", "errors", "files", "redaction", "tokens"},
    "providers": {"providers", "provider", "model", "errors", "files", "http", "redaction", "tokens"},
    "engine": {
        "engine",
        "planner",
        "state",
        "provider",
        "http",
        "mappings",
        "errors",
        "model",
        "files",
        "redaction",
        "tokens",
    },
    # What is known of anime: a data set, its file and its download. Providers and the planner know nothing of it.
    "mappings": {"mappings", "model", "errors", "files", "http", "redaction", "tokens"},
    "render": {"render", "model", "redaction"},
    "cli": {
        "cli",
        "engine",
        "config",
        "render",
        "mappings",
        "model",
        "errors",
        "provider",
        "log",
        "files",
        "redaction",
        "__init__",
    },
}
# Outside the standard library, by package.
THIRD_PARTY = {
    "cli": {"typer", "rich"},
    "render": {"rich"},
    "config": {"pydantic", "pydantic_settings", "platformdirs"},
    "state": {"filelock"},
    "http": {"httpx", "tenacity"},
}


def room(path: Path) -> str:
    relative = path.relative_to(SRC)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SRC)))
def test_imports_stay_in_their_lanes(path):
    import sys

    here = room(path)
    assert here in ALLOWED, f"{here} has no rule yet: add one with a reason"
    for name, line in imports(ast.parse(path.read_text(encoding="utf-8"))):
        top, _, rest = name.partition(".")
        where = f"{path.relative_to(SRC)}:{line} imports {name}"
        if top == "cwsync":
            there = rest.partition(".")[0]
            target = there if (SRC / there).is_dir() or (SRC / f"{there}.py").is_file() else "__init__"
            assert target in ALLOWED[here], where
        elif top not in sys.stdlib_module_names:
            assert top in THIRD_PARTY.get(here, set()), where


@pytest.mark.parametrize("path", sorted((SRC / "providers").glob("*.py")), ids=lambda path: path.name)
def test_a_provider_imports_no_other_provider_but_shared_bases(path):
    for name, line in imports(ast.parse(path.read_text(encoding="utf-8"))):
        if name.startswith("cwsync.providers."):
            assert name.split(".")[2].startswith("_"), f"{path.name}:{line} imports {name}"


@pytest.mark.parametrize("path", sorted((SRC / "planner").glob("*.py")), ids=lambda path: path.name)
def test_the_planner_is_pure(path):
    """No clock, no logging, no files, no randomness: the same inputs give the same plan."""
    refused = {"time", "logging", "os", "pathlib", "random", "secrets", "asyncio", "locale"}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [name for name, _ in imports(tree) if name.partition(".")[0] in refused]
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not [call for call in calls if call.endswith((".now", ".utcnow", ".today")) or call in ("open", "print")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SRC)))
def test_files_and_functions_stay_within_the_walls(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 600
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            assert size <= 80, f"{node.name} has {size} lines"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SRC)))
def test_nothing_is_swallowed(path):
    """No bare and no broad `except`, but for the one that reports our own bugs."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = ast.unparse(node.type) if node.type else "everything"
        if room(path) == "__main__" or path.name == "output.py":
            continue
        assert not {"Exception", "BaseException", "everything"} & set(
            caught.replace("(", " ").replace(")", " ").split()
        )


def test_only_the_command_line_and_the_engine_know_of_apply_and_dry_runs():
    for path in MODULES:
        if room(path) in ("cli", "engine", "render", "model"):
            continue
        names = {
            node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)
        }
        assert "dry_run" not in names, path


def test_provider_names_stand_in_the_registry_only():
    from cwsync.provider import provider_names

    for path in MODULES:
        if path == SRC / "provider.py" or room(path) == "providers":
            continue
        if path == SRC / "model" / "items.py" or room(path) == "mappings":
            continue  # there they are namespaces of ids, which some services share their name with
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in provider_names():
                pytest.fail(f"{path.relative_to(SRC)}:{node.lineno} names the provider {node.value!r}")


PURE_MAPPINGS = ("links", "parse", "relate", "translate", "complete", "overrides", "indexfile")


@pytest.mark.parametrize("name", PURE_MAPPINGS)
def test_what_a_mapping_means_is_pure(name):
    """No clock, no files, no network: they are in `store` and `fetch` alone."""
    tree = ast.parse((SRC / "mappings" / f"{name}.py").read_text(encoding="utf-8"))
    refused = {"time", "logging", "os", "pathlib", "random", "asyncio", "locale", "socket"}
    names = {found for found, _ in imports(tree)}
    assert not {one for one in names if one.partition(".")[0] in refused}
    assert {one for one in names if one.startswith("cwsync.http")} <= {"cwsync.http.answer.parse_json"}
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not [call for call in calls if call.endswith((".now", ".utcnow", ".today")) or call in ("open", "print")]
