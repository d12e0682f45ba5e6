"""What stands around the clinic: certificate, mail account, broker, schedule, drain; whole, damaged and put back."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import redis
from cryptography import x509
from redis.backoff import NoBackoff
from redis.retry import Retry

from live_sandbox import Live, start, stop, until
from typed import typed
from uscdr.errors import BadInput
from uscdr.sandbox.boot.request import UpRequest
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load

HOST = "www.usc-pis.example"
GMAIL = {"client_id": "GMAIL_CLIENT_ID", "client_secret": "GMAIL_CLIENT_SECRET", "refresh_token": "GMAIL_REFRESH_TOKEN"}
PUBLISHED = ("admin@usc-pis.example", "admin123")


@pytest.fixture(scope="module")
def clinic() -> Iterator[Live]:
    one = start(UpRequest(patients=40))
    yield one
    stop(one)


@pytest.fixture(autouse=True)
def without_faults(clinic: Live) -> Iterator[None]:
    yield
    clinic.control("DELETE", "faults")


def broken(live: Live, how: str, *, undo: bool = False) -> list[str]:
    """`sandbox break service` as it is typed."""
    options = ["--how", how, *(["--undo"] if undo else []), "--state", str(live.state.root)]
    told = typed("break", "service", *options)
    assert told.code == 0, told.stderr
    return told.stdout.splitlines()


def config(live: Live) -> dict[str, str]:
    return dict(live.get(f"/apps/{live.app}/config-vars"))


def served(live: Live, name: str = HOST, *, trusting: bool = True) -> x509.Certificate:
    """The certificate of a handshake. Raises ssl.SSLCertVerificationError as a browser would."""
    context = ssl.create_default_context(cafile=live.contract["ca_file"])
    if not trusting:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tls = live.contract["tls"]
    with (
        socket.create_connection((tls["host"], tls["port"]), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        return x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")


def names(certificate: x509.Certificate) -> list[str]:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def token(live: Live, **changes: str) -> httpx.Response:
    values = config(live)
    form = {"grant_type": "refresh_token", **{key: values[name] for key, name in GMAIL.items()}, **changes}
    return httpx.post(live.contract["mail"]["token_url"], data=form, trust_env=False, timeout=60)


def broker(live: Live, name: str = "") -> redis.Redis:
    url = live.get(f"/apps/{name or live.app}/config-vars")["REDIS_URL"]
    return redis.Redis.from_url(url, socket_timeout=30, retry=Retry(NoBackoff(), 0))


def as_staff(live: Live) -> httpx.Client:
    headers = {"Authorization": f"Token {live.contract['check_account']['token']}"}
    return httpx.Client(base_url=live.contract["web_url"], headers=headers, timeout=30, trust_env=False)


def test_it_has_what_a_healthy_installation_has(clinic: Live) -> None:
    variables = config(clinic)
    assert not [name for name in load(packaged()).config.config.required if not variables.get(name)]
    (schedule,) = clinic.get(f"/client/v11/databases/{clinic.database()}/transfer-schedules")
    assert (schedule["name"], len(schedule["days"])) == ("DATABASE_URL", 7)
    (drain,) = clinic.get(f"/apps/{clinic.app}/log-drains")
    assert urlsplit(drain["url"]).hostname == "logs.usc-pis.example"
    domains = {one["hostname"]: one for one in clinic.get(f"/apps/{clinic.app}/domains")}
    assert domains[HOST]["acm_status"] == "cert issued"
    login = dict(zip(("email", "password"), PUBLISHED, strict=True))
    assert httpx.post(f"{clinic.contract['web_url']}api/auth/login/", json=login).status_code == 401
    assert clinic.sql(f"SELECT is_active FROM authentication_user WHERE email = '{PUBLISHED[0]}'") == [(True,)]


def test_the_hostname_chooses_a_certificate_that_clients_trust(clinic: Live) -> None:
    certificate = served(clinic)
    assert names(certificate) == [HOST]
    assert timedelta(days=89) < certificate.not_valid_after_utc - datetime.now(UTC) < timedelta(days=91)
    (endpoint,) = clinic.get(f"/apps/{clinic.app}/sni-endpoints")
    assert endpoint["ssl_cert"]["cert_domains"] == [HOST]
    own = next(one["hostname"] for one in clinic.get(f"/apps/{clinic.app}/domains") if one["kind"] == "heroku")
    assert names(served(clinic, own)) == ["*.herokuapp.example"]
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        served(clinic, "www.nobody.example")


def test_the_front_door_answers_over_tls(clinic: Live) -> None:
    port = clinic.contract["tls"]["port"]
    trust = ssl.create_default_context(cafile=clinic.contract["ca_file"])
    with httpx.Client(verify=trust, trust_env=False, timeout=30) as client:
        answer = client.get(
            f"https://127.0.0.1:{port}/api/health/", headers={"Host": HOST}, extensions={"sni_hostname": HOST}
        )
    assert answer.status_code == 200


def test_no_key_of_the_authority_or_of_a_hostname_is_on_disk(clinic: Live) -> None:
    assert {path.name for path in clinic.state.pki.iterdir()} == {"ca.pem", "server.pem", "server.key"}


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ("certificate-expired", "certificate has expired"),
        ("certificate-wrong-name", "Hostname mismatch"),
        ("certificate-untrusted", "unable to get local issuer certificate|self-signed|signature failure"),
    ],
)
def test_a_bad_certificate_is_refused_until_it_is_put_back(clinic: Live, how: str, problem: str) -> None:
    broken(clinic, how)
    with pytest.raises(ssl.SSLCertVerificationError, match=problem):
        served(clinic)
    (endpoint,) = clinic.get(f"/apps/{clinic.app}/sni-endpoints")
    expires = served(clinic, trusting=False).not_valid_after_utc
    assert endpoint["ssl_cert"]["expires_at"] == expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    broken(clinic, how, undo=True)
    assert names(served(clinic)) == [HOST]


def test_a_control_call_replaces_the_certificate_of_a_hostname(clinic: Live) -> None:
    wanted = {"app": clinic.app, "hostname": HOST}
    clinic.control("POST", "tls", {**wanted, "certificate": "expired"})
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        served(clinic)
    clinic.control("POST", "tls", {**wanted, "certificate": "good"})
    served(clinic)
    for wrong in ({"certificate": "blue"}, {"certificate": "expired", "hostname": "www.nobody.example"}):
        with pytest.raises(BadInput):
            clinic.control("POST", "tls", {**wanted, **wrong})


def test_an_uploaded_certificate_is_served_once_it_is_assigned(clinic: Live) -> None:
    from uscdr.sandbox.pki import Authority

    pair = Authority().issue(HOST)
    body = {"certificate_chain": pair.chain, "private_key": pair.key}
    made = clinic.send("POST", f"/apps/{clinic.app}/sni-endpoints", body, status=201)
    former = next(one["sni_endpoint"] for one in clinic.get(f"/apps/{clinic.app}/domains") if one["hostname"] == HOST)
    clinic.send("PATCH", f"/apps/{clinic.app}/domains/{HOST}", {"sni_endpoint": made["id"]})
    with pytest.raises(ssl.SSLCertVerificationError):
        served(clinic)
    clinic.send("PATCH", f"/apps/{clinic.app}/domains/{HOST}", {"sni_endpoint": former["id"]})
    clinic.send("DELETE", f"/apps/{clinic.app}/sni-endpoints/{made['id']}")
    served(clinic)


def test_the_mail_account_gives_tokens_to_its_own_client_until_it_is_revoked(clinic: Live) -> None:
    good = token(clinic)
    assert (good.status_code, good.json()["token_type"]) == (200, "Bearer")
    assert good.json()["access_token"] != token(clinic).json()["access_token"]
    for wrong in ({"client_id": "another.apps.example"}, {"client_secret": "wrong"}):
        refused = token(clinic, **wrong)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert token(clinic, refresh_token="wrong").json()["error"] == "invalid_grant"
    assert token(clinic, grant_type="password").json()["error"] == "unsupported_grant_type"
    broken(clinic, "mail-revoked")
    revoked = token(clinic)
    assert (revoked.status_code, revoked.json()["error"]) == (400, "invalid_grant")
    broken(clinic, "mail-revoked", undo=True)
    assert token(clinic).status_code == 200
    asked = [one for one in clinic.audit() if one["provider"] == "mail"]
    assert asked
    assert not [one for one in asked if one["write"]]


def test_the_clinic_sends_mail_only_while_its_account_is_good(clinic: Live) -> None:
    def sent() -> int:
        return int(clinic.control("GET", "mail")["sent"].get(clinic.app, 0))

    with as_staff(clinic) as client:
        before, wanted = sent(), {"email": "someone@usc-pis.example"}
        assert client.post("/api/utils/email/test/", json=wanted).status_code == 200
        assert sent() == before + 1
        broken(clinic, "mail-revoked")
        refused = client.post("/api/utils/email/test/", json=wanted)
        assert (refused.status_code, refused.json()["results"]["sent"], sent()) == (200, 0, before + 1)
        assert config(clinic)["GMAIL_REFRESH_TOKEN"] not in refused.text
        broken(clinic, "mail-revoked", undo=True)
        assert client.post("/api/utils/email/test/", json=wanted).status_code == 200


def test_the_broker_of_an_add_on_is_its_own_and_goes_with_it(clinic: Live) -> None:
    clinic.send("POST", "/apps", {"name": "other"}, status=201)
    addon = clinic.order("other", "heroku-redis:mini")
    with broker(clinic) as first, broker(clinic, "other") as second:
        second.rpush("celery", "1")
        assert (first.exists("mine"), second.llen("celery")) == (0, 1)
        first_url, second_url = config(clinic)["REDIS_URL"], clinic.get("/apps/other/config-vars")["REDIS_URL"]
        assert first_url.split("@")[0] != second_url.split("@")[0]
        clinic.send("DELETE", f"/apps/other/addons/{addon['name']}")
        with pytest.raises(redis.ConnectionError):
            second.ping()
        assert first.ping() is True
    assert "REDIS_URL" not in clinic.get("/apps/other/config-vars")
    clinic.send("DELETE", "/apps/other")


def test_a_dead_broker_is_refused_where_the_application_needs_it(clinic: Live) -> None:
    with as_staff(clinic) as client:
        template = client.get("/api/reports/templates/").json()["results"][0]["id"]
        asked = {"template_id": template, "title": "Later", "export_format": "CSV"}
        path = f"/api/reports/templates/{template}/generate/"
        broken(clinic, "broker-gone")
        with broker(clinic) as gone, pytest.raises(redis.ConnectionError):
            gone.ping()
        assert client.post(path, json=asked).status_code == 500
        assert client.post(f"{path}?sync=true", json=asked).status_code == 202
        assert client.get("/api/patients/dashboard-stats/").status_code == 200
        broken(clinic, "broker-gone", undo=True)
        report = client.post(path, json=asked).json()["report_id"]
        until(lambda: client.get(f"/api/reports/generated/{report}/").json()["status"] == "COMPLETED")
        with broker(clinic) as back:
            until(lambda: back.llen("celery") == 0)


@pytest.mark.parametrize("kind", ["worker", "beat"])
def test_background_dynos_are_stopped_and_started(clinic: Live, kind: str) -> None:
    assert broken(clinic, f"{kind}-stopped")[1:] == [f"  {kind} is scaled to 0"]
    assert f"{kind}.1" not in clinic.states()
    if kind == "worker":
        with as_staff(clinic) as client, broker(clinic) as queue:
            template = client.get("/api/reports/templates/").json()["results"][0]["id"]
            asked = {"template_id": template, "title": "Later", "export_format": "CSV"}
            for _ in range(3):
                client.post(f"/api/reports/templates/{template}/generate/", json=asked)
            assert queue.llen("celery") == 3
    broken(clinic, f"{kind}-stopped", undo=True)
    assert clinic.states()[f"{kind}.1"] == "up"


def test_the_backup_schedule_can_go_and_come_back(clinic: Live) -> None:
    path = f"/client/v11/databases/{clinic.database()}/transfer-schedules"
    broken(clinic, "schedule-gone")
    assert clinic.get(path) == []
    broken(clinic, "schedule-gone", undo=True)
    assert len(clinic.get(path)) == 1


def test_what_an_app_does_not_have_cannot_be_broken(clinic: Live) -> None:
    clinic.send("POST", "/apps", {"name": "bare"}, status=201)
    for how in ("broker-gone", "certificate-expired", "schedule-gone", "worker-stopped"):
        with pytest.raises(BadInput):
            clinic.control("POST", "break/service", {"how": how, "app": "bare"})
    with pytest.raises(BadInput, match="how must be one of"):
        clinic.control("POST", "break/service", {"how": "rain", "app": clinic.app})
    clinic.send("DELETE", "/apps/bare")


def test_an_upload_is_in_the_media_service_and_leaves_it_again(clinic: Live) -> None:
    cloud = clinic.contract["cloudinary"]
    admin = httpx.Client(
        base_url=f"{cloud['api_url']}/v1_1/{cloud['cloud']}", auth=(cloud["api_key"], cloud["api_secret"])
    )
    picture = httpx.get(_picture(clinic)).content
    with as_staff(clinic) as client, admin:
        for name, content, kind in (("canary.pdf", b"%PDF-1.7 sings", "raw"), ("canary.jpg", picture, "image")):
            row = client.post("/api/files/uploads/", files={"file": (name, content)}).json()
            assert httpx.get(row["file"]).content == content
            stored = clinic.sql(f"SELECT file FROM file_uploads_uploadedfile WHERE id = {row['id']}")[0][0]
            public_id = stored.removesuffix(".jpg") if kind == "image" else stored
            assert admin.get(f"/resources/{kind}/upload/{public_id}").json()["tags"] == ["usc-pis"]
            assert client.delete(f"/api/files/uploads/{row['id']}/").status_code == 204
            assert gone(admin.get(f"/resources/{kind}/upload/{public_id}"))
            assert httpx.get(row["file"]).status_code == 404


def test_a_report_is_in_the_media_service_and_leaves_it_again(clinic: Live) -> None:
    cloud = clinic.contract["cloudinary"]
    with as_staff(clinic) as client:
        template = client.get("/api/reports/templates/").json()["results"][0]["id"]
        asked = {"template_id": template, "title": "Canary", "export_format": "CSV"}
        path = f"/api/reports/templates/{template}/generate/?sync=true"
        made = client.post(path, json=asked).json()["report_id"]
        name = clinic.sql(f"SELECT file_path FROM reports_generatedreport WHERE id = {made}")[0][0]
        url = f"{cloud['delivery_url']}/{cloud['cloud']}/raw/upload/v1/{name}"
        assert httpx.get(url).content == client.get(f"/api/reports/generated/{made}/download/").content
        assert client.delete(f"/api/reports/generated/{made}/").status_code == 204
        assert httpx.get(url).status_code == 404
        clinic.fault("500", provider="cloudinary", method="POST")
        made = client.post(path, json=asked).json()["report_id"]
    row = f"SELECT status, file_path FROM reports_generatedreport WHERE id = {made}"
    assert clinic.sql(row) == [("COMPLETED", "")]


def gone(answer: httpx.Response) -> bool:
    """Not there, or only as the place of a backup."""
    return answer.status_code == 404 or answer.json().get("placeholder") is True


def _picture(live: Live) -> str:
    with as_staff(live) as client:
        return str(client.get("/api/health-info/campaigns/").json()["results"][0]["banner_image_url"])


def test_an_upload_that_the_media_service_refuses_leaves_no_row(clinic: Live) -> None:
    count = "SELECT count(*) FROM file_uploads_uploadedfile"
    before = clinic.sql(count)
    clinic.fault("500", provider="cloudinary", method="POST")
    with as_staff(clinic) as client:
        refused = client.post("/api/files/uploads/", files={"file": ("canary.txt", b"sings")})
    assert (refused.status_code, clinic.sql(count)) == (500, before)


def calls(live: Live, timeout: float) -> dict[str, Callable[[], httpx.Response]]:
    """One call of each provider, by the name that fault rules know it by."""
    cloud, dns = live.contract["cloudinary"], live.contract["dns"]["cloudflare"]
    bearer, auth = {"Authorization": f"Bearer {dns['token']}"}, (cloud["api_key"], cloud["api_secret"])
    get, host = partial(httpx.get, timeout=timeout, trust_env=False), {"Host": HOST}
    token_url = live.contract["mail"]["token_url"]
    return {
        "heroku": lambda: live.api.get("/account", timeout=timeout),
        "heroku data": lambda: live.api.get(f"/client/v11/apps/{live.app}/transfers", timeout=timeout),
        "cloudinary": lambda: get(f"{cloud['api_url']}/v1_1/{cloud['cloud']}/ping", auth=auth),
        "cloudinary delivery": lambda: get(f"{cloud['delivery_url']}/{cloud['cloud']}/raw/upload/x"),
        "dns": lambda: get(f"{dns['base_url']}/zones", headers=bearer),
        "mail": lambda: httpx.post(token_url, data={}, timeout=timeout, trust_env=False),
        "application": lambda: get(f"{live.contract['web_url']}health"),
        "application edge": lambda: get(f"{live.contract['edge_url']}/health", headers=host),
    }


def test_every_call_of_every_provider_can_be_slow(clinic: Live) -> None:
    def applied() -> int:
        return int(clinic.control("GET", "faults")[0]["applied"])

    clinic.fault("slow:0.2", provider="all", count=0)
    with broker(clinic) as queue:
        everything: dict[str, Callable[[], Any]] = {**calls(clinic, 20), "broker": queue.ping}
        for name, call in everything.items():
            before, began = applied(), time.monotonic()
            call()
            assert time.monotonic() - began >= 0.2, name
            assert applied() > before, name


@pytest.mark.parametrize("provider", ["heroku", "cloudinary", "dns", "mail", "application"])
def test_a_provider_can_hang_while_the_others_answer(clinic: Live, provider: str) -> None:
    clinic.fault("timeout-before", provider=provider, count=0)
    patient, hasty = calls(clinic, 20), calls(clinic, 0.5)
    for name in patient:
        if name.split()[0] == provider:
            with pytest.raises(httpx.ReadTimeout):
                hasty[name]()
        else:
            assert patient[name]().status_code < 500
