"""Changes to a Django app's code that break it, as files to commit. Pure: nothing is built here.

Each function takes a way to read the tree and gives `{path: new content}`; ValueError when the tree has no place
for the change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uscdr.sandbox.builds.origin import Origin

Changes = dict[str, bytes]
_MIGRATION = re.compile(r"(?P<app>(?:.*/)?(?P<label>[^/]+))/migrations/(?P<name>\d{4}_\w+)\.py$")
_ANCHOR = "    middle_name = models.CharField(max_length=150, blank=True)\n"
_FIELD = '    preferred_name = models.CharField(max_length=150, blank=True, default="")\n'
_ACCOUNTS = "backend/authentication/models.py"

_TRACING = '''"""Samples requests for the performance dashboard."""

import os


class TraceMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.sampled = hash(request.path) % 100 < int(os.environ["TRACE_SAMPLE_PERCENT"])
        return self.get_response(request)
'''

_COLUMN = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("{label}", "{parent}")]
    operations = [
        migrations.AddField("user", "preferred_name", models.CharField(blank=True, default="", max_length=150))
    ]
"""

_FORK = """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("{label}", "{parent}")]
    operations = []
"""


@dataclass(frozen=True)
class Tree:
    """One commit's files."""

    origin: Origin
    commit: str

    def read(self, path: str) -> str:
        """A file's text."""
        return self.origin.read(self.commit, path)

    def paths(self) -> list[str]:
        """Every file."""
        return self.origin.paths(self.commit)


def crash_at_boot(tree: Tree) -> Changes:
    """The web server's entry imports a module that was never committed; management commands do not notice."""
    entries = [path for path in tree.paths() if path.endswith("/wsgi.py") or path == "wsgi.py"]
    if not entries:
        raise ValueError("The app has no wsgi.py to break.")
    package = entries[0].split("/")[-2] if "/" in entries[0] else "app"
    line = f"from {package}.telemetry import instrument\n\n"
    return {entries[0]: (line + tree.read(entries[0]) + "application = instrument(application)\n").encode()}


def fail_every_request(tree: Tree) -> Changes:
    """A middleware that needs a config var which nobody set: the process starts, every page answers 500."""
    for path in tree.paths():
        if path.endswith("settings.py") and "MIDDLEWARE = [" in (text := tree.read(path)):
            folder, _, _ = path.rpartition("/")
            package = folder.rpartition("/")[2]
            added = f'\nMIDDLEWARE.insert(0, "{package}.tracing.TraceMiddleware")\n'
            return {path: (text + added).encode(), f"{folder}/tracing.py": _TRACING.encode()}
    raise ValueError("The app has no settings.py with a list of middleware.")


def fork_migrations(tree: Tree) -> Changes:
    """A second migration on the same parent, as two branches give: `migrate` refuses before it changes anything."""
    app, known = _longest(tree)
    number, parent = int(known[-1][:4]), known[-2]
    content = _FORK.format(label=app.rpartition("/")[2], parent=parent)
    return {f"{app}/migrations/{number:04d}_repair_after_hotfix.py": content.encode()}


def add_column_unmigrated(tree: Tree) -> Changes:
    """The account table gets a column in code and migration, and the release phase goes: nobody migrates."""
    if _ACCOUNTS not in tree.paths() or _ANCHOR not in (models := tree.read(_ACCOUNTS)):
        raise ValueError("Only the clinic has the table that this adds a column to.")
    app = _ACCOUNTS.rpartition("/")[0]
    parent = _migrations(tree)[app][-1]
    migration = _COLUMN.format(label=app.rpartition("/")[2], parent=parent)
    procfile = [line for line in tree.read("Procfile").splitlines() if not line.startswith("release:")]
    return {
        _ACCOUNTS: models.replace(_ANCHOR, _ANCHOR + _FIELD).encode(),
        f"{app}/migrations/{int(parent[:4]) + 1:04d}_user_preferred_name.py": migration.encode(),
        "Procfile": ("\n".join(procfile) + "\n").encode(),
    }


def _migrations(tree: Tree) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(tree.paths()):
        if match := _MIGRATION.match(path):
            found.setdefault(match["app"], []).append(match["name"])
    return found


def _longest(tree: Tree) -> tuple[str, list[str]]:
    found = [item for item in _migrations(tree).items() if len(item[1]) > 1]
    if not found:
        raise ValueError("The app has no migrations to fork.")
    return max(found, key=lambda item: len(item[1]))
