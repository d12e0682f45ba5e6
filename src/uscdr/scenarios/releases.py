"""Wait for releases, for the dynos that run them, and for builds. A change is done when both say so."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.checks.uptime import CRASHED, LOG_LINES, RUNS, DynoRestart, in_force
from uscdr.engine.reconcile import Search
from uscdr.engine.wait import WaitLimit, until
from uscdr.errors import CheckFailed, EffectFailed, ProviderError
from uscdr.scenarios.django import DjangoOutput
from uscdr.scenarios.results.app import Redeployed
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from uscdr.engine.step import FoundWrite, Intent, Reporter
    from uscdr.models.heroku import Build, Dyno, ProcessType, Release
    from uscdr.scenarios.adapters import Adapters


RELEASE_LIMIT = 1800.0
DYNO_LIMIT = 300.0
OUTPUT_LINES = 2000
"""The last lines of a release phase: the reason is at its end."""


@dataclass(frozen=True)
class InForce:
    """The newest releases and the dynos of a formation at one moment."""

    pending: Release | None
    """A release that has not ended."""
    failed: Release | None
    """The newest release if it failed: its change is not in force, the code before it runs."""
    version: int | None
    """The version that runs; None when none does."""
    waiting: tuple[str, ...]
    """Dynos and process types that do not surely run that release: `web.1 starting (v11)`."""
    crashed: tuple[Dyno, ...]
    """Dynos of that release that crashed."""
    running: dict[str, int]
    """Process type -> dynos that run that release."""
    dynos: tuple[Dyno, ...] = ()
    """Every dyno of the formation."""

    @property
    def reached(self) -> bool:
        """Whether the newest release runs on every scaled dyno."""
        return self.pending is None and self.failed is None and not self.waiting

    @property
    def words(self) -> str:
        """What is waited for, or what runs."""
        if self.pending is not None:
            return f"v{self.pending.version}: {self.pending.status}"
        if self.failed is not None:
            return f"v{self.failed.version}: {self.failed.status}"
        if self.waiting:
            return f"waiting for v{self.version}: {', '.join(self.waiting)}"
        counts = ", ".join(f"{kind}={number}" for kind, number in sorted(self.running.items()) if number)
        return f"v{self.version} runs on {counts}" if counts else "no dyno is scaled"

    @classmethod
    def look(cls, deps: Adapters, since: int | None = None, kinds: Collection[str] | None = None) -> InForce:
        """One look. `since`: the newest version before the change, so that an older failed release does not count.

        `kinds`: the process types to look at; None for the whole formation.
        """
        releases = deps.platform.releases(deps.app)
        newest = releases[0] if releases else None
        pending = next((one for one in releases if one.status == "pending"), None)
        failed = newest if since is not None and newest and newest.version > since and _failed(newest) else None
        current = in_force(releases)
        version = current.version if current else None
        formation = [one for one in deps.platform.formation(deps.app) if kinds is None or one.type in kinds]
        dynos = [one for one in deps.platform.dynos(deps.app) if any(one.type == entry.type for entry in formation)]
        of_it = [one for one in dynos if version is not None and (one.release_version or 0) >= version]
        good = [one for one in of_it if one.state in RUNS and _fits(one, formation)]
        running = {entry.type: sum(one.type == entry.type for one in good) for entry in formation}
        late = [f"{one.name} {one.state} (v{one.release_version or '?'})" for one in dynos if one not in good]
        short = [f"{entry.type} {running[entry.type]} of {entry.quantity}" for entry in formation
                 if running[entry.type] != entry.quantity]  # fmt: skip
        crashed = tuple(one for one in of_it if one.state == CRASHED)
        return cls(pending, failed, version, (*late, *short), crashed, running, tuple(dynos))


class Releases:
    """The releases of the application of this run, and the dynos that run them."""

    def __init__(self, deps: Adapters) -> None:
        self._deps = deps

    def newest_version(self) -> int:
        """The newest release's version; 0 when there is none."""
        found = self._deps.platform.releases(self._deps.app, limit=1)
        return found[0].version if found else 0

    def await_in_force(
        self, tell: Reporter, *, since: int | None = None, kinds: Collection[str] | None = None
    ) -> InForce:
        """Wait until no release is pending and every scaled dyno runs the current one; arguments as `InForce.look`.

        Raises EffectFailed when a release after `since` failed, CheckFailed when a dyno of the current release crashed,
        OutcomeUnknown at the limit, Interrupted.
        """
        ended = self.await_dynos(tell, since=since, kinds=kinds)
        self._refuse_not_in_force(ended)
        return ended

    def await_dynos(self, tell: Reporter, *, since: int | None = None, kinds: Collection[str] | None = None) -> InForce:
        """As `await_in_force`, but a failed release or a crashed dyno ends the wait and is left to the caller."""
        self.await_quiet(tell)
        patience = WaitLimit("the restart of the dynos", DYNO_LIMIT, f"heroku ps --app {self._deps.app}")

        def look() -> InForce:
            found = InForce.look(self._deps, since, kinds)
            tell.progress(found.words, sum(found.running.values()))
            return found

        return until(
            look, lambda found: bool(found.reached or found.failed or found.crashed), patience, self._deps.stop
        )

    def _refuse_not_in_force(self, found: InForce) -> None:
        """Raises EffectFailed for a failed release, CheckFailed for a crashed dyno."""
        if found.failed is not None:
            version = found.failed.version
            raise EffectFailed(
                f"The release v{version} {found.failed.status}: its change is not in force, "
                f"v{found.version} still runs.",
                provider="heroku",
                why=self._why_it_failed(version),
                next_action=f"{self.how_to_retry()} Then: uscdr runs resume",
            )
        if found.crashed:
            names, first = ", ".join(one.name for one in found.crashed), found.crashed[0].name
            raise CheckFailed(
                f"{names} crashed at the start under v{found.version}.",
                why=self.why_crashed(found.crashed),
                next_action=f"See why: heroku logs --app {self._deps.app} --dyno {first}; then: uscdr runs resume",
            )

    def fallen_lately(self) -> Mapping[str, tuple[DynoRestart, ...]]:
        """By dyno, its crashes and restarts under the release in force. Raises ProviderError."""
        lines = self._deps.platform.log_lines(self._deps.app, lines=LOG_LINES)
        return DynoRestart.by_dyno(lines, in_force(self._deps.platform.releases(self._deps.app)))

    def why_crashed(self, dynos: Sequence[Dyno]) -> str:
        """The log's reason for the first of these dynos that it names; empty when it names none."""
        try:
            fallen = self.fallen_lately()
        except ProviderError:
            return ""  # the crash itself is known
        told = next((fallen[one.name] for one in dynos if one.name in fallen), ())
        if not told:
            return ""
        last = f", the last: {told[-1].why}" if told[-1].why else ""
        return f"{plural(len(told), 'crash', 'crashes')} since its start{last}."

    def _why_it_failed(self, version: int) -> str:
        """The release phase's own reason, as far as it can be read and quoted."""
        lines: deque[str] = deque(maxlen=OUTPUT_LINES)
        try:
            address = self._deps.deploys.release_output(self._deps.app, f"v{version}")
            if address is not None:
                self._deps.deploys.follow(address, lines.append)
        except ProviderError:
            lines.clear()  # the failure itself is known
        told = DjangoOutput("\n".join(lines)).reason
        name = DjangoOutput("\n".join(lines)).failed_migration
        of = f" of the migration {name}" if name else ""
        return f"Its release phase ended with an error{of}: {told}." if told else f"Its release phase{of} failed."

    def how_to_retry(self) -> str:
        """What a person does about a failed release whose change is already made."""
        app = self._deps.app
        return f"See why: heroku releases:output --app {app}. When that is fixed: heroku releases:retry --app {app}."

    def await_release(self, release_id: str, tell: Reporter) -> Release:
        """Wait for the end of the release phase. Raises EffectFailed when it failed: the code before it still runs."""
        patience = WaitLimit("the release", RELEASE_LIMIT, f"heroku releases --app {self._deps.app}")

        def look() -> Release:
            release = self._deps.deploys.release(self._deps.app, release_id)
            tell.progress(f"v{release.version}: {release.status}")
            return release

        ended = until(look, lambda release: release.status != "pending", patience, self._deps.stop)
        if ended.status != "succeeded":
            raise EffectFailed(
                f"The release v{ended.version} {ended.status}: the code before it still runs.",
                provider="heroku",
                why=self._why_it_failed(ended.version),
                next_action=f"See why: heroku releases:output v{ended.version} --app {self._deps.app}; "
                "then: uscdr runs resume",
            )
        return ended

    def await_quiet(self, tell: Reporter) -> None:
        """Wait until no release is pending: its release phase could write to the database."""
        patience = WaitLimit("the pending release", RELEASE_LIMIT, f"heroku releases --app {self._deps.app}")

        def look() -> list[Release]:
            pending = [
                release
                for release in self._deps.platform.releases(self._deps.app, limit=5)
                if release.status == "pending"
            ]
            if pending:
                tell.progress(f"waiting for the release phase of v{pending[0].version} to end")
            return pending

        until(look, lambda pending: not pending, patience, self._deps.stop)

    def require_running(self, result: Redeployed) -> str:
        """That release is already running. Raises CheckFailed."""
        running = next((r for r in self._deps.platform.releases(self._deps.app) if r.current), None)
        if running is None or running.version != result.version:
            raise CheckFailed(
                f"{result.commit[:12]} was built, but another release runs.",
                next_action=f"See: heroku releases --app {self._deps.app}; then: uscdr runs resume",
            )
        return f"v{result.version} runs {result.commit[:12]}"


def _failed(release: Release) -> bool:
    return release.status not in ("succeeded", "pending")


def _fits(dyno: Dyno, formation: Sequence[ProcessType]) -> bool:
    """Whether it has the present size of its process type; a changed size restarts it."""
    size = next(one.size for one in formation if one.type == dyno.type)
    return not size or not dyno.size or size.casefold() == dyno.size.casefold()


# Builds: wait for one and report its stages, or find one whose answer was lost.


LIMIT = 3600.0
STAGE = "----->"
SHOWN = 60


class Builds:
    """The builds of the application of this run."""

    def __init__(self, deps: Adapters) -> None:
        self._deps = deps

    def _await_build(self, build_id: str, tell: Reporter) -> Build:
        """Wait for its end. Raises EffectFailed when it failed: the code before it still runs."""
        stage = _Stage()
        patience = WaitLimit("the build", LIMIT, f"heroku builds --app {self._deps.app}")
        follower: threading.Thread | None = None

        def look() -> Build:
            nonlocal follower
            build = self._deps.deploys.build(self._deps.app, build_id)
            if follower is None and build.output_url:
                follower = threading.Thread(target=stage.follow, args=(self._deps, build.output_url), daemon=True)
                follower.start()
            tell.progress(f"building: {stage.words or build.status}")
            return build

        ended = until(look, lambda build: build.status != "pending", patience, self._deps.stop)
        if ended.status != "succeeded":
            raise EffectFailed(
                "The build failed: what ran before still runs.",
                provider="heroku",
                why=f"Its last stage: {stage.words}." if stage.words else "",
                next_action=f"Read it whole: heroku builds:output --app {self._deps.app}. The same commit again: "
                "uscdr runs resume; another one: uscdr recover … --ref REF --new",
            )
        return ended

    def await_deployed(self, build_id: str, commit: str, tell: Reporter) -> Redeployed:
        """Wait for the build, its release and its dynos."""
        built = self._await_build(build_id, tell)
        if built.release_id is None:
            return Redeployed(build=build_id, commit=commit, version=None)
        release = Releases(self._deps).await_release(built.release_id, tell)
        Releases(self._deps).await_dynos(tell)
        return Redeployed(build=build_id, commit=commit, version=release.version)

    def find(self, intent: Intent, tell: Reporter) -> FoundWrite:
        """A new build of the intent's commit: the accepted one, else found by looking for a while."""
        before, commit = set(intent.texts("builds")), intent.text("commit")

        def new() -> list[Build]:
            builds = reversed(self._deps.deploys.builds(self._deps.app))
            return [build for build in builds if build.id not in before and build.commit == commit]

        search = Search(
            f"GET /apps/{self._deps.app}/builds",
            new,
            lambda build: f"build {build.id} of {commit[:12]} is ours",
            f"no new build of {commit[:12]}",
        )
        return search.run(intent, self._deps.stop, tell)


class _Stage:
    """The last stage of a build. Other lines of its output may contain secrets and are dropped."""

    def __init__(self) -> None:
        self.words = ""

    def follow(self, deps: Adapters, url: str) -> None:
        try:
            deps.deploys.follow(url, self._line)
        except ProviderError:
            return  # the output is only for display; the build's status decides

    def _line(self, line: str) -> None:
        if line.startswith(STAGE):
            self.words = line.removeprefix(STAGE).strip()[:SHOWN]
