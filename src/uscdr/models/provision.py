"""What a new place at the platform is made of. Times are aware UTC datetimes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, SecretStr, SerializationInfo, field_serializer

from uscdr.models.base import Fact, Moment, spelled
from uscdr.models.migrations import CodeMigrations


class Plan(Fact):
    """One add-on plan that is sold now: `heroku-postgresql:essential-0`; cents a month, None when not told."""

    name: str
    state: str = ""
    cents: int | None = None
    default: bool = False


class Domain(Fact):
    """One hostname of an app. `cname` is the DNS target, None while the platform has not made it yet."""

    id: str
    hostname: str
    kind: str
    status: str = ""
    cname: str | None = None
    acm_status: str | None = None
    """None, `pending`, `verified`, `dns-verified`, `cert issued`, `failing` or `failed`."""
    acm_reason: str = ""
    sni_endpoint: str | None = None


class Build(Fact):
    """One build. `status` is `pending`, `succeeded` or `failed`; slug and release are known once it succeeded."""

    id: str
    status: str
    commit: str = ""
    checksum: str = ""
    created_at: Moment | None = None
    slug_id: str | None = None
    release_id: str | None = None
    output_url: str | None = Field(default=None, repr=False)


def commit_of(slug_id: str | None, builds: Iterable[Build]) -> str:
    """The commit that a slug was built from; empty without a slug, and when no build tells."""
    made = (build.commit for build in builds if build.slug_id == slug_id and build.commit)
    return next(made, "") if slug_id is not None else ""


class LogDrain(Fact):
    """One log drain. Its address may carry credentials: of it only the host is for people.

    `url` is None where only the host was told; `addon` is the add-on that brings it along, or empty.
    """

    id: str
    host: str
    url: SecretStr | None = Field(default=None, repr=False)
    addon: str = ""

    @field_serializer("url")
    def _spell(self, url: SecretStr | None, info: SerializationInfo) -> str | None:
        return spelled(url, info) if url is not None else None


class Lack(Fact):
    """A path of a commit whose content is not in an archive of it: `backend/shared (submodule)`."""

    path: str
    what: Literal["submodule", "Git LFS pointer", "git-annex pointer", "link out of the tree", "locked by git-crypt"]

    def __str__(self) -> str:
        return f"{self.path} ({self.what})"


class SourceArchive(CodeMigrations):
    """A gzipped tarball of one commit, on this machine."""

    path: str
    commit: str
    sha256: str
    size: int
    files: tuple[str, ...]
    """Every path in the tree, for looks such as `Procfile` or `backend/manage.py`."""
    lacks: tuple[Lack, ...] = ()
    """Paths whose content is somewhere else, and so is not in the archive."""
    procfile: dict[str, str] = Field(default_factory=dict)
