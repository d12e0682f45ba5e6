"""What hangs on an app, each asked by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import respx
from heroku_wire import Connect

from uscdr.errors import NotFound
from uscdr.models.heroku import Belongings
from uscdr.providers.heroku.provisioning import HerokuProvisioning

pytest_plugins = ("heroku_wire",)

API = "https://api.heroku.com"
APP = f"{API}/apps/clinic"


@pytest.fixture
def heroku() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.fixture
def provisioning(connect: Connect, heroku: respx.MockRouter) -> HerokuProvisioning:
    return HerokuProvisioning(connect(API, "https://api.data.heroku.com"))


def described(heroku: respx.MockRouter, **more: object) -> None:
    heroku.get(APP).respond(json={"id": "1", "name": "clinic", "maintenance": False, **more})


def test_everything_by_name_and_host(provisioning: HerokuProvisioning, heroku: respx.MockRouter) -> None:
    described(heroku, team={"name": "clinic-team"}, space={"name": "wards"})
    heroku.get(f"{APP}/features").respond(
        json=[{"name": "preboot", "enabled": True}, {"name": "runtime-dyno-metadata", "enabled": False}]
    )
    heroku.get(f"{APP}/webhooks").respond(json=[{"id": "w", "url": "https://u:canary@hooks.example/x?token=canary"}])
    heroku.get(f"{APP}/sni-endpoints").respond(
        json=[
            {"name": "tokyo-1", "ssl_cert": {"acm": False, "cert_domains": ["www.clinic.example"]}},
            {"name": "kyoto-2", "ssl_cert": {"acm": True, "cert_domains": ["clinic.example"]}},
        ]
    )
    heroku.get(f"{APP}/pipeline-couplings").respond(
        json={"id": "c", "stage": "production", "pipeline": {"id": "p", "name": "clinic"}}
    )
    found = provisioning.belongings("clinic")
    assert found == Belongings(
        features=("preboot",), webhooks=("hooks.example",), pipeline="clinic (production)",
        certificates=("www.clinic.example",), team="clinic-team", space="wards",
    )  # fmt: skip
    assert "canary" not in repr(found)


def test_what_cannot_be_asked_is_said_and_hides_nothing_else(
    provisioning: HerokuProvisioning, heroku: respx.MockRouter
) -> None:
    described(heroku)
    heroku.get(f"{APP}/features").respond(json=[{"name": "preboot", "enabled": True}])
    heroku.get(f"{APP}/webhooks").respond(403, json={"id": "forbidden", "message": "no"})
    heroku.get(f"{APP}/sni-endpoints").respond(json=[])
    heroku.get(f"{APP}/pipeline-couplings").respond(404, json={"id": "not_found", "message": "no coupling"})
    found = provisioning.belongings("clinic")
    assert (found.features, found.pipeline, list(found.unknown)) == (("preboot",), "", ["webhooks"])


def test_an_app_that_is_gone_is_an_error(provisioning: HerokuProvisioning, heroku: respx.MockRouter) -> None:
    heroku.get(APP).respond(404, json={"id": "not_found", "resource": "app", "message": "no"})
    with pytest.raises(NotFound):
        provisioning.belongings("clinic")
