"""The git host, pushed to by the real git over real TLS."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from uscdr.sandbox import pki
from uscdr.sandbox.git import GitServer, PushRejected


@dataclass
class Builds:
    """What was pushed, and how to answer."""

    seen: list[tuple[str, str, list[str]]] = field(default_factory=list)
    output: list[bytes] = field(default_factory=lambda: [b"-----> Building\n", b"-----> Launching\n"])
    fails: bool = False
    crashes: bool = False

    async def on_push(self, app: str, tarball: Path, commit: str) -> AsyncIterator[bytes]:
        with tarfile.open(tarball) as archive:
            self.seen.append((app, commit, sorted(archive.getnames())))
        for text in self.output:
            yield text
        if self.crashes:
            raise ZeroDivisionError
        if self.fails:
            raise PushRejected


class Checkout:
    """A working tree with one commit, and git run in it with nobody's configuration."""

    def __init__(self, directory: Path, ca_file: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_SSL_CAINFO": str(ca_file),
            **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("Procfile", b"web: true\n")

    def git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def commit(self, name: str, content: bytes) -> str:
        (self.directory / name).write_bytes(content)
        self.git("add", name)
        assert self.git("commit", "--quiet", "-m", name).returncode == 0
        return self.git("rev-parse", "HEAD").stdout.strip()


def with_server(
    tmp_path: Path, builds: Builds, scenario: Callable[[str, Checkout], None], *, password: str = "token"
) -> None:
    certificates = pki.create(tmp_path / "pki")
    checkout = Checkout(tmp_path / "checkout", certificates.ca_file)

    async def serve() -> None:
        server = GitServer(
            certificates.server_context(),
            tmp_path / "repositories",
            lambda token: token == "token",
            builds.on_push,
            exists=lambda app: app == "usc-pis",
        )
        port = await server.start()
        try:
            await asyncio.to_thread(scenario, f"https://heroku:{password}@localhost:{port}", checkout)
        finally:
            await server.stop()

    run(serve())


def run(coroutine: Coroutine[object, object, None]) -> None:
    asyncio.run(coroutine)


def test_push_to_main_builds_and_streams_its_output(tmp_path: Path) -> None:
    builds = Builds()

    def scenario(base: str, checkout: Checkout) -> None:
        head = checkout.git("rev-parse", "HEAD").stdout.strip()
        answer = checkout.git("push", f"{base}/usc-pis.git", "main")
        assert answer.returncode == 0, answer.stderr
        assert "remote: -----> Building" in answer.stderr
        assert "remote: -----> Launching" in answer.stderr
        assert builds.seen == [("usc-pis", head, ["Procfile"])]
        again = checkout.git("push", f"{base}/usc-pis.git", "main")
        assert "Everything up-to-date" in again.stderr
        assert len(builds.seen) == 1

    with_server(tmp_path, builds, scenario)


def test_failing_build_refuses_the_push(tmp_path: Path) -> None:
    builds = Builds(fails=True)

    def scenario(base: str, checkout: Checkout) -> None:
        url = f"{base}/usc-pis.git"
        answer = checkout.git("push", url, "main")
        assert answer.returncode == 1
        assert "remote: -----> Building" in answer.stderr
        assert "[remote rejected] main -> main (pre-receive hook declined)" in answer.stderr
        assert checkout.git("ls-remote", url).stdout == ""
        builds.fails = False
        assert checkout.git("push", url, "main").returncode == 0

    with_server(tmp_path, builds, scenario)


def test_crashing_build_refuses_the_push(tmp_path: Path) -> None:
    builds = Builds(crashes=True)

    def scenario(base: str, checkout: Checkout) -> None:
        url = f"{base}/usc-pis.git"
        assert checkout.git("push", url, "main").returncode != 0
        assert checkout.git("ls-remote", url).stdout == ""

    with_server(tmp_path, builds, scenario)


def test_another_branch_is_accepted_without_a_build(tmp_path: Path) -> None:
    builds = Builds()

    def scenario(base: str, checkout: Checkout) -> None:
        answer = checkout.git("push", f"{base}/usc-pis.git", "main:feature")
        assert answer.returncode == 0
        assert "remote: Pushed to non-main branch, skipping build." in answer.stderr
        assert builds.seen == []

    with_server(tmp_path, builds, scenario)


def test_large_push_and_clone(tmp_path: Path) -> None:
    builds = Builds(output=[b"x" * 99 + b"\n"] * 3000)

    def scenario(base: str, checkout: Checkout) -> None:
        url = f"{base}/usc-pis.git"
        checkout.commit("big", os.urandom(3_000_000))
        answer = checkout.git("push", url, "HEAD:master")
        assert answer.returncode == 0, answer.stderr[-500:]
        assert answer.stderr.count("remote: xxx") == 3000
        assert builds.seen[0][2] == ["Procfile", "big"]
        assert checkout.git("clone", "--quiet", "--branch", "master", url, "copy").returncode == 0
        assert (checkout.directory / "copy" / "big").stat().st_size == 3_000_000

    with_server(tmp_path, builds, scenario)


@pytest.mark.parametrize(
    ("app", "password", "message"), [("usc-pis", "wrong", "Authentication failed"), ("other", "token", "not found")]
)
def test_who_may_not_is_told(tmp_path: Path, app: str, password: str, message: str) -> None:
    builds = Builds()

    def scenario(base: str, checkout: Checkout) -> None:
        answer = checkout.git("push", f"{base}/{app}.git", "main")
        assert answer.returncode == 128
        assert message in answer.stderr
        assert builds.seen == []

    with_server(tmp_path, builds, scenario, password=password)


def test_certificate_is_verified_against_the_private_authority(tmp_path: Path) -> None:
    def scenario(base: str, checkout: Checkout) -> None:
        del checkout.environment["GIT_SSL_CAINFO"]
        answer = checkout.git("push", f"{base}/usc-pis.git", "main")
        assert answer.returncode == 128
        assert "certificate" in answer.stderr

    with_server(tmp_path, Builds(), scenario)
