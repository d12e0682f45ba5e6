"""Packing, unpacking and recognising source trees."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from uscdr.errors import BadInput
from uscdr.sandbox.boot.request import seconds
from uscdr.sandbox.boot.source import Source, files, read_env_file
from uscdr.sandbox.builds import slugs
from uscdr.sandbox.builds.origin import MAIN, File, Origin
from uscdr.sandbox.builds.slugs import BuildFailed


def _tree(root: Path) -> Path:
    (root / "backend" / "__pycache__").mkdir(parents=True)
    (root / "backend" / "manage.py").write_text("")
    (root / "backend" / "__pycache__" / "manage.pyc").write_text("")
    (root / ".git").mkdir()
    (root / "Procfile").write_text("# comment\nweb: run $PORT\nnot a line\nrelease: migrate --noinput\n")
    return root


def _packed(source: Source, directory: Path) -> Path:
    origin, archive = Origin(directory / "origin.git"), directory / "source.tgz"
    origin.create()
    origin.archive(origin.commit(MAIN, "all of it", files(source)), archive)
    return archive


def test_a_tree_goes_through_the_archive_without_its_caches(tmp_path: Path) -> None:
    source = Source(_tree(tmp_path / "tree"), None, {})
    archive = _packed(source, tmp_path)
    slug = slugs.make(archive, tmp_path, commit="c0ffee", buildpacks=[])
    files = {str(path.relative_to(slug.directory)) for path in slug.directory.rglob("*") if path.is_file()}
    assert files == {"Procfile", "backend/manage.py"}
    assert slug.process_types == {"web": "run $PORT", "release": "migrate --noinput"}
    assert slug.language == "Python"
    assert slug.checksum == slugs.digest(archive)
    assert source.manage == "python backend/manage.py"


@pytest.mark.parametrize("above", ["venv/lib", "node_modules/app", ".git/x", "__pycache__", ".tox", "a b/.venv"])
def test_a_tree_may_lie_in_any_folder(tmp_path: Path, above: str) -> None:
    root = _tree(tmp_path / above / "tree")
    (root / "venv").mkdir()
    (root / "venv" / "manage.py").write_text("")
    source = Source(root, None, {})
    assert source.manage == "python backend/manage.py"
    assert {file.path for file in files(source)} == {"Procfile", "backend/manage.py"}


def test_another_procfile_takes_the_place_of_the_trees_own(tmp_path: Path) -> None:
    other = tmp_path / "Other"
    other.write_text("web: elsewhere\n")
    archive = _packed(Source(_tree(tmp_path / "tree"), other, {}), tmp_path)
    assert slugs.make(archive, tmp_path, commit="1", buildpacks=[]).process_types == {"web": "elsewhere"}


def test_modes_links_and_odd_names_survive_the_repository(tmp_path: Path) -> None:
    root = _tree(tmp_path / "tree")
    (root / 'a "quoted" name').write_bytes(b"\x00binary\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("run.sh")
    slug = slugs.make(_packed(Source(root, None, {}), tmp_path), tmp_path, commit="1", buildpacks=[])
    assert (slug.directory / 'a "quoted" name').read_bytes() == b"\x00binary\n"
    assert (slug.directory / "run.sh").stat().st_mode & 0o100
    assert (slug.directory / "link").readlink() == Path("run.sh")


def test_the_same_content_gives_the_same_commits_and_an_edit_keeps_the_rest(tmp_path: Path) -> None:
    def written(name: str) -> tuple[Origin, str, str]:
        origin = Origin(tmp_path / name)
        origin.create()
        first = origin.commit(MAIN, "one", [File("a", b"1"), File("b/c", b"2")])
        return origin, first, origin.edit("hotfix", "two", {"a": b"3"}, parent=first)

    origin, first, second = written("one.git")
    assert (first, second) == written("two.git")[1:]
    assert (origin.tip(), origin.tip("hotfix")) == (first, second)
    assert (origin.read(second, "a"), origin.read(second, "b/c"), origin.paths(second)) == ("3", "2", ["a", "b/c"])
    assert origin.read(first, "a") == "1"


def test_one_directory_at_the_top_is_the_root(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "source.tgz", "w:gz") as tar:
        tar.add(_tree(tmp_path / "tree"), arcname="owner-repository-1234567")
    slug = slugs.make(tmp_path / "source.tgz", tmp_path, commit="1", buildpacks=[])
    assert (slug.directory / "Procfile").is_file()


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"\x1f\x8b broken"])
def test_what_is_no_archive_fails_and_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "source.tgz").write_bytes(content)
    with pytest.raises(BuildFailed):
        slugs.make(tmp_path / "source.tgz", tmp_path, commit="1", buildpacks=[])
    assert [path.name for path in tmp_path.iterdir()] == ["source.tgz"]


def test_an_archive_cannot_write_outside(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("../outside")
    entry.size = 1
    with tarfile.open(tmp_path / "source.tgz", "w:gz") as tar:
        tar.addfile(entry, io.BytesIO(b"x"))
    inner = tmp_path / "slugs"
    inner.mkdir()
    with pytest.raises(BuildFailed):
        slugs.make(tmp_path / "source.tgz", inner, commit="1", buildpacks=[])
    assert not (inner / "outside").exists()


@pytest.mark.parametrize(
    ("files", "buildpacks", "found"),
    [
        (["requirements.txt"], [], "Python"),
        (["package.json"], [], "Node.js"),
        (["package.json", "requirements.txt"], [], "Node.js"),
        (["package.json", "requirements.txt"], ["heroku/nodejs", "heroku/python"], "Python"),
    ],
)
def test_detection_takes_one_language_and_node_first(
    tmp_path: Path, files: list[str], buildpacks: list[str], found: str
) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert slugs.language(tmp_path, buildpacks) == found


def test_variables_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# c\n\nexport A='one two'\nB=x=y\n")
    assert read_env_file(path) == {"A": "one two", "B": "x=y"}
    path.write_text("A=1\nnonsense\n")
    with pytest.raises(BadInput, match="line 2"):
        read_env_file(path)


def test_lengths_of_time() -> None:
    assert [seconds(text) for text in ("90s", "30m", "3h", "2d", "1.5h")] == [90, 1800, 10800, 172800, 5400]
    for text in ("", "3", "h", "-1h", "3 h"):
        with pytest.raises(BadInput):
            seconds(text)
