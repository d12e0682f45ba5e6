"""Checks of domain, certificate, queue and mail account."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from fake_surroundings import HOST, NOW, PLANTED, TARGET, Place, checked, verdict, world
from uscdr.errors import BadInput, CredentialsRefused, ProviderError
from uscdr.models.dns import RecordType
from uscdr.models.heroku import Domain
from uscdr.models.probes import Certificate

# domain

GOOD, OLD = ("answered", TARGET), ("answered", "old.dns.example")
NONE, SILENT = ("no such record", ""), ("timeout", "")


@pytest.mark.parametrize(
    ("kind", "said", "wanted", "words"),
    [
        ("CNAME", [GOOD, GOOD], "pass", f"every name server points {HOST}"),
        ("CNAME", [("answered", TARGET.upper() + "."), GOOD], "pass", HOST),
        ("CNAME", [OLD, OLD], "fail", "ns1.example (192.0.2.1) returns old.dns.example; ns2.example"),
        ("CNAME", [GOOD, OLD], "fail", f"must point to {TARGET}, but ns2.example (192.0.2.2) returns old.dns.example"),
        ("CNAME", [GOOD, NONE], "fail", "ns2.example (192.0.2.2) has no such record"),
        ("CNAME", [GOOD, ("lame", "")], "fail", "ns2.example (192.0.2.2) does not serve the zone"),
        ("CNAME", [GOOD, ("refused", "")], "fail", "ns2.example (192.0.2.2) refuses queries"),
        ("CNAME", [GOOD, SILENT], "inconclusive", "no answer from ns2.example"),
        ("CNAME", [OLD, SILENT], "fail", "ns1.example (192.0.2.1) returns old.dns.example"),
        ("CNAME", [], "inconclusive", "no answer from any name server"),
        ("CNAME", [NONE, NONE], "fail", "has no such record"),
        ("ALIAS", [GOOD, GOOD], "pass", HOST),
        ("ALIAS", [GOOD, ("answered", "203.0.113.9")], "fail", "ns2.example (192.0.2.2) returns 203.0.113.9"),
    ],
)
def test_domain(kind: RecordType, said: list[tuple[str, str]], wanted: str, words: str) -> None:
    found, evidence = verdict(world(Place(records={(HOST, kind): said})), "domain")
    assert (found, words in evidence) == (wanted, True), evidence
    assert "ns1" not in evidence or said[:1] != [GOOD]


def test_a_hostname_that_is_not_bound() -> None:
    place = Place(bound=[Domain(id="0", hostname="clinic.herokuapp.example", kind="heroku")])
    assert verdict(world(place), "domain") == ("fail", f"{HOST} is not a domain of the application")


def test_a_target_that_is_not_made_yet() -> None:
    place = Place(bound=[Domain(id="0", hostname=HOST.upper(), kind="custom")])
    assert verdict(world(place), "domain")[0] == "inconclusive"


def test_one_hostname_of_two_is_wrong() -> None:
    found, evidence = verdict(world(Place(), hostnames=(HOST, "api.clinic.example")), "domain")
    assert (found, evidence) == ("fail", "api.clinic.example is not a domain of the application")


def test_hostnames_are_looked_up_side_by_side() -> None:
    together = threading.Barrier(2)
    other = "api.clinic.example"

    class Waiting(Place):
        def look(self, name: Any, what: Any, *, target: str = "") -> Any:
            together.wait(30)  # breaks unless both are under way at once
            return super().look(name, what, target=target)

    place = Waiting(records={(one, "CNAME"): [GOOD] for one in (HOST, other)})
    place.bound.append(Domain(id="2", hostname=other, kind="custom", cname=TARGET))
    assert verdict(world(place, hostnames=(HOST, other)), "domain")[0] == "pass"


def test_a_domain_that_is_not_configured_is_not_checked() -> None:
    assert verdict(world(Place(), hostnames=()), "domain")[0] == "not checked"
    assert verdict(world(Place(), hostnames=()), "tls")[0] == "not checked"


# tls


def served(days: float | None, problem: str = "", *, begins: float | None = None) -> Certificate:
    return Certificate(
        hostname=HOST,
        problem=problem,
        expires_at=None if days is None else NOW + timedelta(days=days),
        valid_from=None if begins is None else NOW + timedelta(days=begins),
    )


@pytest.mark.parametrize(
    ("certificate", "wanted", "words"),
    [
        (served(60), "pass", f"{HOST}: trusted, 60 days left at least (until 2027-01-24)"),
        (served(14), "pass", "14 days left"),
        (served(13.9), "fail", "ends in 14 days (2026-12-09), at least 14 are required"),
        (served(-3, "expired"), "fail", f"{HOST}: its certificate is not accepted: expired (valid until 2026-11-22)"),
        (served(60, "issued for another name"), "fail", "issued for another name (valid until 2027-01-24)"),
        (served(90, "not yet valid", begins=2), "fail", "not yet valid (valid from 2026-11-27, until 2027-02-23)"),
        (served(None, "self-signed"), "fail", "not accepted: self-signed"),
        (served(None), "inconclusive", "is unreadable"),
        (ProviderError("It answers nothing.", provider="x"), "inconclusive", "It answers nothing."),
    ],
)
def test_tls(certificate: Certificate | ProviderError, wanted: str, words: str) -> None:
    found, evidence = verdict(world(Place(certificates={HOST: certificate})), "tls")
    assert (found, words in evidence) == (wanted, True), evidence


def test_the_worst_certificate_counts() -> None:
    silent = ProviderError("b answers nothing.", provider="x")
    place = Place(certificates={"a.example": served(20), "b.example": silent, "c.example": served(1, "expired")})
    assert verdict(world(place), "tls", hostnames=["a.example"])[1].startswith("a.example: trusted, 20 days")
    assert verdict(world(place), "tls", hostnames=["a.example"], days=21)[0] == "fail"
    assert verdict(world(place), "tls", hostnames=["a.example", "b.example"])[0] == "inconclusive"
    found, evidence = verdict(world(place), "tls", hostnames=["b.example", "c.example"])
    assert (found, evidence.endswith("b answers nothing.")) == ("fail", True)


def test_a_wildcard_is_asked_for_by_a_name_under_it() -> None:
    place = Place(certificates={"any.clinic.example": served(1, "expired")})
    assert verdict(world(place, hostnames=("*.clinic.example",)), "tls")[0] == "fail"


# queue


def test_a_broker_that_answers() -> None:
    place = Place()
    finding = checked(world(place), "queue", queues=["celery", "mails"])
    words = "the broker answers (Redis 7.4.1); 3 messages wait in celery; 0 messages wait in mails"
    assert (finding.verdict, finding.evidence) == ("pass", words)
    assert finding.measures == {"waiting": {"celery": 3, "mails": 0}}
    assert place.asked == [place.vars["REDIS_URL"]]


def test_the_variable_that_the_application_prefers() -> None:
    place = Place()
    place.vars["CELERY_BROKER_URL"] = "redis://first.example"
    assert verdict(world(place), "queue")[0] == "pass"
    assert place.asked == ["redis://first.example"]


@pytest.mark.parametrize(
    ("url", "wanted", "words"),
    [
        ("", "fail", "REDIS_URL is not set"),
        (" ", "fail", "REDIS_URL is not set"),
        (f"amqps://u:{PLANTED}@h", "inconclusive", "a kind of broker that uscdr does not support"),
    ],
)
def test_brokers_that_are_not_asked(url: str, wanted: str, words: str) -> None:
    place = Place()
    place.vars["REDIS_URL"] = url
    found, evidence = verdict(world(place), "queue")
    assert (found, words in evidence, place.asked) == (wanted, True, [])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BadInput("none"), "REDIS_URL is not the address of a message broker"),
        (CredentialsRefused("It refuses the password.", provider="x"), "It refuses the password: the application, by"),
        (ProviderError("It is gone.", provider="x", why="Connection refused."), "It is gone (connection refused): the"),
    ],
)
def test_a_broker_that_cannot_be_used_fails(error: Exception, words: str) -> None:
    found, evidence = verdict(world(Place(broken_queue=error)), "queue")
    assert (found, words in evidence) == ("fail", True), evidence


def test_messages_that_nobody_takes() -> None:
    place = Place(waiting={"celery": 201})
    assert verdict(world(place), "queue") == (
        "fail", "201 messages wait in celery, allowed are 200: check that a worker runs",
    )  # fmt: skip
    assert verdict(world(place), "queue", most=201)[0] == "pass"


# mail


def test_a_mail_account_that_is_accepted() -> None:
    place = Place()
    assert verdict(world(place), "mail") == ("pass", "the provider accepted the mail account")
    assert place.asked == [f"client_id=3-{PLANTED}", f"client_secret=4-{PLANTED}", f"refresh_token=5-{PLANTED}"]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("invalid_grant", "invalid_grant: the refresh token was revoked, or has expired"),
        ("invalid_client", "invalid_client: the client id or its secret is wrong"),
        (PLANTED, "refused the mail account (refused)"),
    ],
)
def test_a_mail_account_that_is_refused(reason: str, words: str) -> None:
    found, evidence = verdict(world(Place(mail_reason=reason)), "mail")
    assert (found, words in evidence) == ("fail", True), evidence


def test_a_mail_account_that_is_not_configured() -> None:
    place = Place()
    place.vars |= {"GMAIL_CLIENT_SECRET": "", "GMAIL_REFRESH_TOKEN": " "}
    found, evidence = verdict(world(place), "mail")
    assert (found, evidence) == (
        "fail",
        "not set: GMAIL_CLIENT_SECRET, GMAIL_REFRESH_TOKEN; the application cannot send mail",
    )
    assert place.asked == []
    assert verdict(world(place), "mail", client_secret="SECRET_KEY", refresh_token="DATABASE_URL")[0] == "pass"
