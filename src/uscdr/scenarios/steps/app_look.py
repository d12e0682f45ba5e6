"""Inspect the application: releases, dynos, log, answers, configuration, database, code. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from uscdr.checks.uptime import LOG_LINES
from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import BadInput, MachineError, ProviderError
from uscdr.models.migrations import MigrationsVerdict
from uscdr.scenarios.checks import ask, ask_until_dead, failing
from uscdr.scenarios.code import CodeSeen, Tables
from uscdr.scenarios.diagnosis import LogCode
from uscdr.scenarios.fitness import changed_by
from uscdr.scenarios.results.app import AppSeen, ReleaseLine
from uscdr.scenarios.steps.base import ASSESS, ScenarioStep, reads
from uscdr.words import first_of, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uscdr.models.heroku import Release
    from uscdr.models.migrations import CodeMigrations

RELEASES = 30
FRESH = 10.0


class AppLook(ScenarioStep[AppSeen, AppSeen]):
    """Finds what is wrong, and the change just before the failure."""

    name = "app.look"
    title = "Inspect the application"
    default_id = "app"
    phase = ASSESS
    effect = Effect.READ
    manual = (
        "heroku apps:info --app {app}",
        "heroku ps --app {app}",
        "heroku releases --app {app}",
        "heroku logs --num 1500 --app {app}",
    )
    gives = AppSeen
    fresh_for = FRESH

    @override
    def probe(self, view: View, tell: Reporter) -> AppSeen:
        app = self._deps.describe_app()
        releases = self._deps.platform.releases(self._deps.app, limit=RELEASES)
        running = next((r for r in releases if r.current), None)
        tell.progress("sending requests to the application")
        failing, asked = ({}, 0) if app.maintenance else self._answers(tell)
        answers, words, tables = self._database()
        code = CodeSeen.look(self._deps, running, tell)
        return AppSeen(
            maintenance=app.maintenance,
            releases=tuple(map(_release_line, releases)),
            current=running.version if running else None,
            dynos={dyno.name: dyno.state for dyno in self._deps.platform.dynos(self._deps.app)},
            failing=failing,
            asked=asked,
            stopped=self._stopped(),
            log=self._log(tell),
            missing_config=self._missing_config(),
            unreadable=self._unreadable(releases, tell) if answers else "",
            database=words,
            database_answers=answers,
            commit=code.commit,
            code=_against(tables, code.migrations, code.commit[:12]),
            ref_code=_against(tables, code.ref_migrations, code.ref),
            ref=code.ref,
            ref_commit=code.ref_commit,
            source=code.words,
            ref_lacks=code.ref_lacks,
            media=self._media(),
            domain=self._domain(),
        )

    def _answers(self, tell: Reporter) -> tuple[dict[str, str], int]:
        return failing(ask_until_dead(self._deps, self._deps.config.application_checks(), tell))

    def _stopped(self) -> str:
        """The stopped process types that normally run: as before the last stop, else as in scenarios.yaml."""
        normal = {**self._deps.config.app.formation, **self._deps.memory.formation}
        now = {entry.type: entry.quantity for entry in self._deps.platform.formation(self._deps.app)}
        wanted = {name: number for name, number in normal.items() if number and now.get(name) == 0}
        scale = " ".join(f"{name}={number}" for name, number in wanted.items())
        verb = "is" if len(wanted) == 1 else "are"
        return (
            f"{', '.join(wanted)} {verb} scaled to 0 (heroku ps:scale {scale} --app {self._deps.app})" if wanted else ""
        )

    def _missing_config(self) -> tuple[str, ...]:
        there = self._deps.platform.config_vars(self._deps.app)
        return tuple(name for name in self._deps.config.config.required if name not in there)

    def _unreadable(self, releases: Sequence[Release], tell: Reporter) -> str:
        """Whether the key opens the encrypted records. No page shows it: the application answers with any key."""
        found = ask(self._deps, self._deps.config.key_checks(), tell)
        words = "; ".join(one.finding.evidence for one in found if one.finding.verdict == "fail")
        return (
            f"{words}. {changed_by(self._deps.config.recovery.encryption_key_variable, releases)}".rstrip(". ")
            if words
            else ""
        )

    def _database(self) -> tuple[bool, str, Tables | None]:
        try:
            database = self._deps.database()
            version = database.facts().version
            tables = Tables(database.migrations(), database.columns())
        except (ProviderError, BadInput) as error:
            return False, f"the database does not answer: {error.message}", None
        return True, f"the database answers (PostgreSQL {version[0]})", tables

    def _log(self, tell: Reporter) -> tuple[str, ...]:
        try:
            lines = self._deps.platform.log_lines(self._deps.app, lines=LOG_LINES)
        except ProviderError as error:
            tell.warn(f"uscdr could not read the log: {error.message}")
            return ()
        return tuple(f"{c.count:,} x {c.code}: {c.meaning} {c.hint}".strip() for c in LogCode.in_lines(lines))

    def _media(self) -> str:
        if self._deps.media is None:
            return "none configured"
        try:
            self._deps.media.open_old().ping()
        except (ProviderError, BadInput) as error:
            return f"not usable: {error.message}"
        return "it answers, and accepts the credentials"

    def _domain(self) -> str:
        place, dns = self._deps.dns, self._deps.services.dns
        if place is None or dns is None or not dns.hostnames:
            return "none configured"
        return "; ".join(self._host(name) for name in dns.hostnames)

    def _host(self, name: str) -> str:
        place = self._deps.dns
        try:
            answers = place.verifier.look(name, "CNAME").answers if place else ()
        except (ProviderError, MachineError) as error:
            return f"{name}: {error.message}"
        good = [one for one in answers if one.state == "answered"]
        return f"{name}: {len(good)} of {plural(len(answers), 'name server')} answer"

    @override
    def plan(self, seen: AppSeen, view: View) -> Action:
        app = self._deps.app
        calls = tuple(
            reads(method, f"/apps/{app}{path}")
            for method, path in (
                ("GET", ""), ("GET", "/releases"), ("GET", "/dynos"), ("GET", "/config-vars"),
                ("GET", "/builds"), ("POST", "/log-sessions"),
            )
        )  # fmt: skip
        return Action("read", _in_words(seen), calls)


def _release_line(release: Release) -> ReleaseLine:
    """The fields of a release that a later step needs, without its author."""
    return ReleaseLine(
        id=release.id,
        version=release.version,
        status=release.status,
        description=release.description,
        created_at=release.created_at,
        slug_id=release.slug_id,
        can_return=release.eligible_for_rollback and release.slug_id is not None,
    )


def _against(tables: Tables | None, code: CodeMigrations | None, name: str) -> MigrationsVerdict:
    return tables.against(code, name) if tables is not None else MigrationsVerdict.uncompared()


def _in_words(seen: AppSeen) -> str:
    """All findings in words, the worst first."""
    words = []
    if seen.crashed:
        words.append(f"CRASHED: {', '.join(seen.crashed)}")
    if seen.maintenance:
        words.append("maintenance mode is on, so its pages cannot be checked")
    elif seen.failing:
        words.append("failing: " + "; ".join(f"{name} ({why})" for name, why in seen.failing.items()))
    else:
        words.append(f"{plural(seen.asked, 'check')} passed, none failed")
    if seen.stopped:
        words.append(f"STOPPED: {seen.stopped}")
    if seen.missing_config:
        words.append(f"MISSING config: {', '.join(seen.missing_config)}")
    if seen.unreadable:
        words.append(f"ENCRYPTED RECORDS CANNOT BE DECRYPTED: {seen.unreadable}")
    words += _of_migrations(seen.code)
    words += [_newest_change(seen), *seen.log, seen.database, seen.source]
    words += [f"media: {seen.media}", f"domain: {seen.domain}"]
    return "; ".join(word for word in words if word)


def _of_migrations(found: MigrationsVerdict) -> list[str]:
    words = [f"DATABASE AND CODE DO NOT FIT: {one}" for one in found.problems]
    if found.unclear:
        words.append(f"the code's files do not show whether the tables of {first_of(found.unclear)} are right")
    return words


def _newest_change(seen: AppSeen) -> str:
    if not seen.releases:
        return "Heroku lists no release"
    newest = seen.releases[0]
    failed = "" if newest.status == "succeeded" else f", {newest.status.upper()}; v{seen.current} runs"
    return f"the newest change is v{newest.version} “{newest.description}”{failed}"
