"""Without an extra, a command works or names the extra before it changes anything."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from uscdr.installation import MODULES

SOURCE = Path(__file__).parents[3] / "src"
OPTIONAL = frozenset(name for names in MODULES.values() for name in names)
CLINIC = SOURCE / "uscdr" / "sandbox" / "clinic"
"""A program of its own, which the sandbox starts."""
BEHIND = {
    "uscdr/store/errors.py": "uscdr/store/location.py",
    "uscdr/store/connections.py": "uscdr/store/location.py",
    "uscdr/store/bucket.py": "uscdr/store/location.py",
    "uscdr/store/web_page.py": "uscdr/store/location.py",
}
"""Modules that only `location._adapter` imports, which names the extra."""
SANDBOX = "uscdr/sandbox/"
"""Behind `launch.up`, which looks for the libraries before it starts the process that imports them."""
CLIENTS = ("launch", "client", "describe", "audit", "state", "processes", "lifeline", "boot/request", "faults/rules")
"""What of the sandbox other rooms import."""

BLOCKED = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(OPTIONAL)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name in {sorted(OPTIONAL)!r} else find(name, *more)
"""


def modules() -> list[Path]:
    return sorted(path for path in (SOURCE / "uscdr").rglob("*.py") if CLINIC not in path.parents)


def unguarded(tree: ast.Module) -> Iterator[str]:
    """Optional modules that are imported where nothing says which extra has them."""
    yield from _in(tree.body)


def _in(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if one.name.partition(".")[0] in OPTIONAL)
            case ast.ImportFrom(module=str(name), level=0) if name.partition(".")[0] in OPTIONAL:
                yield name
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=orelse):
                yield from _in(orelse)
            case ast.Try(handlers=handlers) if any(map(_says, handlers)):
                continue
            case _:
                yield from _deeper(node)


def _deeper(node: ast.stmt) -> Iterator[str]:
    for part in ("body", "orelse", "finalbody"):
        yield from _in(getattr(node, part, None) or [])
    for handler in getattr(node, "handlers", []):
        yield from _in(handler.body)
    if not hasattr(node, "body"):
        yield from _by_name(node)


def _by_name(node: ast.AST) -> Iterator[str]:
    for call in ast.walk(node):
        match call:
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name))]):
                if name.partition(".")[0] in OPTIONAL:
                    yield name


def _says(handler: ast.ExceptHandler) -> bool:
    """Whether a missing library is handled: the extra is named, or another place is looked at."""
    return isinstance(handler.type, ast.Name) and handler.type.id == "ImportError"


def test_every_import_of_an_optional_library_is_guarded() -> None:
    found = {}
    for path in modules():
        name = path.relative_to(SOURCE).as_posix()
        inside = name.startswith(SANDBOX) and name.removeprefix(SANDBOX).removesuffix(".py") not in CLIENTS
        if not inside and name not in BEHIND and (wrong := list(unguarded(ast.parse(path.read_text())))):
            found[name] = wrong
    assert found == {}


def test_unguarded_ones_are_found() -> None:
    plain = (
        "def f():\n    import pyrage\n    from django.db import models\n    return importlib.import_module('obstore')"
    )
    assert list(unguarded(ast.parse(plain))) == ["pyrage", "django.db", "obstore"]
    guarded = "try:\n    import pyrage\nexcept ImportError as error:\n    raise MissingExtra from error"
    assert list(unguarded(ast.parse(guarded))) == []


def test_what_is_behind_a_guard_is_imported_by_name_only() -> None:
    """A statement would load the library before the guard."""
    behind = {name.removesuffix(".py").replace("/", ".") for name in BEHIND}
    for path in modules():
        name = path.relative_to(SOURCE).as_posix()
        if name in BEHIND:
            continue
        tree = ast.parse(path.read_text())
        loaded = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
        assert not loaded & behind, name


def test_every_command_loads_without_any_extra(tmp_path: Path) -> None:
    """And so does every module but those behind a guard."""
    names = []
    for path in modules():
        name = path.relative_to(SOURCE).as_posix()
        if name not in BEHIND and not name.startswith(SANDBOX):
            names.append(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    names = [name for name in names if not name.endswith("__main__")]
    names += [f"uscdr.sandbox.{one.replace('/', '.')}" for one in CLIENTS]
    _call(f"import importlib\nfor name in {names!r}: importlib.import_module(name)", tmp_path)


COMMANDS = [
    ("sandbox", ["sandbox", "up"]),
    *(("sandbox", ["drill", kind]) for kind in ("db", "app", "media", "infra", "backups")),
    ("vault", ["kit", "list", "--to", "s3://safe-of-ours"]),
    ("vault", ["kit", "check", "s3://safe-of-ours"]),
    ("vault", ["kit", "build", "--capture", "--recipient", "age1abc"]),
    ("vault", ["backup", "pull", "--recipient", "age1abc"]),
    ("vault", ["kit", "restore", "--into", "files", "--identity", "key.txt"]),
]


def test_each_command_names_its_extra_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("AGE-SECRET-KEY-1ABC\n")
    (tmp_path / "key.txt").chmod(0o600)
    before = sorted(tmp_path.rglob("*"))
    lines = [["--json", *words] for _, words in COMMANDS]
    done = _call(f"from uscdr.cli.main import run\nfor words in {lines!r}: assert run(words) == 3, words", tmp_path)
    told = [one["error"] for one in map(json.loads, done.stdout.splitlines()) if "error" in one]
    assert len(told) == len(COMMANDS)
    for (extra, words), error in zip(COMMANDS, told, strict=True):
        assert error["kind"] == "MissingExtra", words
        assert f"“{extra}”" in error["why"], words
        assert f"[{extra}]" in error["next_action"], words
    assert "not known" not in done.stdout + done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_without_postgresql_the_sandbox_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from uscdr.errors import MachineError, MissingExtra
    from uscdr.pgserver import cluster
    from uscdr.sandbox import launch
    from uscdr.sandbox.boot.request import UpRequest
    from uscdr.sandbox.state import StateDir

    monkeypatch.setattr(cluster, "_in_wheel", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match="libraries") as refused:
        launch.up(StateDir(tmp_path / "sandbox"), UpRequest(), lambda text: None)
    assert "“sandbox”" in refused.value.why
    assert not (tmp_path / "sandbox").exists()
    with pytest.raises(MachineError) as missing:
        cluster.find_server()
    assert "“proof”" in missing.value.next_action
    assert "[proof]" in missing.value.next_action


def _call(program: str, home: Path, *, code: int = 0) -> subprocess.CompletedProcess[str]:
    """A process without the optional libraries, which must end with that code."""
    env = {"HOME": str(home), "PATH": os.defpath, "USCDR_STATE_DIR": str(home / "state"), "HEROKU_API_KEY": "HRKU-none"}
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + program], cwd=home, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done
