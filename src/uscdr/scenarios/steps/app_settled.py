"""After the last restart: check that the running code fits the database and can save rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field
from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import CheckFailed, OutcomeUnknown, ProviderError
from uscdr.models.base import Call, Fact
from uscdr.models.migrations import MigrationsVerdict
from uscdr.scenarios.checks import ask_until_dead, failing
from uscdr.scenarios.code import DeployedCode
from uscdr.scenarios.django import LIST, Django, DjangoOutput, quotable
from uscdr.scenarios.releases import Releases
from uscdr.scenarios.results.db import VerifiedData
from uscdr.scenarios.steps.base import ScenarioStep, shut, writes
from uscdr.words import first_of, plural

if TYPE_CHECKING:
    from uscdr.models.heroku import OneOffResult
    from uscdr.models.migrations import Listed
    from uscdr.providers.ports.probes import Website

Saving = Literal["pass", "fail", "not checked", "not known"]
SAVED = "saved and rolled back"


class _AppSettled(Fact):
    """The recovered application against its database, and whether it can save."""

    code: MigrationsVerdict
    saving: Literal["pass", "fail", "not checked", "not known"]
    """`not checked`: there is no command for it; `not known`: there is one, and its end was not seen."""
    words: str = ""
    """What the command said of what cannot be saved, or why it was not asked."""
    failing: dict[str, str] = Field(default_factory=dict)
    """Checks of the application that do not pass -> evidence; asked only when something else is wrong."""


class _StaticSeen(Fact):
    """Static files that the first page names, and those of them that are not served."""

    named: int
    missing: tuple[str, ...]


class _SettledSeen(Fact):
    """The write check; empty if scenarios.yaml names none."""

    command: str
    optional: bool


class Settled(ScenarioStep[_SettledSeen, _AppSettled]):
    """Compares the migrations with the running code, and runs the write check of the application."""

    name = "app.settled"
    title = "Check migrations, and that rows can be saved"
    effect = Effect.IDEMPOTENT
    sends = (writes("POST", "/apps/{app}/dynos (showmigrations; the write check, which rolls back)"),)
    manual = (
        "heroku run --exit-code --app {app} -- {manage} showmigrations",
        "heroku run --exit-code --app {app} -- {manage} $WRITE_CHECK   # app.write_check of scenarios.yaml",
    )
    gives = _AppSettled
    needs = (VerifiedData,)
    waits = "migrations and saving are checked when the application runs"

    @override
    def ready(self, view: View) -> str | None:
        return self.waits if shut(view) else super().ready(view)

    @override
    def probe(self, view: View, tell: Reporter) -> _SettledSeen:
        check = self._deps.config.app.write_check
        return _SettledSeen(command=check.command if check else "", optional=check.optional if check else True)

    @override
    def plan(self, seen: _SettledSeen, view: View) -> Action:
        known = {"WRITE_CHECK": seen.command} if seen.command else {}
        words = "compare the database with the running code; save rows and roll them back"
        return Action("change", words, self.calls(), known)

    @override
    def apply(self, seen: _SettledSeen, view: View, tell: Reporter) -> _AppSettled:
        Releases(self._deps).await_in_force(tell)
        listed, saving, words = self._asked(seen, tell)
        tell.progress("comparing the database with the running code")
        settled = _AppSettled(code=DeployedCode(self._deps).judge_running(listed), saving=saving, words=words)
        if not _wrong(settled):
            return settled
        answers, _ = failing(ask_until_dead(self._deps, self._deps.config.application_checks(), tell))
        return settled.model_copy(update={"failing": answers})

    def _asked(self, seen: _SettledSeen, tell: Reporter) -> tuple[Listed | None, Saving, str]:
        """The migrations that the running code lists, and whether it can save: both in one dyno."""
        more = (seen.command,) if seen.command else ()
        try:
            ended = Django(self._deps).manage(LIST, tell, *more, words="showmigrations; the write check")
        except OutcomeUnknown as error:
            return None, "not known" if more else "not checked", error.message
        listed = DjangoOutput(ended.output).listed()
        if not more:
            return listed, "not checked", "scenarios.yaml has no app.write_check"
        return listed, *_saved(ended, seen)

    @override
    def verify(self, result: _AppSettled, view: View, tell: Reporter) -> str:
        for name, verdict, evidence in _verdicts(result):
            tell.check(name, verdict, evidence)
        wrong = _wrong(result)
        if wrong:
            raise CheckFailed(
                f"The application is recovered, but {'; '.join(wrong)}.",
                why="" if result.failing else "Its checks pass because they only read.",
                next_action=_then(DeployedCode(self._deps).way_on(result.code)),
            )
        if result.saving == "not checked":
            tell.warn(f"uscdr did not check whether rows can be saved: {result.words}.")
            return f"{_fitting(result.code)}; saving was not checked"
        return f"{_fitting(result.code)}; a row of each main model can be saved"


def _saved(ended: OneOffResult, seen: _SettledSeen) -> tuple[Saving, str]:
    if ended.exit_status == 0:
        return "pass", ""
    if DjangoOutput(ended.output).lacks_command(seen.command):
        return ("not checked" if seen.optional else "fail"), f"the application has no command {seen.command}"
    return "fail", _unsaved(ended)


def _then(way: str) -> str:
    return f"{way.rstrip('.')}. Then: uscdr runs resume" if way else "Fix that, then: uscdr runs resume"


def _unsaved(ended: OneOffResult) -> str:
    """The command's words on models that it could not save, or why it did not run."""
    lines = [line.strip() for line in ended.output.replace("\r", "").splitlines()]
    named = (line for line in lines if "." in line.partition(": ")[0] and not line.endswith(SAVED))
    told = [quotable(line) for line in named if "cannot be tried" not in line]
    return DjangoOutput(ended.output).reason or first_of(told, comma="; ") or f"exit status {ended.exit_status}"


def _wrong(result: _AppSettled) -> list[str]:
    """The problems, the worst first."""
    words = [f"{plural(len(result.failing), 'check')} fail: {first_of(list(result.failing))}"] if result.failing else []
    if result.saving == "fail":
        words.append(f"it cannot save: {result.words}")
    words += result.code.problems
    if not result.code.known:
        words.append(f"it is not known whether the database fits its code: {result.code.why}")
    if result.saving == "not known":
        words.append(f"it is not known whether it can save: {result.words}")
    return words


def _verdicts(result: _AppSettled) -> list[tuple[str, Literal["pass", "fail", "inconclusive", "not checked"], str]]:
    code = result.code
    saving: Literal["pass", "fail", "inconclusive", "not checked"]
    saving = "inconclusive" if result.saving == "not known" else result.saving
    problems = "; ".join(code.problems)
    return [
        ("database fits the code", "inconclusive" if not code.known else "fail" if problems else "pass",
         problems or (_fitting(code) if code.known else code.why)),
        ("rows can be saved", saving, result.words or "each main model was saved and rolled back"),
    ]  # fmt: skip


def _fitting(found: MigrationsVerdict) -> str:
    words = f"the database fits {found.against}: {plural(found.applied, 'migration')}, none pending, none ahead"
    return words + (f" (tables not checked: {first_of(found.unclear)})" if found.unclear else "")


# Static files are in the slug: `collectstatic` in a one-off dyno changes nothing for the web dynos.


ASSET = re.compile(r"""(?:src|href)=["'](?P<path>/[^"'?#]+\.(?:js|css|svg|png|ico))["'?#]""")
MOST = 20
OK = 200


def _not_served(site: Website, path: str, tell: Reporter) -> str:
    tell.progress(f"requesting {path}")
    try:
        status = site.ask("GET", path).status
    except ProviderError as error:
        return error.message
    return "" if status == OK else str(status)


class Static(ScenarioStep[_StaticSeen, _StaticSeen]):
    """Every file that the front page names must be served."""

    name = "app.static"
    title = "Check the static files"
    effect = Effect.READ
    manual = ("heroku open --app {app}   # collectstatic in a one-off dyno changes nothing for web",)
    gives = _StaticSeen
    needs = (VerifiedData,)
    waits = "the static files of the front page are requested when maintenance mode is off"

    @override
    def ready(self, view: View) -> str | None:
        return self.waits if shut(view) else super().ready(view)

    @override
    def probe(self, view: View, tell: Reporter) -> _StaticSeen:
        with self._deps.world() as world:
            site = world.website()
            page = site.ask("GET", "/").body.decode(errors="replace")
            named = list(dict.fromkeys(match["path"] for match in ASSET.finditer(page)))[:MOST]
            missing = [f"{path} ({wrong})" for path in named if (wrong := _not_served(site, path, tell))]
        return _StaticSeen(named=len(named), missing=tuple(missing))

    @override
    def plan(self, seen: _StaticSeen, view: View) -> Action:
        calls = (Call(provider="app", request="GET / and the files that it names", writes=False),)
        if seen.missing:
            return Action(
                "blocked",
                f"Static files are not served: {', '.join(seen.missing)}. Only a new build adds them to the slug "
                "(uscdr recover app --ref REF --new); collectstatic in a one-off dyno does not change the web dynos.",
                calls,
            )
        words = f"{plural(seen.named, 'static file')} of the front page, all served"
        note = "" if seen.named else " (the page names none)"
        return Action(
            "read", words + note + "; uscdr does not run collectstatic: it does not change the web dynos", calls
        )
