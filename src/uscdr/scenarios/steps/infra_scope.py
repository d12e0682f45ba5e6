"""Assess the loss: what still answers, what each part of the recovery needs, how the new application is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from uscdr.clock import system_time
from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import BadInput, CredentialsRefused, MachineError, NotFound, ProviderError
from uscdr.models.base import aged
from uscdr.providers.ports.dns import Pointing
from uscdr.scenarios.code import without
from uscdr.scenarios.infra.config import AddonFate
from uscdr.scenarios.infra.material import fetch_code
from uscdr.scenarios.infra.services import AddonOrder, LostAddons, OldAddon, still_using
from uscdr.scenarios.results.infra import InfraSeen, Need
from uscdr.scenarios.steps.base import ASSESS, ScenarioStep, reads
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uscdr.kit.content import AppFacts
    from uscdr.models.dns import RecordSet
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.infra.old import OldApplication

FRESH = 30.0


class InfraScope(ScenarioStep[InfraSeen, InfraSeen]):
    """Asks every provider once. A provider that does not answer becomes a line of the plan and does not stop it."""

    name = "infra.scope"
    title = "Assess the loss"
    phase = ASSESS
    effect = Effect.READ
    manual = (
        "heroku status",
        "heroku apps:info --app {app}",
        "sha256sum -c SHA256SUMS   # in the kit's directory, kits/$KIT: is it complete?",
    )
    gives = InfraSeen
    fresh_for = FRESH

    @override
    def probe(self, view: View, tell: Reporter) -> InfraSeen:
        account = self._deps.platform.account().email
        old = self._deps.old.place(self._deps.old_app)
        if not old.answers:
            tell.warn(f"{self._deps.old_app} does not answer: {old.why}. uscdr uses {old.origin} instead.")
        runs = self._still_open(old)
        if runs:
            tell.warn(_standing(self._deps.old_app, runs))
        names, dns = self._names(old)
        commit, code, code_there = self._code(old)
        facts, kit = old.facts, self._deps.kit
        return InfraSeen(
            account=account,
            old_app=self._deps.old_app,
            old_answers=old.answers,
            old_why=old.why,
            old_open=runs,
            new_app=self._deps.app,
            new_exists=self._exists(),
            in_place=self._deps.request.app is None,
            rows_there=self._rows_there(old),
            knows=old.origin,
            kit=kit.kit if kit else "",
            kit_old=aged(kit.manifest.created_at, system_time()) if kit else "",
            formation=self._formation(old),
            buildpacks=(facts.buildpacks if facts else ()) or self._deps.config.recovery.buildpacks,
            by_hand_after=() if self._deps.request.app is None or facts is None else facts.by_hand(),
            commit=commit,
            code=code,
            needs=self._needs(old, dns, Need(part="code", provider="source", possible=code_there, why=code)),
            **_told(facts, account),
            **self._addons(old),
            **names,
        )

    def _still_open(self, old: OldApplication) -> str:
        """What runs of an old application with users and a database; empty for a rebuild in place."""
        if not old.answers or old.facts is None or old.facts.app.maintenance or self._deps.request.app is None:
            return ""
        running = {one.type: one.quantity for one in old.facts.formation if one.quantity}
        if "web" not in running or self._deps.services.heroku.database not in old.config:
            return ""
        return ", ".join(f"{kind}={number}" for kind, number in sorted(running.items()))

    def _exists(self) -> bool:
        try:
            self._deps.platform.app(self._deps.app)
        except NotFound:
            return False
        except CredentialsRefused:
            return True  # the account answered before: another account owns the name
        return True

    def _rows_there(self, old: OldApplication) -> int:
        """Rows of an application that is rebuilt in place; 0 without a database."""
        if self._deps.request.app is not None or self._deps.services.heroku.database not in old.config:
            return 0
        try:
            database = self._deps.database()
            return sum(database.counted([table.name for table in database.tables()]).rows.values())
        except ProviderError:
            return 0

    def _formation(self, old: OldApplication) -> dict[str, int]:
        """The old formation; if it is stopped or unknown, the one from the configuration."""
        known = {entry.type: entry.quantity for entry in old.facts.formation} if old.facts else {}
        for source in (known, dict(self._deps.memory.formation), dict(self._deps.config.app.formation)):
            if any(source.values()):
                break
        return {kind: 1 if kind in self._deps.config.recovery.singletons and n else n for kind, n in source.items()}

    def _order(self, old: OldApplication, had: Sequence[OldAddon]) -> AddonOrder:
        configured = self._deps.config.recovery.addons
        sold = {service: self._deps.provisioning.plans(service) for service in self._deps.config.recovery.services}
        there = old.facts.addons if old.facts and old.rebuilt_in_place(self._deps.request.app) else ()
        return AddonOrder.of([*there, *(one.addon for one in had if one.fate is AddonFate.ANEW)], configured, sold)

    def _addons(self, old: OldApplication) -> dict[str, Any]:
        """The add-ons to create, those left out, and the price, as fields of `InfraSeen`."""
        lost = LostAddons.of(self._deps, old)
        wanted = self._order(old, lost.found)
        return {
            "plans": wanted.plans,
            "replaced": wanted.replaced,
            "left_out": lost.left_out,
            "attached": lost.attached,
            "sharing": still_using(self._deps, old),
            "monthly_cents": wanted.cents,
        }

    def _names(self, old: OldApplication) -> tuple[dict[str, Any], Need]:
        """The users' hostnames and their records, as fields of `InfraSeen`; and what their switch needs."""
        hostnames = self._hostnames(old)
        records, left, need = self._records(hostnames)
        fields = {
            "hostnames": hostnames,
            "records": records,
            "by_hand": left,
            "nowhere": tuple(name for name in left if _led_nowhere(self._deps, old, name)),
            "zone_read": need.possible,
        }
        return fields, need

    def _hostnames(self, old: OldApplication) -> tuple[str, ...]:
        dns = self._deps.services.dns
        configured = dns.hostnames if dns else ()
        return tuple(dict.fromkeys((*configured, *(old.facts.hostnames if old.facts else ()))))

    def _records(self, hostnames: tuple[str, ...]) -> tuple[tuple[RecordSet, ...], dict[str, str], Need]:
        """The zone's records of them, and the names whose record a person has to create, with the reasons."""
        need = Need(part="switch of the domain", provider="dns", possible=True, why="no hostname to move")
        place = self._deps.dns
        if not hostnames:
            return (), {}, need
        try:
            reasons = {name: self._deps.record_obstacle(name) for name in hostnames}
            mine = [name for name, why in reasons.items() if place is not None and not why]
            found = tuple(held for name in mine if place and (held := place.zone.read(name, "CNAME")) is not None)
        except (ProviderError, MachineError, BadInput) as error:
            return (), {}, need.model_copy(update={"possible": False, "why": error.message})
        by = "the zone's provider answers" if place and place.zone.writable else "by hand: uscdr shows the records"
        left = {name: why for name, why in reasons.items() if why}
        return found, left, need.model_copy(update={"why": by})

    def _code(self, old: OldApplication) -> tuple[str, str, bool]:
        """Commit, its origin in words, and whether it is available. Raises BadInput for an unknown --ref."""
        named, commit = self._deps.request.ref, old.facts.commit if old.facts else ""
        why = "no repository is configured"
        if self._deps.source is not None:
            configured = self._deps.config.app.source
            try:
                found = self._deps.source.resolve(named or commit or (configured.ref if configured else "main"))
            except NotFound as error:
                if named:
                    raise BadInput(
                        f"The repository has no ref “{named}”.",
                        why=error.message,
                        next_action="Name a branch, tag or commit.",
                    ) from error
                why = error.message
            except (ProviderError, MachineError) as error:
                why = error.message
            else:
                return found, f"{found[:12]} from the repository{self._without(found)}", True
        held = self._deps.kit.source() if self._deps.kit else None
        if held is not None and held.sha256 and (named is None or held.commit.startswith(named)):
            words = f"{held.commit[:12]} from the kit (the repository: {why}){without(held.lacks)}"
            return held.commit, words, True
        return named or commit, f"{named or 'the code'} is not available: {why}", False

    def _without(self, commit: str) -> str:
        """What a build of the commit would lack. A repository that does not answer now may do so at the build."""
        try:
            return without(fetch_code(self._deps, commit).lacks)
        except (BadInput, MachineError, ProviderError) as error:
            return f" (not fetched yet: {error.message})"

    def _needs(self, old: OldApplication, dns: Need, code: Need) -> tuple[Need, ...]:
        media = Need(part="media", provider="cloudinary", possible=True, why="not affected")
        if self._deps.media is not None:
            try:
                self._deps.media.open_old().ping()
            except (ProviderError, BadInput) as error:
                media = media.model_copy(update={"possible": False, "why": f"{error.message} (uscdr recover media)"})
        known = old.facts is not None and bool(old.config)
        return (
            Need(part="app, add-ons, build, domains", provider="heroku", possible=True, why="the account answers"),
            Need(part="config variables", provider=old.origin, possible=known, why=old.why),
            code,
            media,
            dns,
        )

    @override
    def plan(self, seen: InfraSeen, view: View) -> Action:
        lacking = [need for need in seen.needs if not need.possible and need.provider not in ("cloudinary", "dns")]
        calls = (reads("GET", "/account"), reads("GET", f"/apps/{seen.old_app}"), reads("GET", f"/apps/{seen.new_app}"),
                 reads("GET", "/addon-services/…/plans"))  # fmt: skip
        if lacking:
            words = "; ".join(f"{need.part}: {need.provider} ({need.why or 'does not answer'})" for need in lacking)
            return Action(
                "blocked", f"uscdr cannot build anything without: {words}. Name an escape kit: --kit newest", calls
            )
        return Action("read", _words(seen), calls, caution=_standing(seen.old_app, seen.old_open))


def _told(facts: AppFacts | None, account: str) -> dict[str, Any]:
    """The properties of the old application, as fields of `InfraSeen`; none if they are not known."""
    if facts is None:
        return {}
    return {
        "region": facts.app.region,
        "stack": facts.app.stack,
        "sizes": {one.type: one.size for one in facts.formation if one.size},
        "collaborators": tuple(one for one in facts.collaborators if one != account),
        "log_drains": tuple(one.host for one in facts.log_drains if not one.addon),
    }


def _standing(app: str, runs: str) -> str:
    """A warning before a new application replaces one that works for its users; empty if it does not."""
    if not runs:
        return ""
    return (
        f"{app} still runs for its users, with its database ({runs}). This recovery stops it and builds another one. "
        "If only its data is wrong: uscdr recover db. If only its code is wrong: uscdr recover app."
    )


def _words(seen: InfraSeen) -> str:
    old = "answers" if seen.old_answers else f"does not answer ({seen.old_why})"
    words = [f"{seen.old_app} {old}; its settings come from {seen.knows}"]
    if seen.kit_old:
        words.append(f"the kit is {seen.kit_old} old")
    words += [*seen.replaced, seen.code]
    words += [f"NOT created again, by hand if needed: {', '.join(seen.left_out)}"] if seen.left_out else []
    words += seen.sharing
    words += [f"NOT attached again, by hand if needed: {', '.join(seen.attached)}"] if seen.attached else []
    words += [f"NOT restored: {'; '.join(seen.by_hand_after)}"] if seen.by_hand_after else []
    down = [need for need in seen.needs if not need.possible]
    words += [f"NOT POSSIBLE NOW: {need.part} (needs {need.provider}: {need.why})" for need in down]
    words.append(f"{len(seen.needs) - len(down)} of {plural(len(seen.needs), 'part')} can be done")
    return "; ".join(words)


def _led_nowhere(deps: Adapters, old: OldApplication, hostname: str) -> bool:
    """Whether the hostname is known not to have led to the old place, so that nobody used it.

    While the old place lives, the name servers decide; when it is gone, the kit does, for its target has no address.
    """
    target = next((one.cname for one in old.facts.domains if one.hostname == hostname), None) if old.facts else None
    if old.answers and deps.dns is not None:
        try:
            seen = Pointing.seen(deps.dns.verifier, hostname, target) if target else None
            return seen is not None and seen.at_target_or_unknown(deps.dns.verifier) is False
        except (ProviderError, MachineError):
            return False
    kept = deps.kit.dns() if deps.kit is not None else None
    return any(host.hostname == hostname and host.led is False for host in (kept.hosts if kept else ()))
