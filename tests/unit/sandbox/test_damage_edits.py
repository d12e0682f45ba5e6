"""Changes that break a Django app's code: what they write, and where they refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from uscdr.sandbox.boot.source import CLINIC, Source, files
from uscdr.sandbox.builds.origin import MAIN, File, Origin
from uscdr.sandbox.damage import edits
from uscdr.sandbox.damage.edits import Changes, Tree

EDITS = (edits.crash_at_boot, edits.fail_every_request, edits.fork_migrations, edits.add_column_unmigrated)


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    made = Origin(tmp_path / "origin.git")
    made.create()
    return made


def _tree(origin: Origin, content: Mapping[str, str]) -> Tree:
    wanted = [File(path, text.encode()) for path, text in content.items()]
    return Tree(origin, origin.commit(MAIN, "a tree", wanted))


@pytest.mark.parametrize("edit", EDITS)
def test_each_change_of_the_clinic_is_python_that_compiles(origin: Origin, edit: Callable[[Tree], Changes]) -> None:
    tree = Tree(origin, origin.commit(MAIN, "the clinic", files(Source(CLINIC, None, {}))))
    changes = edit(tree)
    assert all(content.strip() for content in changes.values())
    for path, content in changes.items():
        if path.endswith(".py"):
            compile(content, path, "exec")
    changed = origin.edit("hotfix", "broken", changes, parent=tree.commit)
    assert changed != tree.commit
    assert set(origin.paths(changed)) == {*tree.paths(), *changes}


@pytest.mark.parametrize("edit", EDITS)
def test_a_tree_without_a_place_for_the_change_is_refused(origin: Origin, edit: Callable[[Tree], Changes]) -> None:
    with pytest.raises(ValueError, match=r"The app has no|Only the clinic"):
        edit(_tree(origin, {"index.html": "hello"}))


def test_the_release_phase_goes_with_the_migration_it_would_have_run(origin: Origin) -> None:
    tree = Tree(origin, origin.commit(MAIN, "the clinic", files(Source(CLINIC, None, {}))))
    changes = edits.add_column_unmigrated(tree)
    assert "release:" in tree.read("Procfile")
    assert "release:" not in changes["Procfile"].decode()
    assert "web:" in changes["Procfile"].decode()
    (migration,) = [path for path in changes if "/migrations/" in path]
    assert migration not in tree.paths()


def test_the_second_migration_has_the_parent_of_the_last_one(origin: Origin) -> None:
    names = ("0001_initial", "0002_more")
    tree = _tree(origin, {f"shop/migrations/{name}.py": "" for name in names})
    ((path, content),) = edits.fork_migrations(tree).items()
    assert path == "shop/migrations/0002_repair_after_hotfix.py"
    assert 'dependencies = [("shop", "0001_initial")]' in content.decode()
