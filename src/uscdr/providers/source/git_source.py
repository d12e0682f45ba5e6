"""The `SourceCode` port on any Git repository, with the `git` program."""

from __future__ import annotations

import difflib
import gzip
import hashlib
import io
import os
import posixpath
import re
import secrets
import shutil
import tarfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.errors import BadInput, MachineError, NotFound, ProviderError
from uscdr.models.migrations import Lack, SourceArchive
from uscdr.providers.http import download
from uscdr.providers.http.retry import OnWait, RetryingCaller, RetryPolicy
from uscdr.providers.source import git as address
from uscdr.providers.source import migrations
from uscdr.providers.source.git import PROVIDER, Git, GitLimit, ObjectMissing, environment, require_host

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from uscdr.models.migrations import CodeMigrations

# Private copies of single commits: one bare repository each, renamed when complete.


KEEP = 3
"""How many commits of one repository are kept."""
_ABANDONED_SECONDS = 86_400
_WHOLE = str(2**31 - 1)
"""The depth that means the full history."""
# Disables what `git archive` may change: the platform gets the commit unchanged.
_AS_IT_IS = "* -export-ignore -export-subst -text -eol -ident -filter -working-tree-encoding\n"


@dataclass(frozen=True)
class _CommitStore:
    """The copies below `root` of the repository at `address`; incomplete ones are in `work`."""

    root: Path
    address: str
    work: Path

    def copy(self, git: Git, commit: str) -> Path:
        """A bare repository with the commit of this full id; fetched if missing. Raises `NotFound`."""
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
        """The full id of an abbreviated one; fetches the whole history unless a copy exists. Raises `NotFound`."""
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
                f"uscdr cannot use the source cache in {self.root}.",
                why=f"{error.strerror}.",
                next_action="Free disk space, or correct the permissions of that directory.",
            ) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _fetch(self, git: Git, fresh: Path, commit: str) -> None:
        """Only that commit; everything when the server sends only named refs."""
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
            # Another run was faster: its copy is complete.
            if not place.is_dir():
                raise

    def _tidy(self) -> None:
        """Remove the oldest copies, and what a killed run left."""
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
        next_action="Check the commit id, and that the commit was pushed.",
    )


# Resolves branches and tags to commits. It never guesses a name.


COMMIT = re.compile(r"[0-9a-f]{40}")
SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|^[-/.]|/$|\.lock$|//")
_PEELED = "^{}"
_NEAR = 5


def check(ref: str) -> None:
    """Raises `BadInput` for an invalid name or id."""
    if not ref or _FORBIDDEN.search(ref):
        raise BadInput(
            f"{ref!r} is not a valid branch, tag or commit.", next_action="Correct `app.source.ref` or `--ref`."
        )


def _parse_refs(listing: bytes) -> dict[str, str]:
    """`git ls-remote` to name -> commit id; an annotated tag means the commit it points to."""
    refs: dict[str, str] = {}
    for line in listing.decode("utf-8", "replace").splitlines():
        commit, _, name = line.partition("\t")
        if name.endswith(_PEELED):
            refs[name.removesuffix(_PEELED)] = commit
        elif name:
            refs.setdefault(name, commit)
    return refs


def _choose(refs: Mapping[str, str], ref: str) -> str | None:
    """The commit id of `ref`, None when no branch or tag has that name; `BadInput` when two differ."""
    if ref in refs:
        return refs[ref]
    found = {full: refs[full] for full in (f"refs/heads/{ref}", f"refs/tags/{ref}") if full in refs}
    if len(set(found.values())) > 1:
        raise BadInput(
            f"{ref} is both a branch and a tag, of different commits.",
            next_action=f"Give the full name: {' or '.join(found)}.",
        )
    return next(iter(found.values()), None)


def _unknown(refs: Mapping[str, str], ref: str) -> NotFound:
    """The error for an unknown name, with similar names."""
    names = sorted({re.sub(r"^refs/(?:heads|tags)/", "", name) for name in refs})
    near = difflib.get_close_matches(ref, names, n=_NEAR, cutoff=0.5) or names[:_NEAR]
    return NotFound(
        f"The source repository has no branch, tag or commit {ref}.",
        provider=PROVIDER,
        why=f"It has {', '.join(near)}." if near else "It is empty.",
        next_action="Correct `app.source.ref` or `--ref`.",
    )


# Content that a packed commit references but lacks: pointers to other stores, links out of the tree.


_LONGEST_POINTER = 1024
"""Bytes: a pointer of Git LFS is shorter, by its specification."""
_LFS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
_ANNEX, _ANNEXED = b"/annex/objects/", ".git/annex/"
_CRYPT = b"\0GITCRYPT\0"


def _submodules(paths: Sequence[str]) -> tuple[Lack, ...]:
    """Submodules: a commit only references them."""
    return tuple(Lack(path=path, what="submodule") for path in paths)


def _find_lacks(archive: Path) -> tuple[Lack, ...]:
    """Everything else, by the content of a gzipped tarball."""
    with tarfile.open(archive, "r:gz") as packed:
        return tuple(_in(packed))


def _in(packed: tarfile.TarFile) -> Iterator[Lack]:
    for member in packed:
        if member.issym():
            if _ANNEXED in member.linkname:
                yield Lack(path=member.name, what="git-annex pointer")
            elif _leads_out(member):
                yield Lack(path=member.name, what="link out of the tree")
        elif member.isfile() and (file := packed.extractfile(member)) is not None:
            lack = _pointer(member.name, file.read(_LONGEST_POINTER), whole=member.size <= _LONGEST_POINTER)
            if lack is not None:
                yield lack


def _pointer(path: str, head: bytes, *, whole: bool) -> Lack | None:
    if head.startswith(_CRYPT):
        return Lack(path=path, what="locked by git-crypt")
    if whole and head.startswith(_LFS) and b"\noid " in head:
        return Lack(path=path, what="Git LFS pointer")
    if whole and head.startswith(_ANNEX):
        return Lack(path=path, what="git-annex pointer")
    return None


def _leads_out(link: tarfile.TarInfo) -> bool:
    if link.linkname.startswith("/"):
        return True
    target = posixpath.normpath(posixpath.join(posixpath.dirname(link.name), link.linkname))
    return target == ".." or target.startswith("../")


# Packs a tar stream: gzipped, hashed while writing, private, and named only when complete.


_LEVEL = 6


def _pack(tar: Iterable[bytes], destination: Path) -> download.WrittenFile:
    """Write `tar` gzipped to `destination` (0600, replaced if it exists).

    The same tar gives the same bytes: the header has no name and no time. Raises `MachineError`.
    """
    shown = str(destination)
    with download.disk_faults(shown):
        destination.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return download.write(_gzipped(tar), destination, shown=shown)


def _gzipped(tar: Iterable[bytes]) -> Iterator[bytes]:
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=packed, mtime=0) as file:
        for chunk in tar:
            file.write(chunk)
            yield _drained(packed)
    yield _drained(packed)


def _drained(buffer: io.BytesIO) -> bytes:
    data = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return data


# Reads submodules and process types from a commit's files. Pure.


PROCFILE = "Procfile"
_SUBMODULE = "160000"
_PROCESS = re.compile(r"([A-Za-z0-9_-]+):[ \t]*(\S.*?)\s*")


@dataclass(frozen=True)
class _Tree:
    """The files of a commit, and the paths of its submodules."""

    files: tuple[str, ...]
    submodules: tuple[str, ...]


def _parse_tree(listing: bytes) -> _Tree:
    """`git ls-tree -r -z --full-tree`: `mode type id<TAB>path`, each ended by NUL."""
    entries = [entry.partition("\t") for entry in listing.decode("utf-8", "replace").split("\0") if entry]
    files = tuple(path for facts, _, path in entries if not facts.startswith(_SUBMODULE))
    return _Tree(files, tuple(path for facts, _, path in entries if facts.startswith(_SUBMODULE)))


def _parse_procfile(text: str) -> dict[str, str]:
    """Process type -> command; other lines are ignored, as on the platform."""
    found = (_PROCESS.fullmatch(line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match}


ATTEMPTS = 3


class GitSource:
    """The code at `git`, a path on this machine or an https or ssh address; it is only ever read.

    `cache` is a private directory for fetched commits; incomplete fetches are in `work`, a directory of this process on
    the same disk, or in `cache`. `timeout` is the total seconds of one call. Raises `ConfigError` for an address with a
    secret or without encryption.
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
        self._store = _CommitStore(cache, self._address, work or cache)
        self._timeout = timeout
        self._env = environment(os.environ if env is None else env)
        policy = RetryPolicy(attempts=ATTEMPTS, seconds=timeout)
        self._patience = RetryingCaller(policy=policy, stop=stop, on_wait=on_wait)

    def resolve(self, ref: str) -> str:
        """`git ls-remote` for a name; an id is looked up in the repository itself."""
        check(ref)
        git = self._git()
        return self._patience.call(lambda: self._resolve(git, ref), writes=False)

    def archive(self, ref: str, directory: Path) -> SourceArchive:
        """`git archive` of the unchanged commit: no attribute, filter or submodule changes it."""
        check(ref)
        git = self._git()
        return self._patience.call(lambda: self._archive(git, ref, directory), writes=False)

    def _git(self) -> Git:
        """Git with the time limit of one call."""
        return Git(self._env, GitLimit.of(self._timeout, self._patience.stop))

    def _resolve(self, git: Git, ref: str) -> str:
        if COMMIT.fullmatch(ref):
            self._store.copy(git, ref)
            return ref
        more = (ref,) if ref.startswith("refs/") else ()
        require_host(self._address)
        known = _parse_refs(git.run("ls-remote", "--", self._address, "HEAD", "refs/heads/*", "refs/tags/*", *more))
        found = _choose(known, ref)
        if found is not None:
            return found
        if not SHORT_COMMIT.fullmatch(ref):
            raise _unknown(known, ref)
        try:
            return self._store.expand(git, ref)
        except ObjectMissing:
            raise _unknown(known, ref) from None

    def _archive(self, git: Git, ref: str, directory: Path) -> SourceArchive:
        commit = self._resolve(git, ref)
        inside = ("--git-dir", str(self._store.copy(git, commit)))
        listed = _parse_tree(git.run(*inside, "ls-tree", "-r", "-z", "--full-tree", commit))
        destination = directory / f"{commit}.tar.gz"
        packed = _pack(git.chunks(*inside, "archive", "--format=tar", commit), destination)
        found = _migrations(git, inside, commit, listed.files)
        return SourceArchive(
            path=str(destination),
            commit=commit,
            sha256=packed.sha256,
            size=packed.size,
            files=listed.files,
            lacks=(*_submodules(listed.submodules), *_find_lacks(destination)),
            procfile=_procfile(git, inside, commit, listed.files),
            migrations=found.migrations,
            replaces=found.replaces,
            steps=found.steps,
        )


def _procfile(git: Git, inside: tuple[str, ...], commit: str, files: tuple[str, ...]) -> dict[str, str]:
    if PROCFILE not in files:
        return {}
    text = git.run(*inside, "cat-file", "blob", f"{commit}:{PROCFILE}")
    return _parse_procfile(text.decode("utf-8", "replace"))


def _migrations(git: Git, inside: tuple[str, ...], commit: str, files: tuple[str, ...]) -> CodeMigrations:
    names = migrations.names(files)
    packed = git.run(*inside, "archive", "--format=tar", commit, "--", *names) if names else b""
    return migrations.read(names, packed)
