"""What a new application is made of, in memory: `ports.Provisioning` and `ports.Deploys` over `fake_places.Places`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from pydantic import SecretStr

from fake_deploys import FakeDeploys, add_release
from fake_places import ME, Place, Places, addon_of
from fake_provisioning import FakeProvisioning
from fakes import Data
from uscdr.errors import Conflict, NotFound
from uscdr.models.heroku import AddOn, App, Belongings, Build, Domain, LogDrain, Release, Schedule
from uscdr.models.migrations import SourceArchive


def fresh(places: Places, name: str) -> Place:
    """An application as the platform creates it: empty."""
    place = Place(places, name)
    place.live, place.transfers, place.dumps = Data(), [], {}
    place.formation, place.one_offs, place.releases, place.people = {}, [], [], [ME]
    place.deployed = list(places.old.deployed)
    return place


class PlaceProvisioning(FakeProvisioning):
    """`ports.Provisioning` over several apps."""

    def __init__(self, places: Places) -> None:
        super().__init__(places.any)
        self._places = places

    def create_app(self, name: str, *, region: str | None = None, stack: str | None = None) -> App:
        def effect() -> App:
            if name in self._places.apps:
                raise Conflict(f"The app name {name} is taken.", provider="fake", status=422)
            self._places.apps[name] = fresh(self._places, name)
            return self._places.apps[name].described()

        return self._world.write("create_app", effect, name)

    def create_addon(self, app: str, plan: str, *, name: str | None = None) -> AddOn:
        def effect() -> AddOn:
            place = self._places.place(app)
            service, _, level = plan.partition(":")
            made = addon_of(app, service, level, state="provisioning", number=len(place.addons) + 1)
            place.addons.append(made)
            return made

        return self._world.write("create_addon", effect, plan)

    def addon(self, app: str, addon: str) -> AddOn:
        def look() -> AddOn:
            place = self._places.place(app)
            for number, one in enumerate(place.addons):
                if addon in (one.id, one.name):
                    place.addons[number] = self._grown(place, one)
                    return place.addons[number]
            raise NotFound(f"There is no add-on {addon}.", provider="fake", status=404)

        return self._world.call("addon", look)

    def _grown(self, place: Place, addon: AddOn) -> AddOn:
        place.looks[addon.id] += 1
        if addon.state != "provisioning" or place.looks[addon.id] < place.slowness:
            return addon
        doom = self._places.addon_doom
        return addon.model_copy(update={"state": doom.pop(0) if doom else "provisioned"})

    def buildpacks(self, app: str) -> tuple[str, ...]:
        return self._places.place(app).packs

    def set_buildpacks(self, app: str, buildpacks: Sequence[str]) -> tuple[str, ...]:
        def effect() -> tuple[str, ...]:
            self._places.place(app).packs = tuple(buildpacks)
            return tuple(buildpacks)

        return self._world.write("set_buildpacks", effect, " ".join(buildpacks))

    def set_config(self, app: str, values: Mapping[str, SecretStr | None]) -> None:
        def effect() -> None:
            place = self._places.place(app)
            place.values |= {name: value.get_secret_value() for name, value in values.items() if value is not None}
            current = next((one for one in place.releases if one.current), None)
            if current is not None:
                add_release(place, f"Set {', '.join(sorted(values))} config vars", current.slug_id, status="pending")

        self._world.write("set_config", effect, " ".join(sorted(values)))

    def domains(self, app: str) -> tuple[Domain, ...]:
        return self._world.call("domains", lambda: self._aged(self._places.place(app)))

    def _aged(self, place: Place) -> tuple[Domain, ...]:
        """Targets and certificates come some looks after they were asked for."""
        for number, one in enumerate(place.hosts):
            place.looks[one.id] += 1
            update: dict[str, str] = {}
            if one.cname is None and place.looks[one.id] >= place.slowness:
                update["cname"] = f"{one.hostname.replace('.', '-')}-{place.name}.dns.example"
            if place.certificates and one.acm_status is None:
                update["acm_status"] = "pending"
            elif one.acm_status == "pending" and self._places.pointing(one.hostname) == one.cname:
                update["acm_status"] = self._places.certificate
            place.hosts[number] = one.model_copy(update=update)
        return tuple(place.hosts)

    def add_domain(self, app: str, hostname: str) -> Domain:
        def effect() -> Domain:
            if any(one.hostname == hostname for place in self._places.apps.values() for one in place.hosts):
                raise Conflict(f"Another app has the hostname {hostname}.", provider="fake", status=422)
            made = Domain(id=f"{hostname}-{app}", hostname=hostname, kind="custom")
            self._places.place(app).hosts.append(made)
            return made

        return self._world.write("add_domain", effect, f"{app} {hostname}")

    def remove_domain(self, app: str, hostname: str) -> None:
        def effect() -> None:
            place = self._places.place(app)
            place.hosts = [one for one in place.hosts if one.hostname != hostname]

        self._world.write("remove_domain", effect, f"{app} {hostname}")

    def enable_certificates(self, app: str) -> None:
        def effect() -> None:
            self._places.place(app).certificates = True

        self._world.write("enable_certificates", effect, app)

    def collaborators(self, app: str) -> tuple[str, ...]:
        return tuple(self._places.place(app).people)

    def add_collaborator(self, app: str, email: str) -> None:
        def effect() -> None:
            people = self._places.place(app).people
            people += [email] if email not in people else []

        self._world.write("add_collaborator", effect, email)

    def log_drains(self, app: str) -> tuple[LogDrain, ...]:
        return self._places.place(app).drains

    def add_log_drain(self, app: str, url: SecretStr) -> LogDrain:
        place = self._places.place(app)

        def effect() -> LogDrain:
            if any(one.url == url for one in place.drains):
                raise Conflict("Url has already been taken.", provider="fake", status=422)
            host = urlsplit(url.get_secret_value()).hostname or ""
            made = LogDrain(id=f"d{len(place.drains)}", host=host, url=url)
            place.drains = (*place.drains, made)
            return made

        return self._world.write("add_log_drain", effect, urlsplit(url.get_secret_value()).hostname or "")

    def belongings(self, app: str) -> Belongings:
        return self._world.call("belongings", lambda: self._places.place(app).belongings)

    def schedule_backups(self, addon_id: str, name: str, *, hour: int, timezone: str) -> Schedule:
        def effect() -> Schedule:
            timetable = self._places.of_database(addon_id).timetable
            timetable.append(Schedule(id=f"s{len(timetable)}", name=name, hour=hour, timezone=timezone))
            return timetable[-1]

        return self._world.write("schedule_backups", effect, name)


class PlaceDeploys(FakeDeploys):
    """`ports.Deploys` over several apps."""

    def __init__(self, places: Places) -> None:
        super().__init__(places.any)
        self._places = places
        self._deploys: dict[str, FakeDeploys] = {}

    def _at(self, app: str) -> FakeDeploys:
        return self._deploys.setdefault(app, FakeDeploys(self._places.place(app)))

    def release(self, app: str, ref: str) -> Release:
        return self._at(app).release(app, ref)

    def builds(self, app: str) -> tuple[Build, ...]:
        return self._at(app).builds(app)

    def build(self, app: str, build_id: str) -> Build:
        return self._at(app).build(app, build_id)

    def start_build(self, app: str, archive: SourceArchive) -> Build:
        return self._at(app).start_build(app, archive)
