"""Code and releases in memory: `ports.Deploys` and `ports.SourceCode` over `fakes.World`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from fakes import World
from uscdr.errors import NotFound
from uscdr.models.heroku import Release
from uscdr.models.provision import Build, SourceArchive

COMMITS = {"main": "c" * 40, "old": "b" * 40}


def history(world: World) -> None:
    """Three releases with code, the newest runs; each with its build."""
    world.releases = []
    for version, commit in ((39, "b" * 40), (40, "c" * 40), (41, "d" * 40)):
        _release(world, f"Deploy {commit[:8]}", f"slug-{version}")
        world.releases[0] = world.releases[0].model_copy(update={"version": version})
        world.build_list.insert(0, Build(id=f"build-{version}", status="succeeded", commit=commit,
                                         slug_id=f"slug-{version}", release_id=f"release-{version}"))  # fmt: skip
    world.releases = [r.model_copy(update={"id": f"release-{r.version}"}) for r in world.releases]
    world.bad_slugs = {"slug-41"}
    world.intact_web = False


def _release(world: World, description: str, slug: str | None) -> Release:
    world.releases = [r.model_copy(update={"current": False}) for r in world.releases]
    version = world.releases[0].version + 1 if world.releases else 1
    made = Release(
        id=f"release-{version}", version=version, status="succeeded", description=description, current=True,
        created_at=datetime.now(UTC), slug_id=slug, eligible_for_rollback=True,
    )  # fmt: skip
    world.releases.insert(0, made)
    world.intact_web = slug not in world.bad_slugs
    return made


class FakeDeploys:
    """`ports.Deploys`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def release(self, app: str, ref: str) -> Release:
        def look() -> Release:
            for release in self._world.releases:
                if ref in (release.id, str(release.version), f"v{release.version}"):
                    return release
            raise NotFound(f"There is no release {ref}.", provider="fake", status=404)

        return self._world.call("release", look)

    def rollback(self, app: str, release_id: str) -> Release:
        def effect() -> Release:
            target = next(r for r in self._world.releases if r.id == release_id)
            return _release(self._world, f"Rollback to v{target.version}", target.slug_id)

        return self._world.write("rollback", effect, release_id)

    def builds(self, app: str) -> tuple[Build, ...]:
        return self._world.call("builds", lambda: tuple(self._world.build_list))

    def build(self, app: str, build_id: str) -> Build:
        return self._world.call("build", lambda: next(b for b in self._world.build_list if b.id == build_id))

    def start_build(self, app: str, archive: SourceArchive) -> Build:
        def effect() -> Build:
            slug = f"slug-of-{archive.commit[:4]}-{len(self._world.build_list)}"
            release = _release(self._world, f"Deploy {archive.commit[:8]}", slug)
            made = Build(
                id=f"build-{release.version}", status="succeeded", commit=archive.commit, checksum=archive.sha256,
                slug_id=slug, release_id=release.id,
            )  # fmt: skip
            self._world.build_list.insert(0, made)
            return made

        return self._world.write("start_build", effect, archive.commit[:4])

    def follow(self, url: str, on_line: Callable[[str], None]) -> None:
        on_line("-----> Building")

    def release_output(self, app: str, ref: str) -> str | None:
        return None


class FakeSource:
    """`ports.SourceCode`: two refs, whose migrations are what the world has deployed."""

    def __init__(self, world: World) -> None:
        self._world = world

    def resolve(self, ref: str) -> str:
        if ref not in COMMITS:
            raise NotFound(f"There is no ref {ref}.", provider="source", status=404)
        return COMMITS[ref]

    def archive(self, ref: str, directory: Path) -> SourceArchive:
        path = directory / f"{ref[:8]}.tar.gz"
        path.write_bytes(ref.encode())
        known = () if ref.startswith("b") else tuple(self._world.deployed)
        return SourceArchive(
            path=str(path), commit=COMMITS.get(ref, ref), sha256="0" * 64, size=path.stat().st_size,
            files=("Procfile",), migrations=known or tuple(self._world.live.applied[:1]),
        )  # fmt: skip
