"""Code and releases in memory: `ports.Deploys` and `ports.SourceCode` over `fakes.World`.

Releases and builds end when they are looked at for the `slowness`-th time, as `release_doom` and `build_doom` say.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from fakes import World
from uscdr.errors import NotFound
from uscdr.models.heroku import Build, Release
from uscdr.models.migrations import Lack, SourceArchive

COMMITS = {"main": "c" * 40, "old": "b" * 40, "hotfix": "d" * 40}


def history(world: World) -> None:
    """Three releases with code, the newest runs; each with its build."""
    world.releases = []
    for version, commit in ((39, "b" * 40), (40, "c" * 40), (41, "d" * 40)):
        add_release(world, f"Deploy {commit[:8]}", f"slug-{version}", version=version)
        world.build_list.insert(0, Build(id=f"build-{version}", status="succeeded", commit=commit,
                                         slug_id=f"slug-{version}", release_id=f"release-{version}"))  # fmt: skip
    world.bad_slugs = {"slug-41"}
    world.intact_web = False


def add_release(
    world: World, description: str, slug: str | None, *, version: int | None = None, status: str = "succeeded"
) -> Release:
    """A release of that code under the variables of now; it runs if it succeeded."""
    number = version or (world.releases[0].version + 1 if world.releases else 1)
    made = Release(
        id=f"release-{number}", version=number, status=status, description=description, current=False,
        created_at=datetime.now(UTC), slug_id=slug, eligible_for_rollback=status == "succeeded",
    )  # fmt: skip
    world.releases.insert(0, made)
    world.vars_of[made.id] = world.vars
    return world.run(made) if status == "succeeded" else made


class FakeDeploys:
    """`ports.Deploys`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def release(self, app: str, ref: str) -> Release:
        def look() -> Release:
            for release in self._world.releases:
                if ref in (release.id, str(release.version), f"v{release.version}"):
                    return self._world.progress(release)
            raise NotFound(f"There is no release {ref}.", provider="fake", status=404)

        return self._world.call("release", look)

    def rollback(self, app: str, release_id: str) -> Release:
        def effect() -> Release:
            target = next(r for r in self._world.releases if r.id == release_id)
            self._world.vars = self._world.vars_of.get(target.id, self._world.vars)
            return add_release(self._world, f"Rollback to v{target.version}", target.slug_id, status="pending")

        return self._world.write("rollback", effect, release_id)

    def builds(self, app: str) -> tuple[Build, ...]:
        return self._world.call("builds", lambda: tuple(self._world.build_list))

    def build(self, app: str, build_id: str) -> Build:
        def look() -> Build:
            build = next(b for b in self._world.build_list if b.id == build_id)
            return self._built(build) if build.status == "pending" and self._world.due(build_id) else build

        return self._world.call("build", look)

    def _built(self, build: Build) -> Build:
        status = self._world.build_doom.pop(0) if self._world.build_doom else "succeeded"
        changes: dict[str, object] = {"status": status}
        if status == "succeeded":
            slug = f"slug-of-{build.id}"
            release = add_release(self._world, f"Deploy {build.commit[:8]}", slug, status="pending")
            changes |= {"slug_id": slug, "release_id": release.id}
        ended = build.model_copy(update=changes)
        self._world.build_list = [ended if b.id == build.id else b for b in self._world.build_list]
        return ended

    def start_build(self, app: str, archive: SourceArchive) -> Build:
        def effect() -> Build:
            made = Build(
                id=f"build-of-{archive.commit[:4]}-{len(self._world.build_list)}", status="pending",
                commit=archive.commit, checksum=archive.sha256,
            )  # fmt: skip
            self._world.build_list.insert(0, made)
            return made

        return self._world.write("start_build", effect, archive.commit[:4])

    def follow(self, url: str, on_line: Callable[[str], None]) -> None:
        for line in self._world.told or ("-----> Building",):
            on_line(line)

    def release_output(self, app: str, ref: str) -> str | None:
        return "https://output.example/" if self._world.told else None


class FakeSource:
    """`ports.SourceCode`: refs whose migrations are what the world has deployed; `old` has only the first."""

    lacks: tuple[Lack, ...] = ()
    """What every archive does not hold."""

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
        known = known or tuple(self._world.live.applied[:1])
        return SourceArchive(
            path=str(path), commit=COMMITS.get(ref, ref), sha256="0" * 64, size=path.stat().st_size,
            files=("Procfile",), migrations=known,
            replaces={name: old for name, old in self._world.replaced.items() if name in known}, lacks=self.lacks,
            steps=tuple(one for one in self._world.files if one.name in known),
        )  # fmt: skip
