"""Confirm what will be built, from which data, and which hostnames move. The operator confirms by a phrase."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, BlastRadius, Effect, Reporter, View
from uscdr.models.base import Fact
from uscdr.phrase import UNKNOWN, short_phrase
from uscdr.scenarios.infra.material import CAPTURED, KIT, LEFT_BEHIND, not_captured
from uscdr.scenarios.results.db import ApplicationChecked, ChosenBackup, Compared, Proof, VerifiedData
from uscdr.scenarios.results.infra import InfraDecision, InfraSeen, KeyTried, Materials, Switched
from uscdr.scenarios.steps.base import ASSESS, ScenarioStep
from uscdr.words import duration, plural


class _InfraDecideSeen(Fact):
    """What is known for the confirmation."""

    scope: InfraSeen
    chosen: ChosenBackup
    rows: int | None
    config: tuple[str, ...] = ()
    """Config variables that are not simply copied, in sentences."""


class InfraDecide(ScenarioStep[_InfraDecideSeen, InfraDecision]):
    """Asks for the confirmation; changes nothing itself."""

    name = "infra.decide"
    title = "Decide"
    phase = ASSESS
    effect = Effect.IDEMPOTENT
    destructive = True
    manual = ("heroku whoami   # the right account?",)
    gives = InfraDecision
    needs = (InfraSeen, Materials, ChosenBackup, Proof, KeyTried)
    plans_with = (InfraSeen, Materials, ChosenBackup)
    checked_by = (Compared, VerifiedData, Switched, ApplicationChecked)
    waits = "asked after the assessment"

    @override
    def probe(self, view: View, tell: Reporter) -> _InfraDecideSeen:
        proof = view.get(Proof)
        return _InfraDecideSeen(
            scope=view.need(InfraSeen), chosen=view.need(ChosenBackup), rows=proof.rows if proof else None,
            config=view.need(Materials).words(),
        )  # fmt: skip

    @override
    def plan(self, seen: _InfraDecideSeen, view: View) -> Action:
        scope = seen.scope
        if scope.new_exists and not scope.in_place:
            return Action(
                "blocked",
                f"The application {scope.new_app} already exists. Choose another name with --app, or inspect it "
                f"(heroku apps:info --app {scope.new_app}). To continue an unfinished run: uscdr runs resume",
            )
        if scope.in_place and not scope.old_answers:
            return Action(
                "blocked",
                f"{scope.old_app} does not answer, so uscdr cannot rebuild it in place. Name a new application: "
                "--app NAME",
            )
        if scope.rows_there:
            return Action(
                "blocked",
                f"{scope.old_app} still has a database with {plural(scope.rows_there, 'row')}, "
                "and uscdr does not overwrite "
                "it. If its content is wrong: uscdr recover db. To build a new application: --app NAME without "
                "--in-place-if-possible. To continue an unfinished run: uscdr runs resume",
            )
        words = "; ".join(f"{name}: {fact}" for name, fact in self._facts(seen).items())
        approved = {"account": scope.account, "app": scope.new_app, "dump": seen.chosen.transfer_id,
                    "names": ", ".join(f"{r.name} -> {' '.join(r.values)}" for r in scope.records)}  # fmt: skip
        return Action("change", words, approved=approved)

    def _facts(self, seen: _InfraDecideSeen) -> dict[str, str]:
        scope, chosen = seen.scope, seen.chosen
        rows = plural(seen.rows, "row") if seen.rows is not None else "rows not counted yet"
        price = f"${scope.monthly_cents / 100:.2f} a month" if scope.monthly_cents is not None else "price not known"
        return {
            "account": scope.account,
            "application": f"{scope.new_app} ({'rebuilt in place' if scope.in_place else 'NEW'})",
            "add-ons": f"{', '.join(scope.plans)} ({price}, dynos not counted)",
            "data": f"{chosen.backup}, {duration(chosen.age_seconds)} old, {rows}; {self._later(scope)}",
            **self._without(seen),
            "code": scope.code,
            "names moved": self._names(scope),
            "old application": "stopped, so that it neither writes nor sends mail"
            if scope.old_answers
            else "does not answer",
            "time": self._time(),
            **({"NOT restored": "; ".join(scope.by_hand_after)} if scope.by_hand_after else {}),
        }

    def _later(self, scope: InfraSeen) -> str:
        lost = not_captured(self._deps, scope)
        return LEFT_BEHIND if lost else CAPTURED

    def _without(self, seen: _InfraDecideSeen) -> dict[str, str]:
        """What differs between the new application and the old one."""
        missing = (*seen.scope.left_out, *seen.scope.attached)
        found = {
            "NOT created again": ", ".join(missing), "config": "; ".join(seen.config),
            "other applications": "; ".join(seen.scope.sharing),
        }  # fmt: skip
        return {name: words for name, words in found.items() if words}

    def _time(self) -> str:
        """The planned time against the RTO."""
        planned = sum(self._deps.config.scenarios[self._deps.request.scenario].budget.values())
        promised = self._deps.config.objectives.rto
        late = "; DNS and certificates alone may take longer" if planned > promised else ""
        return f"planned for up to {duration(planned)}, promised (RTO) {duration(promised)}{late}"

    def _names(self, scope: InfraSeen) -> str:
        if not scope.hostnames:
            return "none"
        now = {record.name: " ".join(record.values) for record in scope.records}
        otherwise = "without a CNAME" if scope.zone_read else "not known: the zone does not answer"
        moved = [f"{name} (now {now.get(name, otherwise)})" for name in _moved(scope)]
        left = [f"{name} LEFT TO A PERSON: {why}" for name, why in scope.by_hand.items()]
        return "; ".join((*moved, *left))

    @override
    def blast(self, seen: _InfraDecideSeen, view: View) -> BlastRadius:
        rows = UNKNOWN if seen.rows is None else seen.rows
        kit, backup = seen.chosen.backup.startswith(KIT), seen.chosen.backup
        source = f"kit {backup.rpartition('-')[2]}" if kit else backup
        return BlastRadius(self._facts(seen), short_phrase(seen.scope.new_app, f"{source} {rows} rows"))

    @override
    def apply(self, seen: _InfraDecideSeen, view: View, tell: Reporter) -> InfraDecision:
        return InfraDecision(app=seen.scope.new_app, backup=seen.chosen.backup, hostnames=seen.scope.hostnames)

    @override
    def verify(self, result: InfraDecision, view: View, tell: Reporter) -> str:
        return f"decided: build {result.app} with {result.backup}"


def _moved(scope: InfraSeen) -> tuple[str, ...]:
    """The hostnames whose records the run changes, or waits for while a person changes them."""
    return tuple(name for name in scope.hostnames if name not in scope.by_hand)
