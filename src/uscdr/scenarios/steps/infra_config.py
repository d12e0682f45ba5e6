"""Set the config of the new application in one call before the first deploy; mail follows after the switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import CheckFailed
from uscdr.models.base import Fact
from uscdr.scenarios.infra.services import NewApplication
from uscdr.scenarios.releases import InForce, Releases
from uscdr.scenarios.results.db import Proof
from uscdr.scenarios.results.infra import AppMade, ConfigSet, DatabaseReady, KeyTried, Materials, Switched
from uscdr.scenarios.steps.base import ASSESS, ScenarioStep, reads, sql, writes
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr


class _MailEnabled(Fact):
    """Variables that were withheld until now."""

    set: tuple[str, ...]


class _ConfigSeen(Fact):
    """Names of variables to set, and of those that are already right."""

    to_set: tuple[str, ...]
    right: tuple[str, ...]


def _compare(wanted: Mapping[str, SecretStr], there: Mapping[str, SecretStr]) -> _ConfigSeen:
    """Compare the values; the result has only names."""
    right = tuple(sorted(name for name, value in wanted.items() if there.get(name) == value))
    return _ConfigSeen(to_set=tuple(sorted(wanted.keys() - set(right))), right=right)


def _require(names: set[str], there: Mapping[str, SecretStr], materials: Materials) -> None:
    """Raise CheckFailed, with the names, if variables of the plan are missing now."""
    lacking = sorted(names - there.keys())
    if lacking:
        raise CheckFailed(
            f"Config variables of the plan are no longer available: {', '.join(lacking)}.",
            why=f"They came from {materials.origin}, which does not have them now.",
            next_action="When it answers again: uscdr runs resume. Or start again from a kit: "
            "uscdr recover infra --kit newest --app NAME --new",
        )


class SetConfig(ScenarioStep[_ConfigSeen, ConfigSet]):
    """Sets every variable except those of add-ons; includes the key for encrypted columns."""

    name = "infra.config"
    title = "Set the config vars"
    effect = Effect.IDEMPOTENT
    sends = (writes("PATCH", "/apps/{new_app}/config-vars"),)
    manual = ("heroku config:set $NAME=$VALUE … --app {new_app}   # all in ONE call, without {silenced}",)
    gives = ConfigSet
    needs = (Materials, AppMade, DatabaseReady)
    waits = "all variables are set in one call when the add-ons exist"

    def _wanted(self, view: View) -> Mapping[str, SecretStr]:
        materials, new = view.need(Materials), NewApplication.now(self._deps).planned(self._deps)
        _require(set(materials.copied) - set(new.from_addons), new.values, materials)
        return new.values

    @override
    def probe(self, view: View, tell: Reporter) -> _ConfigSeen:
        return _compare(self._wanted(view), self._deps.platform.config_vars(self._deps.app))

    @override
    def plan(self, seen: _ConfigSeen, view: View) -> Action:
        if not seen.to_set:
            return Action("noop", f"{plural(len(seen.right), 'variable')} already right")
        return Action("change", f"set in one call: {', '.join(seen.to_set)}", self.calls())

    @override
    def apply(self, seen: _ConfigSeen, view: View, tell: Reporter) -> ConfigSet:
        wanted = self._wanted(view)
        self._deps.provisioning.set_config(self._deps.app, {name: wanted[name] for name in seen.to_set})
        for sentence in view.need(Materials).tasks():
            tell.warn(sentence)
        return ConfigSet(set=seen.to_set, kept=seen.right)

    @override
    def current(self, seen: _ConfigSeen, view: View) -> ConfigSet:
        return ConfigSet(set=(), kept=seen.right)

    @override
    def verify(self, result: ConfigSet, view: View, tell: Reporter) -> str:
        left = self.probe(view, tell).to_set
        if left:
            raise CheckFailed(f"Heroku accepted these variables, but they have other values: {', '.join(left)}.")
        return f"{plural(len(result.set) + len(result.kept), 'variable')} right"


class _MailSeen(_ConfigSeen):
    """Also whether the variables are in force: a release that fails now would keep the old ones."""

    in_force: bool
    failed: bool
    standing: str
    """The state of the release, in words."""


class EnableMail(ScenarioStep[_MailSeen, _MailEnabled]):
    """Enables mail in the new application. Done when its dynos run with the new variables."""

    name = "infra.enable_mail"
    default_id = "unsilence"
    title = "Enable mail"
    effect = Effect.IDEMPOTENT
    sends = (writes("PATCH", "/apps/{new_app}/config-vars"),)
    manual = ("heroku config:set {unsilence} --app {new_app}   # in ONE call",)
    gives = _MailEnabled
    needs = (Materials, Switched)
    waits = "mail is enabled after the switch, not before"

    def _wanted(self, view: View) -> Mapping[str, SecretStr]:
        materials, withheld = view.need(Materials), NewApplication.now(self._deps).planned(self._deps).withheld
        _require(set(materials.withheld), withheld, materials)
        return withheld

    @override
    def probe(self, view: View, tell: Reporter) -> _MailSeen:
        seen = _compare(self._wanted(view), self._deps.platform.config_vars(self._deps.app))
        force = InForce.look(self._deps, since=0)
        return _MailSeen(
            **seen.model_dump(), in_force=force.reached, failed=force.failed is not None, standing=force.words
        )

    @override
    def plan(self, seen: _MailSeen, view: View) -> Action:
        known = {"unsilence": " ".join(f"{name}=${name}" for name in seen.to_set)}
        if seen.to_set:
            return Action("change", f"enable mail: set {', '.join(seen.to_set)}", self.calls(), known)
        if not (seen.in_force or seen.failed):
            return Action("change", f"every variable is set; {seen.standing}", known=known)
        if seen.failed:
            return Action("blocked", f"Mail is not enabled: {seen.standing}. {Releases(self._deps).how_to_retry()}")
        return Action("noop", "mail is already enabled", known=known)

    @override
    def apply(self, seen: _MailSeen, view: View, tell: Reporter) -> _MailEnabled:
        wanted, since = self._wanted(view), Releases(self._deps).newest_version()
        if seen.to_set:
            self._deps.provisioning.set_config(self._deps.app, {name: wanted[name] for name in seen.to_set})
        Releases(self._deps).await_in_force(tell, since=since)
        return _MailEnabled(set=seen.to_set)

    @override
    def current(self, seen: _MailSeen, view: View) -> _MailEnabled:
        return _MailEnabled(set=())

    @override
    def verify(self, result: _MailEnabled, view: View, tell: Reporter) -> str:
        left = _compare(self._wanted(view), self._deps.platform.config_vars(self._deps.app)).to_set
        if left:
            raise CheckFailed(f"These variables are still not set: {', '.join(left)}.", next_action="uscdr runs resume")
        force = InForce.look(self._deps)
        return f"{plural(len(result.set), 'variable')} set; {force.words}" if result.set else force.words


# Collect the config of the old application, by name. Without the encryption key nothing is created.


class InfraMaterials(ScenarioStep[Materials, Materials]):
    """Compares the names with the required ones; never shows values."""

    name = "infra.materials"
    title = "Collect the config for the new application"
    phase = ASSESS
    effect = Effect.READ
    manual = (
        "heroku config --app {app} --shell >config.env   # 0600; keep it off the screen",
        "age -d -i $IDENTITY manifest.json.age   # or from the kit: find the object that holds the config",
        "age -d -i $IDENTITY objects/$OBJECT.age >config.json",
    )
    gives = Materials

    @override
    def probe(self, view: View, tell: Reporter) -> Materials:
        old, new = self._deps.old.place(self._deps.old_app), NewApplication().planned(self._deps)
        expected = (
            set(self._deps.config.config.required) | {self._deps.config.recovery.encryption_key_variable}
        ) - set(new.from_addons)
        there = new.values.keys() | new.withheld.keys()
        return Materials(
            origin=old.origin,
            copied=tuple(new.values),
            changed=new.changed,
            withheld=tuple(new.withheld),
            from_addons=new.from_addons,
            missing=tuple(sorted(expected - there - self._addon_made() - new.left.keys())),
            left=dict(new.left),
            doubtful=dict(new.doubtful),
            in_place=old.rebuilt_in_place(self._deps.request.app),
            has_key=self._deps.config.recovery.encryption_key_variable in there,
        )

    def _addon_made(self) -> set[str]:
        """Variables that the new add-ons will set, even if the old ones are not known."""
        return {name for name in self._deps.config.config.derived if name.endswith("_URL") and name in MADE_BY_ADDONS}

    @override
    def plan(self, seen: Materials, view: View) -> Action:
        key = self._deps.config.recovery.encryption_key_variable
        calls = (reads("GET", f"/apps/{self._deps.old_app}/config-vars"),)
        if not seen.has_key:
            return Action(
                "blocked",
                f"{key} is not available ({seen.origin}), so encrypted patients' data would be unreadable in the new "
                "application. uscdr created nothing. Name a kit that holds the key (uscdr kit list, --kit KIT), or ask "
                "the keeper of the escrowed key.",
                calls,
            )
        if seen.missing:
            return Action(
                "blocked",
                f"Required config variables are missing ({seen.origin}): {', '.join(seen.missing)}. Name a kit that "
                "holds them (--kit KIT), or remove those that are optional from config.required in scenarios.yaml.",
                calls,
            )
        words = f"{plural(len(seen.copied), 'variable')} copied from {seen.origin}"
        if seen.withheld:
            words += f"; withheld until the switch: {', '.join(seen.withheld)}"
        words += f"; set by add-ons: {', '.join(seen.from_addons) or 'none'}"
        return Action("read", "; ".join((words, *seen.words())), calls)


MADE_BY_ADDONS = frozenset({"DATABASE_URL", "REDIS_URL"})


NO_KEY = "there is no key to try"
TRIED = "the key is tried on the proven backup before anything is created"


class TryKey(ScenarioStep[KeyTried, KeyTried]):
    """Tries the key: with a wrong one, every count is right and every record unreadable."""

    name = "infra.try_key"
    title = "Try the encryption key"
    phase = ASSESS
    effect = Effect.READ
    manual = ("psql -h 127.0.0.1 -U proof proof   # {canary}; the key by \\prompt, not in the command",)
    gives = KeyTried
    needs = (Materials, Proof)
    waits = TRIED
    slow = True

    @override
    def ready(self, view: View) -> str | None:
        materials = view.get(Materials)
        return NO_KEY if materials is not None and not materials.has_key else super().ready(view)

    @override
    def plan_later(self, waiting_for: str) -> Action:
        return Action("later", waiting_for if waiting_for == NO_KEY else TRIED)

    @override
    def probe(self, view: View, tell: Reporter) -> KeyTried:
        canary = view.need(Proof).key  # a proof with a wrong key is already refused
        return KeyTried(
            columns=canary.columns,
            sampled=canary.sampled,
            matching=canary.matching,
            unreadable=canary.wrong,
            unencrypted=canary.unencrypted,
            unknown=(canary.why,) if canary.verdict == "not checked" else (),
        )

    @override
    def plan(self, seen: KeyTried, view: View) -> Action:
        key, named = self._deps.config.recovery.encryption_key_variable, len(self._deps.config.recovery.canaries)
        calls = (sql("pgp_sym_decrypt of a sample, on this machine"),)
        if named and seen.unknown:
            return Action(
                "blocked", f"It is not known whether {key} fits the backup: {'; '.join(seen.unknown)}.", calls
            )
        words = f"{key} decrypts {seen.matching} of {seen.sampled} sampled values in {plural(seen.columns, 'column')}"
        if seen.unencrypted:
            words += f"; {plural(seen.unencrypted, 'value')} not encrypted"
        return Action("read", words, calls)
