"""Private copies of single commits: one bare repository each, made under another name and renamed when whole.

Nothing is ever updated in place, so that a kill leaves no lock and no half commit, and two runs cannot collide.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from uscdr.errors import MachineError, ProviderError
from uscdr.providers.source.complaints import PROVIDER, ObjectMissing
from uscdr.providers.source.program import Git
from uscdr.providers.source.reach import require_host

KEEP = 3
"""How many commits of one repository are kept."""
_ABANDONED_SECONDS = 86_400
_WHOLE = str(2**31 - 1)
"""The depth that git takes for everything."""
# What `git archive` may do to a tree, and must not: the platform gets the commit as it is.
_AS_IT_IS = "* -export-ignore -export-subst -text -eol -ident -filter -working-tree-encoding\n"


@dataclass(frozen=True)
class Store:
    """The copies below `root` of the repository at `address`; what is not whole yet is in `work`."""

    root: Path
    address: str
    work: Path

    def copy(self, git: Git, commit: str) -> Path:
        """A bare repository that holds the commit with this full id; fetched unless it is there. `NotFound`."""
        place = self._place(commit)
        if _holds(git, place, commit):
            with suppress(OSError):
                place.touch()
            return place
        with self._new(git) as fresh:
            self._fetch(git, fresh, commit)
            self._keep(git, fresh, commit)
        return place

    def expand(self, git: Git, short: str) -> str:
        """The full id of an abbreviated one; needs the whole history unless a copy is there. `NotFound`."""
        known = sorted(self.root.glob(f"{self._key}-{short}*.git"))
        if len(known) == 1:
            return known[0].stem.rpartition("-")[2]
        with self._new(git) as fresh:
            self._fetch_all(git, fresh)
            commit = git.run("--git-dir", str(fresh), "rev-parse", "--verify", f"{short}^{{commit}}").decode().strip()
            self._keep(git, fresh, commit)
        return commit

    @property
    def _key(self) -> str:
        return hashlib.sha256(self.address.encode()).hexdigest()[:16]

    def _place(self, commit: str) -> Path:
        return self.root / f"{self._key}-{commit}.git"

    @contextmanager
    def _new(self, git: Git) -> Iterator[Path]:
        """An empty bare repository, removed at the end unless it was renamed meanwhile."""
        fresh = self.work / f".{secrets.token_hex(8)}.part"
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._tidy()
            fresh.mkdir(mode=0o700)
            git.run("init", "--quiet", "--bare", "--template=", "--object-format=sha1", str(fresh))
            (fresh / "info").mkdir(exist_ok=True)
            (fresh / "info" / "attributes").write_text(_AS_IT_IS)
            yield fresh
        except OSError as error:
            raise MachineError(
                f"The cache of the source in {self.root} cannot be used.",
                why=f"{error.strerror}.",
                next_action="Free some space, or correct the rights of that directory.",
            ) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _fetch(self, git: Git, fresh: Path, commit: str) -> None:
        """That commit alone; everything when the server gives only what it has a name for."""
        try:
            self._ask(git, fresh, "--depth=1", "--", self.address, commit)
        except ObjectMissing:
            self._fetch_all(git, fresh)
        if not _holds(git, fresh, commit):
            raise _missing(commit)

    def _fetch_all(self, git: Git, fresh: Path) -> None:
        names = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        self._ask(git, fresh, f"--depth={_WHOLE}", "--", self.address, *names)

    def _ask(self, git: Git, fresh: Path, *arguments: str) -> None:
        require_host(self.address)
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")
        git.run("--git-dir", str(fresh), "fetch", *options, *arguments)

    def _keep(self, git: Git, fresh: Path, commit: str) -> None:
        place = self._place(commit)
        if _holds(git, place, commit):
            return
        shutil.rmtree(place, ignore_errors=True)
        try:
            fresh.rename(place)
        except OSError:
            # Another run was faster: what it made is whole.
            if not place.is_dir():
                raise

    def _tidy(self) -> None:
        """Drop the oldest copies, and what a killed run left."""
        copies = sorted(self.root.glob(f"{self._key}-*.git"), key=_age)
        left = [part for part in self.root.glob(".*.part") if _age(part) > _ABANDONED_SECONDS]
        for gone in (*copies[KEEP - 1 :], *left):
            shutil.rmtree(gone, ignore_errors=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _holds(git: Git, repository: Path, commit: str) -> bool:
    if not repository.is_dir():
        return False
    try:
        git.run("--git-dir", str(repository), "cat-file", "-e", f"{commit}^{{tree}}")
    except ProviderError:
        git.limit.heed()
        return False
    return True


def _missing(commit: str) -> ProviderError:
    return ObjectMissing(
        f"The source repository has no commit {commit}.",
        provider=PROVIDER,
        next_action="Check the commit id; was it pushed?",
    )
