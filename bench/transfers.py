"""`backup pull` of 1 GB against curl, and against curl with sha256sum and age: rates, and our memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.programs import timed
from bench.rows import Pairs, Row
from bench.sandboxes import Bench, sandbox

MEGABYTES = 1000
AIM, CURL_ROUNDS, PIPE_ROUNDS = 0.9, 3, 5
_PART = "Transfers"
_BLOCK = 1_000_000


def measure() -> Iterator[Row]:
    """Pull b002, which is filled up to 1 GB, and fetch the same bytes with plain tools."""
    with sandbox(patients=40) as bench:
        pulls = PullBench.of(bench)
        pulls.fill(MEGABYTES)
        against_pipe = Pairs.alternate(pulls.pulled, pulls.piped, PIPE_ROUNDS)
        against_curl = Pairs.alternate(pulls.pulled, pulls.curled, CURL_ROUNDS)
        peak = max(pulls.peaks)
    what = f"backup pull, {MEGABYTES:,} MB: encrypted, both sides hashed, synced to the disk"
    pipe = "curl | tee >(sha256sum) | age -r … > file"
    yield Row(_PART, what, pipe, against_pipe, "MB/s", AIM, at_least=True, megabytes=peak)
    yield Row(_PART, what, "curl -o file", against_curl, "MB/s", note="neither hashed nor encrypted")


@dataclass(frozen=True)
class PullBench:
    """A sandbox with a large backup b002, and a key; what is pulled stands on the same disk as the plain files."""

    bench: Bench
    recipient: str
    peaks: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, bench: Bench) -> PullBench:
        """With a new key in `identity.txt`, and a backup b002."""
        identity = bench.root / "identity.txt"
        subprocess.run(["age-keygen", "-o", str(identity)], check=True, capture_output=True)
        identity.chmod(0o600)
        recipient = subprocess.run(["age-keygen", "-y", str(identity)], check=True, capture_output=True, text=True)
        bench.uscdr("backup", "capture")
        return cls(bench, recipient.stdout.strip())

    @property
    def identity(self) -> Path:
        """The file with the private key."""
        return self.bench.root / "identity.txt"

    def fill(self, megabytes: int) -> None:
        """Let the file of b002 grow by bytes that do not compress: a transfer does not look into it."""
        second = next(one for one in self._ask("GET", self._transfers()) if int(one["num"]) == 2)
        with (self.bench.root / "sandbox" / "backups" / f"{second['uuid']}.dump").open("ab") as file:
            for at in range(file.tell(), megabytes * 1_000_000, _BLOCK):
                file.write(os.urandom(min(_BLOCK, megabytes * 1_000_000 - at)))

    def link(self) -> str:
        """A signed address of b002."""
        return str(self._ask("POST", f"{self._transfers()}/2/actions/public-url")["url"])

    def pulled(self) -> float:
        """MB per second of ours, from its start to its end."""
        vault = self.bench.root / "vault"
        done = self.bench.uscdr(
            "backup", "pull", "--backup", "b002", "--to", str(vault), "--recipient", self.recipient
        )  # fmt: skip
        self.peaks.append(done.megabytes)
        shutil.rmtree(vault)
        return MEGABYTES / done.seconds

    def curled(self) -> float:
        """MB per second of curl into a file."""
        return self._plain(lambda to: f"curl -sf --cacert {self.ca} -o {to} '{self.link()}'")

    def piped(self) -> float:
        """MB per second of curl, with the digest of what arrives, encrypted."""
        digest = self.bench.root / "digest"
        return self._plain(
            lambda to: (
                f"curl -sf --cacert {self.ca} '{self.link()}' | tee >(sha256sum > {digest})"
                f" | age -r {self.recipient} > {to}"
            )
        )

    @property
    def ca(self) -> str:
        """The file with the certificate that the sandbox's is signed by."""
        return str(self.bench.contract["ca_file"])

    def _plain(self, script: Callable[[Path], str]) -> float:
        target = self.bench.root / "plain"
        done = timed(("bash", "-o", "pipefail", "-c", script(target)), os.environ, cwd=self.bench.root)
        target.unlink()
        return MEGABYTES / done.seconds

    def _transfers(self) -> str:
        return f"/client/v11/apps/{self.bench.contract['heroku']['app']}/transfers"

    def _ask(self, method: str, path: str) -> Any:  # noqa: ANN401 - JSON
        heroku = self.bench.contract["heroku"]
        headers = {"Authorization": f"Bearer {heroku['token']}", "Accept": "application/vnd.heroku+json; version=3"}
        request = urllib.request.Request(heroku["api_url"] + path, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
