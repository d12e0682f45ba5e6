"""`backup prove` in process, on one scratch server that is kept: only the database is new for each dump."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import psycopg
from pydantic import SecretStr

from uscdr.backups.proofs import ProofDocument
from uscdr.backups.proving import EncryptionKey, ProofSubject, Questions
from uscdr.errors import UscdrError
from uscdr.pgserver.server import LocalPostgres
from uscdr.providers.postgres.scratch import LocalScratch
from uscdr.wiring import stores

from . import dumps_oracle
from .dumps_oracle import Holding

_DATABASE, _READER = "scratch", "uscdr_reader"


@dataclass(frozen=True)
class Kept(LocalPostgres):
    """A server that outlives its contexts: what was restored is looked at with own eyes, then dropped."""

    seen: list[Holding] = field(default_factory=list)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.seen.append(dumps_oracle.look(self.dsn(_DATABASE)))
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)".encode())
            connection.execute(f"DROP ROLE IF EXISTS {_READER}".encode())


class KeptScratch(LocalScratch):
    """The product's own, but for the server's life."""

    def __init__(self, directory: Path, server: Kept) -> None:
        super().__init__(directory)
        self._ready: Future[LocalPostgres] = Future()
        self._ready.set_result(server)

    def _begin(self) -> Future[LocalPostgres]:
        return self._ready


@dataclass(frozen=True)
class Outcome:
    """What the product said (a document, or the error with which nothing is known), and what there really was."""

    proof: ProofDocument | None
    error: UscdrError | None
    held: Holding | None

    @property
    def earned(self) -> bool:
        """Whether it counts as proven."""
        return self.proof is not None and self.proof.sound


@dataclass(frozen=True)
class Prover:
    """A server with the questions that are asked of each dump."""

    server: Kept
    work: Path
    questions: Questions

    def prove(self, data: bytes, key: SecretStr | None = None) -> Outcome:
        """The verdict of `backup prove` on these bytes."""
        dump = self.work / "candidate.dump"
        dump.write_bytes(data)
        asked = replace(self.questions, key=EncryptionKey(self.questions.key.name, key)) if key else self.questions
        subject = ProofSubject(
            sha256=hashlib.sha256(data).hexdigest(), size=len(data), app="usc-pis", backup="b001", transfer_id="t",
            taken_at=datetime.now(UTC), source="platform",
        )  # fmt: skip
        self.server.seen.clear()
        scratch = KeptScratch(self.work, self.server)
        try:
            proof = subject.prove(dump, asked, stores.decode, scratch, lambda done, total: None)
        except UscdrError as error:
            return Outcome(None, error, None)
        return Outcome(proof, None, self.server.seen[-1] if self.server.seen else None)


@contextmanager
def kept(directory: Path) -> Iterator[Kept]:
    """A scratch server in `directory`, gone afterwards."""
    parameters = {"autovacuum": "off", "log_min_messages": "fatal"}
    with LocalPostgres.start(directory / "server", parameters=parameters, tied=True) as server:
        yield Kept(**{one.name: getattr(server, one.name) for one in fields(LocalPostgres)})


@contextmanager
def prover(directory: Path, questions: Questions) -> Iterator[Prover]:
    """A scratch server in the new `directory`, gone afterwards."""
    with kept(directory) as server:
        yield Prover(server, directory, questions)
