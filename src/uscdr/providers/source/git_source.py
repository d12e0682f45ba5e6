"""The `SourceCode` port on any Git repository, by the `git` program."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

from uscdr.models.migrations import CodeMigrations
from uscdr.models.provision import SourceArchive
from uscdr.providers.retry import OnWait, Patience, RetryPolicy
from uscdr.providers.source import address, lacks, migrations, refs, tarball, tree
from uscdr.providers.source.complaints import ObjectMissing
from uscdr.providers.source.lacks import submodules
from uscdr.providers.source.program import Git, Limit, environment
from uscdr.providers.source.reach import patience, require_host
from uscdr.providers.source.store import Store

ATTEMPTS = 3


class GitSource:
    """The code at `git`, a path on this machine or an https or ssh address; it is only ever read.

    `cache` is a private directory for fetched commits; what is being fetched lies in `work`, a directory of this
    process on the same disk, or in `cache` too. `timeout` is the
    seconds one call may take in all.
    Raises `ConfigError` for an address that holds a secret or would be read in clear text.
    """

    def __init__(
        self,
        git: str,
        *,
        cache: Path,
        timeout: float,
        work: Path | None = None,
        stop: threading.Event | None = None,
        on_wait: OnWait | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._address = address.checked(git)
        self._store = Store(cache, self._address, work or cache)
        self._timeout = timeout
        self._env = environment(os.environ if env is None else env)
        policy = RetryPolicy(attempts=ATTEMPTS, seconds=timeout)
        self._patience = Patience(policy=policy, stop=stop, on_wait=on_wait)

    def resolve(self, ref: str) -> str:
        """`git ls-remote` for a name; an id is looked for in the repository itself."""
        refs.check(ref)
        git = self._git()
        return self._patience.call(lambda: self._resolve(git, ref), writes=False)

    def archive(self, ref: str, directory: Path) -> SourceArchive:
        """`git archive` of the commit, as it is: no attribute, filter or submodule changes what is packed."""
        refs.check(ref)
        git = self._git()
        return self._patience.call(lambda: self._archive(git, ref, directory), writes=False)

    def _git(self) -> Git:
        """Git with the time limit of one call."""
        return Git({**self._env, **patience()}, Limit.of(self._timeout, self._patience.stop))

    def _resolve(self, git: Git, ref: str) -> str:
        if refs.COMMIT.fullmatch(ref):
            self._store.copy(git, ref)
            return ref
        more = (ref,) if ref.startswith("refs/") else ()
        require_host(self._address)
        known = refs.parse(git.run("ls-remote", "--", self._address, "HEAD", "refs/heads/*", "refs/tags/*", *more))
        found = refs.choose(known, ref)
        if found is not None:
            return found
        if not refs.SHORT_COMMIT.fullmatch(ref):
            raise refs.unknown(known, ref)
        try:
            return self._store.expand(git, ref)
        except ObjectMissing:
            raise refs.unknown(known, ref) from None

    def _archive(self, git: Git, ref: str, directory: Path) -> SourceArchive:
        commit = self._resolve(git, ref)
        inside = ("--git-dir", str(self._store.copy(git, commit)))
        listed = tree.parse(git.run(*inside, "ls-tree", "-r", "-z", "--full-tree", commit))
        destination = directory / f"{commit}.tar.gz"
        packed = tarball.pack(git.chunks(*inside, "archive", "--format=tar", commit), destination)
        found = _migrations(git, inside, commit, listed.files)
        return SourceArchive(
            path=str(destination),
            commit=commit,
            sha256=packed.sha256,
            size=packed.size,
            files=listed.files,
            lacks=(*submodules(listed.submodules), *lacks.found(destination)),
            procfile=_procfile(git, inside, commit, listed.files),
            migrations=found.migrations,
            replaces=found.replaces,
            steps=found.steps,
        )


def _procfile(git: Git, inside: tuple[str, ...], commit: str, files: tuple[str, ...]) -> dict[str, str]:
    if tree.PROCFILE not in files:
        return {}
    text = git.run(*inside, "cat-file", "blob", f"{commit}:{tree.PROCFILE}")
    return tree.procfile(text.decode("utf-8", "replace"))


def _migrations(git: Git, inside: tuple[str, ...], commit: str, files: tuple[str, ...]) -> CodeMigrations:
    names = migrations.names(files)
    packed = git.run(*inside, "archive", "--format=tar", commit, "--", *names) if names else b""
    return migrations.read(names, packed)
