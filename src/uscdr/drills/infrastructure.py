"""The loss of everything at the platform: a new application from the kit, and the hostname leads to it."""

from __future__ import annotations

from uscdr.drills.beyond import of
from uscdr.drills.disaster import Aftermath, Disaster
from uscdr.drills.kit import build
from uscdr.drills.media import files_are_back
from uscdr.drills.stage import Stage
from uscdr.drills.truth import Finding, same_rows
from uscdr.providers.ports.leading import leads
from uscdr.scenarios.deps import Deps, Request


class InfrastructureDisaster(Disaster):
    """Application, database and every backup of the platform are gone; a kit is somewhere else."""

    scenario, path = "infra", "break/infra"

    def prepare(self, stage: Stage) -> None:
        """Build a kit, as a clinic does every night."""
        kit = build(stage)
        self.identity, self._kit = kit.identity, kit.name
        self._app = stage.place.config.recovery.app

    def request(self) -> Request:
        """A new application from the kit."""
        return Request("infra", app=self._app, kit=self._kit)

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Finding, ...]:
        """Rows, files, encrypted columns, hostname; one application and one build."""
        apps, builds = (len(of(seen.writes, "POST", path)) for path in ("/apps", f"/apps/{self._app}/builds"))
        with stage.look(self.request(), self.identity) as deps:
            found = (_encrypted(deps), _hostname(deps))
        return (
            same_rows(seen.before, seen.after),
            *found,
            files_are_back(stage),
            Finding("one application and one build", (apps, builds) == (1, 1), f"{apps} and {builds}"),
        )


def _encrypted(deps: Deps) -> Finding:
    """The key that the new place has opens what the old one wrote."""
    recovery = deps.config.recovery
    key = deps.platform.config_vars(deps.app).get(recovery.key)
    if key is None:
        return Finding("encrypted columns can be read", holds=False, evidence=f"there is no {recovery.key}")
    results = deps.database().canary(recovery.canaries, key)
    words = "; ".join(f"{one.table}.{one.column}: {one.matching} of {one.sampled}" for one in results)
    return Finding("encrypted columns can be read", all(one.fits for one in results) and bool(results), words)


def _hostname(deps: Deps) -> Finding:
    """Every authoritative server names the new application's own target."""
    names = deps.target.dns.hostnames if deps.target.dns else ()
    if deps.dns is None or not names:
        return Finding("the hostname leads to it", holds=False, evidence="no hostname is configured")
    targets = {one.hostname: one.cname for one in deps.provisioning.domains(deps.app)}
    led = [name for name in names if _leads(deps, name, targets.get(name) or "")]
    return Finding(
        "the hostname leads to it", len(led) == len(names), f"{len(led)} of {len(names)}: {', '.join(names)}"
    )


def _leads(deps: Deps, name: str, target: str) -> bool:
    return deps.dns is not None and bool(target) and leads(deps.dns.verifier, name, target)
