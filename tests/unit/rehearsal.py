"""One process after another works on one run: the real wiring, engine, journal and lock over `fakes.World`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

from pydantic import SecretStr

from fake_deploys import FakeDeploys, FakeSource
from fake_provisioning import FakeProvisioning
from fakes import (
    FakeBackups,
    FakeDatabase,
    FakeLoader,
    FakeMachine,
    FakePlatform,
    FakeScratch,
    FakeStatus,
    FakeWebsite,
    Killed,
    World,
)
from given import GivenAdapters
from uscdr import cleanup
from uscdr.backups.proving import Code, Decoded, Questions
from uscdr.checks.context import CheckContext as Seen
from uscdr.checks.context import Expected, Sends
from uscdr.checks.kinds.http import HttpCheck
from uscdr.clock import system_time
from uscdr.commands import run as wiring
from uscdr.engine import wait
from uscdr.engine.run import Outcome
from uscdr.engine.wait import Stop
from uscdr.errors import Declined
from uscdr.journal import runs
from uscdr.journal.reader import NAME, Journal
from uscdr.journal.writer import JournalWriter
from uscdr.models.data_settings import CanaryColumn, Invariant
from uscdr.models.events import Stamped
from uscdr.providers.ports.probes import Website
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.backup_questions import encryption_key, questions_of
from uscdr.scenarios.config import Config
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.config_targets import HerokuTarget, TargetConfig
from uscdr.scenarios.infra.old import OldApplicationReader
from uscdr.scenarios.loader import load
from uscdr.scenarios.prover import BackgroundDigest, Prover
from uscdr.wiring import adapters as wired
from uscdr.wiring.context import Process, RunContext
from uscdr.wiring.past_runs import remember
from uscdr.wiring.target import Target

CODE = Code(why="asked later")
"""What proofs know of the deployed code."""


def seen_by_checks(website: Website) -> Seen:
    """An application that has pages, and nothing around it that a check could look at."""
    nothing = cast("Any", None)
    tls = cast("Any", SimpleNamespace(answer=lambda hostname, address="": website.ask("GET", "/").status))
    return Seen(
        app="usc-pis", facts=nothing, expected=Expected(), website=lambda: website, token=lambda: None,
        account_email="", database=nothing, media=None, verifier=None, tls=tls, queue=nothing, mail=nothing,
        code_migrations=lambda: None, now=system_time, sign_in=lambda: None,
    )  # fmt: skip


class Person:
    """Somebody at a terminal, or nobody. Answers what the test says, and remembers what was asked."""

    manner = "typed at the terminal"

    def __init__(
        self, *, interactive: bool = True, types: bool = True, answers: Mapping[str, str] | None = None
    ) -> None:
        self.interactive = interactive
        self.types = types
        self.answers = {"begin": "begin", "adopt": "abort", "look again": "send again", **(answers or {})}
        self.phrases: list[str] = []
        self.questions: list[str] = []

    def confirm_phrase(self, facts: Mapping[str, str], phrase: str) -> bool:
        if not self.interactive:
            raise Declined("There is no terminal.")
        self.phrases.append(phrase)
        return self.types

    def choose(self, question: str, options: tuple[str, ...]) -> str:
        if not self.interactive:
            raise Declined("There is no terminal.")
        self.questions.append(question)
        return self.answers[options[0]]


@cache
def configuration() -> Config:
    """The packaged scenarios, with invariants, checks and names of files that the fakes understand."""
    config = load(packaged()).config
    there = Invariant(name="patients are there", sql="count patients_patient", minimum=50)
    answers = HttpCheck(kind="http", path="/", contains=('id="root"',))
    checks = {"checks": {"homepage": answers}, "checklists": {}, "after_recovery": ("homepage",)}
    app = config.app.model_copy(update={"expected_tables": ("patients_patient",)})
    canary = CanaryColumn(table="patients_patient", encrypted="first_name_enc", plain="first_name")
    recovery = config.recovery.model_copy(update={"canaries": (canary,)})
    media = config.media.model_copy(update={"prefix": "media/", "tag": "media"})
    changes = {"app": app, "recovery": recovery, "media": media, "invariants": (there,)}
    return config.model_copy(update={**changes, **checks})


@dataclass
class Rehearsal:
    """The run's surroundings across processes."""

    state: Path
    world: World = field(default_factory=World)
    person: Person = field(default_factory=Person)
    config: Config = field(default_factory=configuration)
    request: Request = field(default_factory=lambda: Request("db"))
    stop: Stop = field(default_factory=Stop)
    seen: list[Stamped] = field(default_factory=list)
    machine: FakeMachine = field(default_factory=FakeMachine)
    run: str = ""
    send_again: bool = False
    """What later processes are told of a write that cannot be found."""
    crash: Callable[[int, str], None] = lambda seq, moment: None
    """Called before and after each record is written, with its number; may raise Killed."""
    asks: Callable[[Process], object] = lambda this: this.guard()
    """Called before each request that changes something."""

    def begin(self, *, confirm: str | None = None, dry_run: bool = False) -> Outcome | None:
        """A new run; None when its process was killed."""
        self.run = runs.new_run_id(self.request.scenario)
        return self._process(lambda this: wiring.begin(self.context(this, self.run, confirm, dry_run=dry_run)))

    def resume(self, *, confirm: str | None = None) -> Outcome | None:
        """The newest run, taken up again."""
        path = self.journal_path

        def again(this: Process) -> Outcome:
            context = replace(self.context(this, path.parent.name, confirm, dry_run=False), send_again=self.send_again)
            return wiring.resume(context, path)

        return self._process(again)

    @property
    def journal_path(self) -> Path:
        return self.state / "runs" / self.run / NAME

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """What the newest journal holds, by kind."""
        if not self.journal_path.exists():
            return []  # before its first line
        return [event for event in Journal.read(self.journal_path).events() if event["kind"].startswith(kind)]

    def phrase(self) -> str:
        """What a dry run prints with --json: its scripts rely on the field."""
        self.begin(dry_run=True)
        lines = (json.loads(one.model_dump_json()) for one in reversed(self.seen))
        return str(next(line["event"]["phrase"] for line in lines if line["event"]["kind"] == "plan.ready"))

    def target(self) -> Target:
        """What is recovered."""
        services = TargetConfig(heroku=HerokuTarget(app="usc-pis"))
        return Target("production", services, self.config, "digest", SecretStr("token-token"), "test", None, None)

    def process(self, env: Mapping[str, str] | None = None) -> Process:
        """A process that shows nothing."""
        return Process(self.state, env or {}, self.person, lambda _: "", (), lambda _: None, self.stop)

    def context(self, this: Process, run: str, confirm: str | None = None, *, dry_run: bool) -> RunContext:
        """A process at work on one run."""
        return this.on(self.target(), self.request, run, dry_run=dry_run, confirm=confirm)

    def _process(self, work: Callable[[Process], Outcome]) -> Outcome | None:
        this = Process(
            state=self.state,
            env={"USER": "ada"},
            asker=self.person,
            ask=lambda question: "done",
            viewers=(self.seen.append,),
            prime=lambda history: None,
            stop=self.stop,
        )
        with (
            self._in_haste(),
            mock.patch.object(self.world, "leave", partial(self.asks, this)),
            mock.patch.object(self.world, "taken_back", this.guard.refused),
        ):
            try:
                return work(this)
            except Killed:
                return None

    @contextmanager
    def _in_haste(self) -> Iterator[None]:
        """Fakes need no patience."""
        real = JournalWriter.record

        def record(writer: JournalWriter, stamped: Stamped) -> None:
            self.crash(stamped.seq or 0, "before")
            real(writer, stamped)
            self.crash(stamped.seq or 0, "after")

        with ExitStack() as stack:
            for where, name, value in (
                (wait, "FIRST_INTERVAL", 0.0),
                (wait, "LONGEST_INTERVAL", 0.0),
                (JournalWriter, "record", record),
                (wired, "opened", self._opened),
            ):
                stack.enter_context(mock.patch.object(where, name, value))
            yield

    @contextmanager
    def _opened(self, context: RunContext, copies: object = None) -> Iterator[GivenAdapters]:
        with cleanup.workplace(context.state, context.run) as work:
            deps = self.adapters(context, work)
            try:
                yield deps
            finally:
                deps.candidate.close()

    def seen_by_checks(self, context: RunContext, sends: Sends) -> Seen:
        """What checks look at."""
        del context, sends
        return seen_by_checks(FakeWebsite(self.world))

    def adapters(self, context: RunContext, work: Path) -> GivenAdapters:
        """What the steps work with."""
        world, config = self.world, self.config
        backups = FakeBackups(world)
        return GivenAdapters(
            request=context.request,
            config=config,
            services=context.target.services,
            platform=FakePlatform(world),
            backups=backups,
            status=FakeStatus(world),
            opens_database=lambda url: FakeDatabase(world),
            opens_world=lambda sends: nullcontext(self.seen_by_checks(context, sends)),
            dry_run=context.dry_run,
            candidate=self._candidate(FakeScratch(world), work, FakePlatform(world), None),
            frozen=BackgroundDigest(lambda: FakeDatabase(world)),
            stop=self.stop,
            memory=remember(self.state, context.target.key),
            ask=lambda question: "done",
            provisioning=FakeProvisioning(world),
            deploys=FakeDeploys(world),
            source=FakeSource(world),
            media=None,
            dns=None,
            kit=None,
            old=OldApplicationReader(FakePlatform(world), FakeProvisioning(world), FakeDeploys(world), backups, None),
            loader=FakeLoader(world),
            pages={},
            machine=self.machine,
            work=work,
            vault=None,
        )

    def _candidate(self, scratch: Any, place: Path, platform: Any, kit: Any) -> Prover:
        def questions() -> Questions:
            return questions_of(self.config, encryption_key(self.config, platform, "usc-pis", kit), CODE)

        return Prover(scratch, lambda _: Decoded("17.2", "17", ("pgcrypto",)), place, questions, self.stop)


def truncate(path: Path, records: int) -> None:
    """The journal as it was after so many records."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:records]))


def kinds(path: Path) -> list[str]:
    """The kinds of a journal's events, in order."""
    return [json.loads(line)["event"]["kind"] for line in path.read_bytes().splitlines()]
