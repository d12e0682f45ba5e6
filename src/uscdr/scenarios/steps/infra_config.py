"""Config of the new place, in one call before the first deploy; what was withheld follows after the switch."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr
from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.errors import CheckFailed
from uscdr.models.base import Fact
from uscdr.scenarios.infra.lost import new_place, planned
from uscdr.scenarios.releases import await_in_force, look_in_force, newest_version, retry
from uscdr.scenarios.results_infra import AppMade, ConfigSet, DatabaseReady, Materials, Switched, Unsilenced
from uscdr.scenarios.steps.base import DepsStep
from uscdr.scenarios.steps.words import writes
from uscdr.words import plural


class ConfigSeen(Fact):
    """Names of variables to set, and of those that are right already."""

    to_set: tuple[str, ...]
    right: tuple[str, ...]


def compare(wanted: Mapping[str, SecretStr], there: Mapping[str, SecretStr]) -> ConfigSeen:
    """By value, told by name."""
    right = tuple(sorted(name for name, value in wanted.items() if there.get(name) == value))
    return ConfigSeen(to_set=tuple(sorted(wanted.keys() - set(right))), right=right)


def require(names: set[str], there: Mapping[str, SecretStr], materials: Materials) -> None:
    """Nothing that the plan counted on may be missing now. Raises CheckFailed with the names."""
    lacking = sorted(names - there.keys())
    if lacking:
        raise CheckFailed(
            f"Config variables that the plan was made with cannot be had any more: {', '.join(lacking)}.",
            why=f"They came from {materials.origin}, which does not give them now.",
            next_action="See that it answers again, then: uscdr runs resume. Or begin anew from a kit: "
            "uscdr recover infra --kit newest --app NAME --new",
        )


class SetConfig(DepsStep[ConfigSeen, ConfigSet]):
    """Every variable but those that add-ons set; the key for encrypted columns among them."""

    name = "infra.config"
    title = "Set the config"
    effect = Effect.IDEMPOTENT
    sends = (writes("PATCH", "/apps/{new_app}/config-vars"),)
    manual = ("heroku config:set $NAME=$VALUE … --app {new_app}   # all in ONE call, without {silenced}",)
    gives = ConfigSet
    needs = (Materials, AppMade, DatabaseReady)
    waits = "all variables are set in one call when the add-ons are there"

    def _wanted(self, view: View) -> Mapping[str, SecretStr]:
        materials, new = view.need(Materials), planned(self._deps, new_place(self._deps))
        require(set(materials.copied) - set(new.from_addons), new.values, materials)
        return new.values

    @override
    def probe(self, view: View, tell: Tell) -> ConfigSeen:
        return compare(self._wanted(view), self._deps.platform.config_vars(self._deps.app))

    @override
    def plan(self, seen: ConfigSeen, view: View) -> Action:
        if not seen.to_set:
            return Action("noop", f"all {plural(len(seen.right), 'variable')} are right")
        return Action("change", f"set in one call: {', '.join(seen.to_set)}", self.calls())

    @override
    def apply(self, seen: ConfigSeen, view: View, tell: Tell) -> ConfigSet:
        wanted = self._wanted(view)
        self._deps.provisioning.set_config(self._deps.app, {name: wanted[name] for name in seen.to_set})
        for sentence in view.need(Materials).tasks():
            tell.warn(sentence)
        return ConfigSet(set=seen.to_set, kept=seen.right)

    @override
    def unchanged(self, seen: ConfigSeen, view: View) -> ConfigSet:
        return ConfigSet(set=(), kept=seen.right)

    @override
    def confirm_effect(self, result: ConfigSet, view: View, tell: Tell) -> str:
        left = self.probe(view, tell).to_set
        if left:
            raise CheckFailed(f"These variables are not as they should be: {', '.join(left)}.")
        return f"{plural(len(result.set) + len(result.kept), 'variable')} are as they should be"


class MailSeen(ConfigSeen):
    """The same, and whether what was set is in force: the deployment has succeeded, so no later release may fail."""

    in_force: bool
    failed: bool
    standing: str
    """What is waited for, in words."""


class Unsilence(DepsStep[MailSeen, Unsilenced]):
    """From now on the new place mails; the old one does not any more. Done when its dynos run with it."""

    name = "infra.unsilence"
    title = "Let mail out"
    effect = Effect.IDEMPOTENT
    sends = (writes("PATCH", "/apps/{new_app}/config-vars"),)
    manual = ("heroku config:set {unsilence} --app {new_app}   # in ONE call",)
    gives = Unsilenced
    needs = (Materials, Switched)
    waits = "mail is let out after the switch, not before"

    def _wanted(self, view: View) -> Mapping[str, SecretStr]:
        materials, withheld = view.need(Materials), planned(self._deps, new_place(self._deps)).withheld
        require(set(materials.withheld), withheld, materials)
        return withheld

    @override
    def probe(self, view: View, tell: Tell) -> MailSeen:
        seen = compare(self._wanted(view), self._deps.platform.config_vars(self._deps.app))
        force = look_in_force(self._deps, since=0)
        return MailSeen(
            **seen.model_dump(), in_force=force.reached, failed=force.failed is not None, standing=force.words
        )

    @override
    def plan(self, seen: MailSeen, view: View) -> Action:
        known = {"unsilence": " ".join(f"{name}=${name}" for name in seen.to_set)}
        if seen.to_set:
            return Action("change", f"mail is let out: {', '.join(seen.to_set)}", self.calls(), known)
        if not (seen.in_force or seen.failed):
            return Action("change", f"every variable is set; {seen.standing}", known=known)
        if seen.failed:
            return Action("blocked", f"Mail is not let out: {seen.standing}. {retry(self._deps)}")
        return Action("noop", "nothing is withheld", known=known)

    @override
    def apply(self, seen: MailSeen, view: View, tell: Tell) -> Unsilenced:
        wanted, since = self._wanted(view), newest_version(self._deps)
        if seen.to_set:
            self._deps.provisioning.set_config(self._deps.app, {name: wanted[name] for name in seen.to_set})
        await_in_force(self._deps, tell, since=since)
        return Unsilenced(set=seen.to_set)

    @override
    def unchanged(self, seen: MailSeen, view: View) -> Unsilenced:
        return Unsilenced(set=())

    @override
    def confirm_effect(self, result: Unsilenced, view: View, tell: Tell) -> str:
        left = compare(self._wanted(view), self._deps.platform.config_vars(self._deps.app)).to_set
        if left:
            raise CheckFailed(f"Still withheld: {', '.join(left)}.")
        force = look_in_force(self._deps)
        return f"{plural(len(result.set), 'variable')} let out; {force.words}" if result.set else force.words
