"""Django's migrations in a commit's files: their names, and what squashed ones replace. No code is executed. Pure."""

from __future__ import annotations

import ast
import io
import re
import tarfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from uscdr.models.migration_files import MigrationFile
from uscdr.models.migrations import CodeMigrations
from uscdr.providers.source import operations

_FILE = re.compile(r"(?:.*/)?([^/]+)/migrations/((?!_)\w+)\.py")
"""Django takes every module there for a migration whose name does not begin with an underscore."""
_NUMBERED = re.compile(r"\d{4}_")
_CLASS = re.compile(r"^class\s+Migration\b", re.MULTILINE)
_INSTALLED = frozenset({"site-packages", "dist-packages", "node_modules"})
"""Libraries that were committed with the code; the platform installs its own."""


def names(files: Iterable[str]) -> dict[str, str]:
    """Path -> `app.name` of every `*/migrations/*.py` that may be a migration, and no part of a committed library."""
    found = (_FILE.fullmatch(path) for path in files if _INSTALLED.isdisjoint(PurePosixPath(path).parts))
    return {match[0]: f"{match[1]}.{match[2]}" for match in found if match}


def read(paths: Mapping[str, str], tar: bytes) -> CodeMigrations:
    """Which of `names` are migrations: numbered ones, and those whose text has a Migration; other code may lie there.

    `tar` holds their texts, and is not compressed.
    """
    texts = _texts(tar) if paths else {}
    known = {
        path: name
        for path, name in paths.items()
        if _NUMBERED.match(name.partition(".")[2]) or _CLASS.search(texts.get(path, ""))
    }
    old = {name: _replaced(texts.get(path, "")) for path, name in known.items()}
    squashed = {name: replaced for name, replaced in sorted(old.items()) if replaced}
    files = tuple(
        _file(name, {texts.get(path, "") for path, of in known.items() if of == name}) for name in _each(known)
    )
    return CodeMigrations(migrations=tuple(_each(known)), replaces=squashed, steps=files)


def _each(known: Mapping[str, str]) -> list[str]:
    return sorted(set(known.values()))


def _file(name: str, texts: set[str]) -> MigrationFile:
    """What it does; not understood where several files of that name say different things."""
    return operations.parse(name, texts.pop()) if len(texts) == 1 else MigrationFile(name=name, understood=False)


def _texts(tar: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as packed:
        files = ((one.name, packed.extractfile(one)) for one in packed if one.isfile())
        return {name: file.read().decode("utf-8", "replace") for name, file in files if file is not None}


def _replaced(text: str) -> tuple[str, ...]:
    """`replaces = [("app", "0001_name"), …]` of the class Migration, if it is a literal."""
    if "replaces" not in text:
        return ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strings with stray backslashes in other people's code
            pairs = [ast.literal_eval(value) for value in _values(ast.parse(text))]
        return tuple(f"{app}.{name}" for found in pairs for app, name in found)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return ()


def _values(module: ast.Module) -> Iterator[ast.expr]:
    """What is assigned to `replaces` in the class Migration."""
    classes = (one for one in module.body if isinstance(one, ast.ClassDef) and one.name == "Migration")
    for node in (node for one in classes for node in one.body):
        if isinstance(node, ast.Assign) and any(map(_is_replaces, node.targets)):
            yield node.value
        if isinstance(node, ast.AnnAssign) and node.value is not None and _is_replaces(node.target):
            yield node.value


def _is_replaces(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "replaces"
