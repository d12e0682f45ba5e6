"""Every way a name server can fail to answer, as the verifier and the dynamic-update zone see it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
from pydantic import SecretStr
from responder import Answer, Responder, Table, code

from uscdr.errors import AnswerLost, ConfigError, NotFound, ProviderError
from uscdr.models.dns import NameServer, RecordSet, ServerAnswer
from uscdr.providers.dns.query import attempt
from uscdr.providers.dns.rfc2136 import Rfc2136Zone
from uscdr.providers.dns.verifier import DnsVerifier
from uscdr.providers.http.retry import RetryingCaller
from uscdr.write_guard import WriteGuard

WWW, APEX = "www.clinic.example", "clinic.example"
OLD = RecordSet(name=WWW, type="CNAME", ttl=300, values=("old.herokudns.com",))
NEW = RecordSet(name=WWW, type="CNAME", ttl=60, values=("new.herokudns.com",))
ZONE = Table(APEX, {f"{WWW} CNAME": ("old.herokudns.com.",)})

Start = Callable[[Answer], Responder]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(answer: Answer) -> Responder:
            responder = Responder(answer)
            stack.callback(responder.close)
            return responder

        yield begin


def at(responder: Responder) -> NameServer:
    return NameServer(host="ns", address="127.0.0.1", port=responder.port)


def seen(responder: Responder, sound: Responder) -> ServerAnswer:
    """What is said of the responder, beside a sound server that knows the zone."""
    looking = DnsVerifier((), servers=(at(sound), at(responder)), timeout=0.3)
    return looking.look(WWW, "CNAME").answers[1]


def silence(query: dns.message.Message, transport: str) -> None:
    return None


def garbage(query: dns.message.Message, transport: str) -> bytes:
    return b"\x00\x01 this is no message"


def too_long(query: dns.message.Message, transport: str) -> dns.message.Message:
    reply = ZONE(query, transport)
    if transport == "udp":
        reply.answer.clear()
        reply.flags |= dns.flags.TC
    return reply


def only_tcp(query: dns.message.Message, transport: str) -> dns.message.Message | None:
    return ZONE(query, transport) if transport == "tcp" else None


def test_a_server_is_asked_its_three_questions_at_once(start: Start) -> None:
    others, sibling = threading.Event(), set[str]()

    def answer(query: dns.message.Message, transport: str) -> dns.message.Message | None:
        question = query.question[0]
        if question.name == dns.name.from_text(WWW) and question.rdtype == dns.rdatatype.CNAME:
            if transport == "udp":
                return too_long(query, transport)
            return ZONE(query, transport) if others.wait(20) else None
        sibling.add(dns.rdatatype.to_text(question.rdtype))
        if sibling == {"SOA", "CNAME"}:
            others.set()
        return ZONE(query, transport)

    responder = start(answer)
    looking = DnsVerifier((), servers=(at(responder),), timeout=30)
    assert looking.zone(WWW) == APEX
    sibling.clear()
    (said,) = looking.look(WWW, "CNAME").answers
    assert (said.state, said.serial, said.borrowed) == ("answered", 7, False)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (ZONE, "answered"),
        (too_long, "answered"),
        (only_tcp, "answered"),
        (Table(APEX, {}), "no such record"),
        (code(dns.rcode.NXDOMAIN), "no such record"),
        (Table(APEX, ZONE.records, authoritative=False), "lame"),
        (Table("example", {}, delegated={APEX: ("ns.elsewhere.test.",)}), "lame"),
        (code(dns.rcode.SERVFAIL), "lame"),
        (code(dns.rcode.REFUSED, authoritative=False), "refused"),
        (code(dns.rcode.NOTAUTH), "refused"),
        (silence, "timeout"),
        (garbage, "lame"),
    ],
)
def test_states(answer: Answer, state: str, start: Start) -> None:
    sound = start(ZONE)
    told = seen(start(answer), sound)
    assert told.state in (state, "timeout") if answer is garbage else told.state == state
    assert (told.records == OLD) is (state == "answered")


def test_a_question_asks_for_no_recursion_and_says_how_much_fits(start: Start) -> None:
    queries: list[dns.message.Message] = []

    def keep(query: dns.message.Message, transport: str) -> dns.message.Message:
        queries.append(query)
        return ZONE(query, transport)

    assert attempt(at(start(keep)), WWW, "CNAME", timeout=1)[0] == "answered"
    assert not queries[0].flags & dns.flags.RD
    assert queries[0].payload == 1232


def zone(responder: Responder, **changes: object) -> Rfc2136Zone:
    patience = RetryingCaller(sleep=lambda _: None)
    return Rfc2136Zone(
        APEX,
        "127.0.0.1",
        responder.port,
        read_only=False,
        timeout=0.3,
        patience=patience,
        **changes,  # type: ignore[arg-type]  # a test's own mapping
    )


def then(update: Answer) -> Answer:
    """A zone that holds OLD, and treats an UPDATE as told."""

    def answer(query: dns.message.Message, transport: str) -> dns.message.Message | bytes | None:
        return update(query, transport) if query.opcode() == dns.opcode.UPDATE else ZONE(query, transport)

    return answer


@pytest.mark.parametrize("update", [silence, garbage, code(dns.rcode.SERVFAIL)])
def test_a_lost_answer_to_an_update_is_in_doubt_and_never_sent_twice(update: Answer, start: Start) -> None:
    responder = start(then(update))
    with pytest.raises(AnswerLost) as caught:
        zone(responder).swap(WWW, "CNAME", OLD, NEW)
    assert "It may have taken effect. Check at the provider before you repeat it" in caught.value.next_action
    assert [kind for _, _, kind in responder.asked].count("SOA") == 1


@pytest.mark.parametrize("rcode", [dns.rcode.NOTIMP, dns.rcode.NOTZONE, dns.rcode.FORMERR, dns.rcode.NOTAUTH])
def test_a_refused_update_is_in_no_doubt(rcode: dns.rcode.Rcode, start: Start) -> None:
    with pytest.raises(ProviderError) as caught:
        zone(start(then(code(rcode)))).swap(WWW, "CNAME", OLD, NEW)
    assert not isinstance(caught.value, AnswerLost)
    assert caught.value.error_id == dns.rcode.to_text(rcode)


@pytest.mark.parametrize(
    ("update", "counted"),
    [
        *[(code(one), 0) for one in (dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.NOTZONE, dns.rcode.FORMERR)],
        *[(code(one), 0) for one in (dns.rcode.NXRRSET, dns.rcode.YXDOMAIN)],
        *[(one, 1) for one in (silence, garbage, code(dns.rcode.SERVFAIL), code(dns.rcode.NOERROR))],
    ],
)
def test_an_update_counts_as_sent_unless_it_was_refused(update: Answer, counted: int, start: Start) -> None:
    guard = WriteGuard()
    with suppress(ProviderError):
        zone(start(then(update)), leave=guard).swap(WWW, "CNAME", OLD, NEW)
    assert guard.sent == counted


def test_a_read_is_asked_again(start: Start) -> None:
    turns = iter([None, None])

    def third(query: dns.message.Message, transport: str) -> dns.message.Message | None:
        return next(turns, ZONE(query, transport))

    assert zone(start(third)).read(WWW, "CNAME") == OLD


def test_a_server_without_authority_is_not_believed(start: Start) -> None:
    with pytest.raises(NotFound, match="not an authoritative"):
        zone(start(Table(APEX, ZONE.records, authoritative=False))).read(WWW, "CNAME")


@pytest.mark.parametrize(
    "changes",
    [
        {"key_name": "k", "key": SecretStr("not base64!")},
        {"key_name": "k", "key": SecretStr("QUJD"), "algorithm": "rot13"},
        {"key_name": "bad..name", "key": SecretStr("QUJD")},
    ],
)
def test_a_key_that_can_be_none(changes: dict[str, object], start: Start) -> None:
    with pytest.raises(ConfigError) as caught:
        zone(start(ZONE), **changes)
    assert "not base64!" not in repr(caught.value.__dict__)
