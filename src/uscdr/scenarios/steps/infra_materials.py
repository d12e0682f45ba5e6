"""Config for the new place: all of the old one, in names. Without the escrowed key nothing is created."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Tell, View
from uscdr.scenarios.infra.lost import NewPlace, planned, rebuilt_in_place
from uscdr.scenarios.results import Proof
from uscdr.scenarios.results_infra import KeyTried, Materials
from uscdr.scenarios.steps.base import ASSESS, DepsStep
from uscdr.scenarios.steps.words import reads, sql
from uscdr.words import plural


class InfraMaterials(DepsStep[Materials, Materials]):
    """Compares names with what is required; values are never shown."""

    name = "infra.materials"
    title = "Config for the new place"
    phase = ASSESS
    effect = Effect.READ
    manual = (
        "heroku config --app {app} --shell >config.env   # 0600; keep it off the screen",
        "age -d -i $IDENTITY manifest.json.age   # or from the kit: which object holds the config",
        "age -d -i $IDENTITY objects/$OBJECT.age >config.json",
    )
    gives = Materials

    @override
    def probe(self, view: View, tell: Tell) -> Materials:
        old, new = self._deps.old.place(self._deps.old_app), planned(self._deps, NewPlace())
        expected = (set(self._deps.config.config.required) | {self._deps.config.recovery.key}) - set(new.from_addons)
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
            in_place=rebuilt_in_place(self._deps, old),
            has_key=self._deps.config.recovery.key in there,
        )

    def _addon_made(self) -> set[str]:
        """Variables that the new add-ons will set although nobody remembers them of the old ones."""
        return {name for name in self._deps.config.config.derived if name.endswith("_URL") and name in MADE_BY_ADDONS}

    @override
    def plan(self, seen: Materials, view: View) -> Action:
        key = self._deps.config.recovery.key
        calls = (reads("GET", f"/apps/{self._deps.old_app}/config-vars"),)
        if not seen.has_key:
            return Action(
                "blocked",
                f"{key} is not to be had ({seen.origin}): encrypted patients' data would be unreadable in the new "
                "place. Nothing is created. Name a kit that holds it (uscdr kit list, --kit), or find who keeps the "
                "escrowed key.",
                calls,
            )
        if seen.missing:
            return Action(
                "blocked",
                f"Required config variables are missing ({seen.origin}): {', '.join(seen.missing)}. Name a kit that "
                "holds them (--kit); what the application can do without, take off config.required in scenarios.yaml.",
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


class TryKey(DepsStep[KeyTried, KeyTried]):
    """The one failure that leaves every count right and every record unreadable."""

    name = "infra.try_key"
    title = "Try the key"
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
    def foresee(self, waiting_for: str) -> Action:
        return Action("later", waiting_for if waiting_for == NO_KEY else TRIED)

    @override
    def probe(self, view: View, tell: Tell) -> KeyTried:
        canary = view.need(Proof).key  # the proof itself is refused when the key does not fit
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
        key, named = self._deps.config.recovery.key, len(self._deps.config.recovery.canaries)
        calls = (sql("pgp_sym_decrypt of a sample, on this machine"),)
        if named and seen.unknown:
            return Action("blocked", f"Whether {key} fits the backup is not known: {'; '.join(seen.unknown)}.", calls)
        words = f"{key} reads {seen.matching} of {seen.sampled} sampled values in {plural(seen.columns, 'column')}"
        if seen.unencrypted:
            words += f"; {plural(seen.unencrypted, 'value')} were never encrypted"
        return Action("read", words, calls)
