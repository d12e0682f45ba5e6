"""Code out of real Git repositories on this machine, by path and over HTTP."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import os
import stat
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from uscdr.errors import (
    BadInput,
    ConfigError,
    CredentialsRefused,
    Interrupted,
    MachineError,
    NotFound,
    ProviderError,
    UscdrError,
)
from uscdr.providers.source import git_source as tarball
from uscdr.providers.source.git import environment
from uscdr.providers.source.git_source import GitSource

Serve = Callable[..., str]

ENV = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
IDENTITY = {f"GIT_{who}_{fact}": "t@t.example" for who in ("AUTHOR", "COMMITTER") for fact in ("NAME", "EMAIL")}


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=repository,
        env={**ENV, **IDENTITY, "HOME": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(repository: Path, **files: str) -> str:
    for name, text in files.items():
        path = repository / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(repository, "add", "--all")
    git(repository, "commit", "-qm", "change")
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits on main, the first one tagged, the second with a Procfile and migrations."""
    place = tmp_path / "code"
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    commit(place, readme="one\n")
    git(place, "tag", "-a", "v1", "-m", "one")
    for name in ("backend/patients/migrations/0001_initial.py", "backend/patients/migrations/0002_more.py"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("")
    library = place / "venv/lib/site-packages/django/contrib/auth/migrations/0001_initial.py"
    library.parent.mkdir(parents=True)
    library.write_text("")
    (place / "Procfile").write_text("# what runs\nrelease: cd backend && migrate\nweb: gunicorn $PORT\n\nnot a line\n")
    commit(place, backend__manage="x\n")
    return place


@pytest.fixture
def source(repository: Path, tmp_path: Path) -> GitSource:
    return GitSource(str(repository), cache=tmp_path / "cache", timeout=30, env={**ENV, "HOME": str(tmp_path)})


def members(archive: str) -> dict[str, bytes]:
    with tarfile.open(archive) as packed:
        return {one.name: (packed.extractfile(one) or pytest.fail(one.name)).read() for one in packed if one.isfile()}


def test_names_mean_the_commit_they_point_to(source: GitSource, repository: Path) -> None:
    head, first = git(repository, "rev-parse", "HEAD"), git(repository, "rev-parse", "HEAD~1")
    for ref in ("main", "HEAD", "refs/heads/main", head, head[:9]):
        assert source.resolve(ref) == head
    for ref in ("v1", "refs/tags/v1", first, first[:8]):
        assert source.resolve(ref) == first


def test_an_archive_is_exactly_the_commit(source: GitSource, repository: Path, tmp_path: Path) -> None:
    head = git(repository, "rev-parse", "main")
    (repository / "readme").write_text("not committed\n")
    archive = source.archive("main", tmp_path / "out")
    path = Path(archive.path)
    assert (archive.commit, path.name) == (head, f"{head}.tar.gz")
    assert archive.size == path.stat().st_size
    assert archive.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(archive.files) == sorted(members(archive.path)) == git(repository, "ls-files").splitlines()
    assert members(archive.path)["readme"] == b"one\n"
    assert archive.procfile == {"release": "cd backend && migrate", "web": "gunicorn $PORT"}
    assert archive.migrations == ("patients.0001_initial", "patients.0002_more")
    assert [one.name for one in path.parent.iterdir()] == [path.name]


DJANGO = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    {body}\n"


def migrating(repository: Path, **bodies: str) -> None:
    """Files of migrations of `patients`, each with a class of that body."""
    place = repository / "backend/patients/migrations"
    for name, body in bodies.items():
        (place / f"{name}.py").write_text(DJANGO.format(body=body))
    git(repository, "add", "--all")
    git(repository, "commit", "-qm", "migrations")


def test_migrations_named_by_hand_and_what_squashed_ones_replace_are_read(
    source: GitSource, repository: Path, tmp_path: Path
) -> None:
    old = '[("patients", "0001_initial"), ("patients", "0002_more")]'
    migrating(
        repository, by_hand="pass", squashed_initial=f"replaces = {old}",
        **{"0001_squashed_0002_more": f"replaces: list[tuple[str, str]] = {old}"},
    )  # fmt: skip
    place = repository / "backend/patients/migrations"
    for name, text in (("__init__", ""), ("_draft", DJANGO.format(body="pass")), ("helpers", "class Other: ...\n")):
        (place / f"{name}.py").write_text(text)
    (repository / "tools/migrations").mkdir(parents=True)
    (repository / "tools/migrations/env.py").write_text("import os\n")
    commit(repository, readme="more\n")
    found = source.archive("main", tmp_path / "out")
    assert found.migrations == (
        "patients.0001_initial", "patients.0001_squashed_0002_more", "patients.0002_more", "patients.by_hand",
        "patients.squashed_initial",
    )  # fmt: skip
    both = ("patients.0001_initial", "patients.0002_more")
    assert found.replaces == {"patients.0001_squashed_0002_more": both, "patients.squashed_initial": both}


@pytest.mark.parametrize(
    "body",
    [
        "replaces = [(__import__('os').system('touch {mark}'), 'x')]",
        "replaces = [(app, 'x') for app in ('patients',)]",
        "replaces = [('patients',)]",
        "replaces = 7",
        "replaces = [(",
        "replaces = " + "-" * 100_000 + "1",
        "x = 'replaces \\d'",
        "replaces = [\0]",
    ],
)
def test_what_is_no_plain_list_of_replaced_migrations_is_neither_run_nor_guessed(
    source: GitSource, repository: Path, tmp_path: Path, body: str
) -> None:
    mark = tmp_path / "mark"
    migrating(repository, **{"0003_odd": body.replace("{mark}", str(mark))})
    found = source.archive("main", tmp_path / "out")
    assert ("patients.0003_odd" in found.migrations, found.replaces, mark.exists()) == (True, {}, False)


def test_the_same_commit_gives_the_same_bytes(source: GitSource, tmp_path: Path) -> None:
    one, two = source.archive("main", tmp_path / "a"), source.archive("main", tmp_path / "b")
    assert one.sha256 == two.sha256
    assert gzip.decompress(Path(one.path).read_bytes()) == gzip.decompress(Path(two.path).read_bytes())
    assert source.archive("main", tmp_path / "a") == one


def test_attributes_and_filters_change_nothing(source: GitSource, repository: Path, tmp_path: Path) -> None:
    commit(
        repository,
        **{".gitattributes": "secret export-ignore\nstamp export-subst ident\nbig filter=lfs\ncrlf text eol=crlf\n"},
        secret="kept\n",
        stamp="$Format:%H$ $Id$\n",
        big="pointer\n",
        crlf="a\nb\n",
    )
    found = members(source.archive("main", tmp_path / "out").path)
    assert (found["secret"], found["stamp"]) == (b"kept\n", b"$Format:%H$ $Id$\n")
    assert (found["big"], found["crlf"]) == (b"pointer\n", b"a\nb\n")


def test_a_submodule_that_is_gone_fails_nothing_and_is_named(
    source: GitSource, repository: Path, tmp_path: Path
) -> None:
    (repository / ".gitmodules").write_text('[submodule "m"]\npath = manuscript\nurl = https://nowhere.invalid/m\n')
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},manuscript")
    git(repository, "add", ".gitmodules")
    git(repository, "commit", "-qm", "submodule")
    archive = source.archive("main", tmp_path / "out")
    assert [str(lack) for lack in archive.lacks] == ["manuscript (submodule)"]
    assert ".gitmodules" in archive.files
    assert "manuscript" not in archive.files


def test_what_an_archive_does_not_hold_is_named(source: GitSource, repository: Path, tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "7" * 64 + "\nsize 12345\n"
    for name, target in {
        "out": "/srv/shared/codes.csv", "up": "../../codes.csv", "deep/down": "../inside", "deep/up": "../../outside",
        "annexed": ".git/annex/objects/aa/bb/SHA256E-s1--x",
    }.items():  # fmt: skip
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).symlink_to(target)
    (repository / "locked.key").write_bytes(b"\0GITCRYPT\0" + bytes(50))
    commit(repository, **{
        "backend__codes.csv": pointer, "unlocked.bin": "/annex/objects/SHA256E-s1--x\n",
        "about-lfs.md": f"As in:\n{pointer}",
        "long.txt": pointer + "x" * 2000, "inside": "x",
    })  # fmt: skip
    archive = source.archive("main", tmp_path / "out")
    assert sorted(map(str, archive.lacks)) == [
        "annexed (git-annex pointer)", "backend/codes.csv (Git LFS pointer)", "deep/up (link out of the tree)",
        "locked.key (locked by git-crypt)", "out (link out of the tree)", "unlocked.bin (git-annex pointer)",
        "up (link out of the tree)",
    ]  # fmt: skip


def test_a_commit_that_holds_all_lacks_nothing(source: GitSource, repository: Path, tmp_path: Path) -> None:
    commit(repository, Procfile="web: x", empty="")
    assert source.archive("main", tmp_path / "out").lacks == ()


def test_the_users_repository_is_left_as_it_was(source: GitSource, repository: Path, tmp_path: Path) -> None:
    hook = repository / ".git/hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o755)

    def state() -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in repository.rglob("*")
            if path.is_file()
        }

    before = state()
    source.archive("v1", tmp_path / "out")
    assert state() == before
    assert not (tmp_path / "hooked").exists()


def test_hooks_and_templates_of_the_users_configuration_do_not_run(repository: Path, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-checkout", "pre-auto-gc"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
        (hooks / name).chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(
        f"[core]\nhooksPath = {hooks}\nfsmonitor = touch {tmp_path}/hooked\n[init]\ntemplateDir = {hooks}\n"
    )
    env = {**ENV, "HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": str(config)}
    GitSource(str(repository), cache=tmp_path / "cache", timeout=30, env=env).archive("main", tmp_path / "out")
    assert not (tmp_path / "hooked").exists()


def test_the_cache_is_private_used_again_and_bounded(source: GitSource, repository: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = source.archive("main", tmp_path / "out")
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    hidden = repository.rename(tmp_path / "hidden")
    assert source.archive(first.commit, tmp_path / "again").sha256 == first.sha256
    hidden.rename(repository)
    for number in range(4):
        commit(repository, more=f"{number}\n")
        source.archive("main", tmp_path / "out")
    assert len(list(cache.iterdir())) == 3


def test_a_damaged_copy_is_fetched_again(source: GitSource, tmp_path: Path) -> None:
    first = source.archive("main", tmp_path / "out")
    (copy,) = (tmp_path / "cache").iterdir()
    (copy / "HEAD").unlink()
    assert source.archive("main", tmp_path / "out") == first


def test_a_commit_that_no_name_points_to_is_found(source: GitSource, repository: Path, tmp_path: Path) -> None:
    first = git(repository, "rev-parse", "HEAD~1")
    git(repository, "tag", "-d", "v1")
    assert source.archive(first, tmp_path / "out").files == ("readme",)


@pytest.mark.parametrize("ref", ["mian", "v2", "f" * 40, "abcdef12"])
def test_an_unknown_ref_is_not_found(ref: str, source: GitSource, tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        source.archive(ref, tmp_path / "out")
    assert caught.value.next_action
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "cache").glob("*")) == []


def test_names_like_the_one_asked_for_are_told(source: GitSource, repository: Path) -> None:
    git(repository, "branch", "release-2026")
    with pytest.raises(NotFound) as caught:
        source.resolve("relase-2026")
    assert "release-2026" in caught.value.why


def test_a_name_of_two_commits_is_not_guessed(source: GitSource, repository: Path) -> None:
    git(repository, "branch", "v1", "main")
    with pytest.raises(BadInput) as caught:
        source.resolve("v1")
    assert "refs/heads/v1 or refs/tags/v1" in caught.value.next_action
    assert source.resolve("refs/heads/v1") == git(repository, "rev-parse", "main")


@pytest.mark.parametrize("ref", ["", "-x", "--upload-pack=touch", "a b", "a..b", "a:b", "main^", "a\n", "@{1}", "x*"])
def test_what_can_be_no_ref_is_bad_input(ref: str, source: GitSource) -> None:
    with pytest.raises(BadInput):
        source.resolve(ref)


@pytest.mark.parametrize(
    "git_address",
    [
        "https://u:canary-word@host.example/x.git",
        "https://ghp_canarycanarycanary@host.example/x",
        "http://host.example/x.git",
        "ext::sh -c touch% x://",
        "git://host.example/x",
        "https://[canary",
    ],
)
def test_an_address_with_a_secret_or_without_protection_is_refused(git_address: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        GitSource(git_address, cache=tmp_path, timeout=1)
    assert "canary" not in str(vars(caught.value))


def test_a_place_without_a_repository(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No source repository exists at that address"):
        GitSource(str(tmp_path), cache=tmp_path / "cache", timeout=30, env=ENV).resolve("main")


def test_a_machine_without_git(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="`git` program"):
        GitSource(str(repository), cache=tmp_path / "cache", timeout=30, env={"PATH": str(tmp_path)}).resolve("main")


def test_a_directory_that_cannot_be_made(source: GitSource, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError) as caught:
        source.archive("main", tmp_path / "file" / "out")
    assert caught.value.next_action


def command_lines() -> Iterator[str]:
    """Of every process, where the system shows them."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_text(errors="replace")


def is_gone(argument: str, limit: float = 60) -> bool:
    """Whether no process names it any more: what was killed takes its memory down before it leaves the table."""
    end = time.monotonic() + limit
    while any(argument in line for line in command_lines()):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_a_pack_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        tarball._pack(broken(), tmp_path / "out" / "x.tar.gz")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another user")
def test_a_repository_of_another_user_is_left_to_the_person(
    source: GitSource, repository: Path, tmp_path: Path
) -> None:
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 65534, 65534)
    with pytest.raises(MachineError, match="belongs to another user") as caught:
        source.archive("main", tmp_path / "out")
    assert "safe.directory" in caught.value.next_action


@pytest.fixture
def answering() -> Iterator[Serve]:
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(status: int, wait: threading.Event | None = None) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if wait is not None:
                    wait.wait(20)
                self.send_response(status)
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="x"')
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/code.git"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "kind", "attempts"),
    [(401, CredentialsRefused, 1), (403, CredentialsRefused, 1), (404, NotFound, 1), (503, ProviderError, 3)],
)
def test_what_a_server_refuses(
    status: int, kind: type[UscdrError], attempts: int, answering: Serve, tmp_path: Path
) -> None:
    waits: list[object] = []
    place = answering(status)
    source = GitSource(
        place, cache=tmp_path / "c", timeout=30, on_wait=waits.append, env={**ENV, "HOME": str(tmp_path)}
    )
    with pytest.raises(kind) as caught:
        source.resolve("main")
    assert type(caught.value) is kind
    assert len(waits) == attempts - 1


def test_credentials_come_from_the_users_helper_and_are_in_no_argument(tmp_path: Path) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization", ""))
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    config = tmp_path / "gitconfig"
    config.write_text('[credential]\nhelper = "!f() { echo username=u; echo password=canary; }; f"\n')
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    env = {**ENV, "HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": str(config)}
    try:
        place = f"http://127.0.0.1:{server.server_address[1]}/code.git"
        with pytest.raises(CredentialsRefused) as caught:
            GitSource(place, cache=tmp_path / "c", timeout=30, env=env).resolve("main")
    finally:
        server.shutdown()
        server.server_close()
    assert asked == ["", "Basic dTpjYW5hcnk="]
    assert "canary" not in str(vars(caught.value))


def test_silence_ends_with_the_time_limit_and_leaves_no_process(answering: Serve, tmp_path: Path) -> None:
    going = threading.Event()
    place = answering(200, going)
    started = time.monotonic()
    with pytest.raises(ProviderError, match=r"within 0\.5 s"):
        GitSource(place, cache=tmp_path / "c", timeout=0.5, env=ENV).resolve("main")
    assert time.monotonic() - started < 10
    assert is_gone(place), "a process of git waits on, while the server is still silent"
    going.set()


def test_a_stop_is_heeded(answering: Serve, tmp_path: Path) -> None:
    stop, going = threading.Event(), threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    with pytest.raises(Interrupted):
        GitSource(answering(200, going), cache=tmp_path / "c", timeout=60, stop=stop, env=ENV).resolve("main")
    going.set()
    timer.join()


def test_secrets_of_other_providers_are_not_passed_on(repository: Path, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\nexit 1\n")
    program.chmod(0o755)
    env = {"PATH": f"{program.parent}:{ENV['PATH']}", "HEROKU_API_KEY": "canary", "CLOUDINARY_URL": "canary"}
    with pytest.raises(ProviderError):
        GitSource(str(repository), cache=tmp_path / "c", timeout=30, env=env).resolve("main")
    assert "canary" not in (tmp_path / "seen").read_text()
    assert "GIT_TERMINAL_PROMPT=0" in (tmp_path / "seen").read_text()


@pytest.mark.parametrize(("count", "ours_begin_at"), [("2", 2), ("²", 0), ("two", 0), ("", 0)])
def test_settings_of_the_environment_are_kept_when_their_count_is_one(count: str, ours_begin_at: int) -> None:
    ours = int(environment({})["GIT_CONFIG_COUNT"])
    passed = environment({"GIT_CONFIG_COUNT": count})
    assert passed["GIT_CONFIG_COUNT"] == str(ours_begin_at + ours)
    assert f"GIT_CONFIG_KEY_{ours_begin_at}" in passed


def test_two_files_of_one_name_that_differ_are_not_understood(
    source: GitSource, repository: Path, tmp_path: Path
) -> None:
    migrating(repository, **{"0001_initial": "operations = []", "0002_more": "operations = []"})
    copy = repository / "old/patients/migrations"
    copy.mkdir(parents=True)
    (copy / "0001_initial.py").write_text(DJANGO.format(body="operations = []"))
    (copy / "0002_more.py").write_text(DJANGO.format(body="operations = [x]"))
    commit(repository, readme="copies\n")
    found = source.archive("main", tmp_path / "out")
    assert {one.name: one.understood for one in found.steps} == {
        "patients.0001_initial": True, "patients.0002_more": False,
    }  # fmt: skip


def test_a_repository_where_the_command_is_given_is_not_obeyed(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its configuration could name another address for the one asked, and a program that is given credentials."""
    here, ran = tmp_path / "here", tmp_path / "ran"
    here.mkdir()
    git(here, "init", "--quiet")
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "core.sshCommand", "credential.helper", "core.pager", "core.askPass"):
        git(here, "config", key, str(script))
    git(here, "config", f"url.{tmp_path}/nowhere.insteadOf", str(repository))
    monkeypatch.chdir(here)
    source = GitSource(str(repository), cache=tmp_path / "cache", timeout=30, env={**ENV, "HOME": str(tmp_path)})
    assert source.resolve("main") == git(repository, "rev-parse", "main")
    with pytest.raises(ProviderError):
        GitSource("ssh://git@127.0.0.1:9/x", cache=tmp_path / "cache2", timeout=5, env={**ENV, "HOME": str(tmp_path)}
                  ).resolve("main")  # fmt: skip
    assert not ran.exists()
