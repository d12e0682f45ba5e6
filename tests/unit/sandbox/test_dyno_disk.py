"""A dyno's own disk."""

from __future__ import annotations

from pathlib import Path

from uscdr.sandbox.dynos import filesystem


def test_what_a_dyno_writes_goes_with_it_and_its_bytecode_stays(tmp_path: Path) -> None:
    slug = tmp_path / "slug"
    (slug / "app").mkdir(parents=True)
    (slug / "app" / "main.py").write_text("print()")
    (slug / "link").symlink_to("app/main.py")
    home = filesystem.copy(slug, "run.1")
    assert (home / "link").read_text() == "print()"
    (home / "app" / "main.py").unlink()
    (home / "app" / "new.txt").write_text("new")
    (home / "app" / "__pycache__").mkdir()
    (home / "app" / "__pycache__" / "main.pyc").write_text("compiled")
    (home / "made" / "__pycache__").mkdir(parents=True)
    filesystem.remove(home, slug=slug)
    assert not home.exists()
    found = {str(path.relative_to(slug)) for path in slug.rglob("*") if not path.is_dir()}
    assert found == {"app/main.py", "app/__pycache__/main.pyc", "link"}
