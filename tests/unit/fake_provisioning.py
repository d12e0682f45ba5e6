"""A place at the platform in memory: `ports.Provisioning` over `fakes.World`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from fakes import APP, World
from uscdr.errors import Conflict, NotFound
from uscdr.models.heroku import AddOn, AddonPlan, App, Belongings, Domain, LogDrain, Schedule


class FakeProvisioning:
    """`ports.Provisioning`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create_app(self, name: str, *, region: str | None = None, stack: str | None = None) -> App:
        def effect() -> App:
            if name == APP or name in self._world.new_apps:
                raise Conflict(f"{name} is taken.", provider="fake", status=422)
            self._world.new_apps.append(name)
            return App(id=name, name=name, maintenance=False)

        return self._world.write("create_app", effect, name)

    def plans(self, service: str) -> tuple[AddonPlan, ...]:
        return (AddonPlan(name=f"{service}:essential-0", state="ga"), AddonPlan(name=f"{service}:mini", state="ga"))

    def create_addon(self, app: str, plan: str, *, name: str | None = None) -> AddOn:
        def effect() -> AddOn:
            made = AddOn(id=f"addon-of-{app}-{plan}", name=f"{plan}-1", state="provisioned", plan=plan, app_name=app)
            self._world.new_addons.append(made)
            return made

        return self._world.write("create_addon", effect, plan)

    def addon(self, app: str, addon: str) -> AddOn:
        for one in self._world.new_addons:
            if addon in (one.id, one.name):
                return one
        raise NotFound(f"There is no add-on {addon}.", provider="fake", status=404)

    def buildpacks(self, app: str) -> tuple[str, ...]:
        return tuple(self._world.buildpacks)

    def set_buildpacks(self, app: str, buildpacks: Sequence[str]) -> tuple[str, ...]:
        def effect() -> tuple[str, ...]:
            self._world.buildpacks = list(buildpacks)
            return tuple(buildpacks)

        return self._world.write("set_buildpacks", effect, " ".join(buildpacks))

    def set_config(self, app: str, values: Mapping[str, SecretStr | None]) -> None:
        self._world.write("set_config", lambda: self._world.config.update(values), " ".join(sorted(values)))

    def domains(self, app: str) -> tuple[Domain, ...]:
        return tuple(self._world.domains.get(app, ()))

    def add_domain(self, app: str, hostname: str) -> Domain:
        def effect() -> Domain:
            if any(one.hostname == hostname for held in self._world.domains.values() for one in held):
                raise Conflict(f"Another app has the hostname {hostname}.", provider="fake", status=422)
            made = Domain(id=hostname, hostname=hostname, kind="custom", cname=f"{app}.dns.example")
            self._world.domains.setdefault(app, []).append(made)
            return made

        return self._world.write("add_domain", effect, hostname)

    def remove_domain(self, app: str, hostname: str) -> None:
        def effect() -> None:
            held = self._world.domains.get(app, [])
            self._world.domains[app] = [one for one in held if one.hostname != hostname]

        self._world.write("remove_domain", effect, hostname)

    def enable_certificates(self, app: str) -> None:
        self._world.write("enable_certificates", lambda: None, app)

    def collaborators(self, app: str) -> tuple[str, ...]:
        return ("ada@example.com",)

    def add_collaborator(self, app: str, email: str) -> None:
        self._world.write("add_collaborator", lambda: None, email)

    def log_drains(self, app: str) -> tuple[LogDrain, ...]:
        return ()

    def add_log_drain(self, app: str, url: SecretStr) -> LogDrain:
        return self._world.write("add_log_drain", lambda: LogDrain(id="1", host="drain.example"))

    def belongings(self, app: str) -> Belongings:
        return self._world.belongings

    def schedule_backups(self, addon_id: str, name: str, *, hour: int, timezone: str) -> Schedule:
        made = Schedule(id="s", name=name, hour=hour, timezone=timezone)
        return self._world.write("schedule_backups", lambda: made, name)
