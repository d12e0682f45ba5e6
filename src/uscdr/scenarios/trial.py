"""The SQL of pending migrations, tried on a restored copy of the data: what surely fails is seen before it is begun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.errors import BadInput, CheckFailed, ProviderError
from uscdr.models.migrations import CodeMigrations, MigrationsVerdict
from uscdr.models.trial import (
    MigrationScript,
    Trial,
    Untried,
    pending_on,
)
from uscdr.scenarios.code import running_code, see_tables
from uscdr.scenarios.django import LIST, PLAN, listed, manage, own_list, reason, sql_of
from uscdr.scenarios.results.app import TriedDry
from uscdr.words import first_of, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from uscdr.engine.step import Reporter
    from uscdr.models.heroku import OneOffResult
    from uscdr.providers.ports.database import Copy
    from uscdr.scenarios.adapters import Adapters

SHARE_OF_RTO = 0.05
"""Of the time there is to recover: no more goes into one dyno of a trial, nor into its SQL on the copy."""
LEAST = 60.0
"""Seconds: a dyno alone takes that long to come up on a bad day."""
OPEN = "Users were not shut out by this run, and nothing was changed."


def seconds(deps: Adapters) -> float:
    """How long a dyno, or the SQL of all migrations, may take."""
    return max(LEAST, deps.config.objectives.rto * SHARE_OF_RTO)


@dataclass(frozen=True)
class TrialSubject:
    """The backup whose copy is at hand, and what a person does when its data let a migration fail."""

    backup: str
    copy: Copy
    way_on: str
    restored: bool
    """Whether the migrations will run on these very data; else on the live ones, which are newer."""


@dataclass(frozen=True)
class MigrationPlan:
    """Every installed migration in Django's order, each with whether the live database has it; see `pending_on`."""

    done: Mapping[str, bool]
    squashed: Collection[str]

    @property
    def pending(self) -> tuple[str, ...]:
        """On the live database."""
        return tuple(name for name, done in self.done.items() if not done)


def plan_of(deps: Adapters, asked: OneOffResult) -> MigrationPlan:
    """From the output of `PLAN` and `LIST`. Raises OutcomeUnknown when there is none in it."""
    own = own_list(asked.output)
    return MigrationPlan(listed(deps, asked), own.squashed if own else ())


def rehearsed(deps: Adapters, subject: TrialSubject, tell: Reporter) -> TriedDry:
    """What the deployed code would apply after the backup is restored, tried on its copy (starts one-off dynos).

    Raises CheckFailed for what surely fails; ProviderError, OutcomeUnknown when the code could not be asked.
    """
    asked = manage(deps, PLAN, tell, LIST, words="showmigrations", time_limit=seconds(deps))
    if asked.exit_status != 0:
        words = f"the deployed code could not be asked: {reason(asked.output) or 'the output tells no reason'}"
        return TriedDry(tried=(), untried=(words,))
    plan = plan_of(deps, asked)
    missing = missing_on(deps, subject.copy, plan)
    written = sql_of(deps, missing.names, tell, time_limit=seconds(deps)) if missing.names else ()
    return on_copy(deps, subject, missing, written, plan, tell)


@dataclass(frozen=True)
class Missing:
    """What is pending on the copy, in Django's order, and what cannot be told; see `pending_on`."""

    names: tuple[str, ...]
    unknown: tuple[Untried, ...]
    beside: frozenset[str]
    """Those whose SQL is written beside a database that has them already, or is damaged."""


def missing_on(deps: Adapters, copy: Copy, plan: MigrationPlan) -> Missing:
    """What the deployed code would apply to the copy. Raises ProviderError."""
    applied, code = copy.migrations(), running_code(deps)
    recorded = {one.full_name for one in applied}
    names, unknown = pending_on(plan.done, plan.squashed, MigrationsVerdict.compare(code, applied), recorded)
    live = {name for name, done in plan.done.items() if done}
    return Missing(names, unknown, frozenset(live if _whole(deps, code) else names))


def _whole(deps: Adapters, code: CodeMigrations | None) -> bool:
    """Whether the live database surely has what its recorded migrations made."""
    try:
        found = see_tables(deps).against(code)
    except (ProviderError, BadInput):
        return False
    return found.known and not (found.lacking or found.stuck)


def on_copy(
    deps: Adapters,
    subject: TrialSubject,
    missing: Missing,
    written: Sequence[MigrationScript],
    plan: MigrationPlan,
    tell: Reporter,
) -> TriedDry:
    """Tries these migrations in their order; nothing of it stays. Raises CheckFailed for what surely fails."""
    names = missing.names
    tell.progress(f"trying the SQL of {plural(len(names), 'migration')} on the copy of {subject.backup}")
    able = MigrationScript.runnable(names, written)
    python = tuple(one.name for one in written if one.runs_code)
    trial = Trial.judge(subject.copy.tried(able, seconds=seconds(deps)), python, missing.beside)
    if not subject.restored:
        trial = trial.without_applied({name for name, done in plan.done.items() if done})
    if missing.unknown:
        trial = trial.without_refusal(f"it may rest on {missing.unknown[0].name}, which was not tried")
    _refuse(trial, subject)
    untried = (*trial.untried, *(_unwritten(one) for one in written if one.failed and one.name in names))
    whole = trial.model_copy(update={"untried": untried})
    return TriedDry(
        tried=tuple(one.name for one in written if not one.failed),
        not_tried=python,
        backup=subject.backup,
        ran=trial.ran,
        untried=tuple(map(str, (*untried, *whole.behind(names), *missing.unknown))),
    )


def _unwritten(script: MigrationScript) -> Untried:
    why = reason(script.output) or "the output tells no reason"
    return Untried(name=script.name, why=f"Django cannot write its SQL beside the live database: {why}")


def _refuse(trial: Trial, subject: TrialSubject) -> None:
    if trial.refused is not None:
        raise CheckFailed(
            f"The migration {trial.refused.name} fails on the data of {subject.backup}: {trial.refused.why}.",
            why=f"Its SQL was tried on the copy that is restored on this machine. {OPEN}",
            next_action=subject.way_on,
        )


def summary(result: TriedDry) -> str:
    """What was tried and what was not, for the end of a step."""
    if not result.backup:
        return f"NOT TRIED: {first_of(result.untried)}" if result.untried else "nothing was tried"
    words = f"the SQL of {plural(len(result.ran), 'pending migration')} runs on the copy of {result.backup}"
    return f"{words}; NOT TRIED: {first_of(result.untried, comma='; ')}" if result.untried else words
