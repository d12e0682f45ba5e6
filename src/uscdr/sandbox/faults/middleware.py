"""Applies fault rules to requests, outside everything else, so that a fault can hit any call."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from typing import TYPE_CHECKING, Any

from uscdr.sandbox.faults import answers
from uscdr.sandbox.faults.rules import CONNECTION_KINDS, DNS_KINDS, EFFECT_KINDS, HEROKU, STATUS_KINDS, FaultRules

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST_HANG = 600.0  # seconds an unanswered call is held open


class FaultMiddleware:
    """An ASGI wrapper; `control_prefix` is never touched."""

    def __init__(self, application: ASGIApp, *, rules: FaultRules, control_prefix: str, provider: str = HEROKU) -> None:
        self._application = application
        self._rules = rules
        self._control = control_prefix
        self._provider = provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or break the answer."""
        path: str = scope["path"]
        kind = "" if path.startswith(self._control) else self._due(scope["method"], path)
        scope["state"]["fault"] = kind
        # What users ask the application is in no audit: that has the writes to providers.
        if kind and (note := scope["state"].get("note")):
            note(kind, unanswered=kind in CONNECTION_KINDS)
        if not kind or kind in (*EFFECT_KINDS, *DNS_KINDS):
            await self._application(scope, receive, send)
        else:
            await self._break(kind, scope, receive, send)

    def _due(self, method: str, path: str) -> str:
        return self._rules.due(method, path, provider=self._provider)

    async def _break(self, kind: str, scope: Scope, receive: Receive, send: Send) -> None:
        if kind.startswith("slow:"):
            await asyncio.sleep(float(kind.partition(":")[2]))
            await self._application(scope, receive, send)
        elif kind in ("refuse", "reset-before"):
            await _drop(scope, reset=kind == "reset-before")
        elif kind == "timeout-before":
            await _hang(receive)
        elif kind in ("timeout-after", "reset-after"):
            await self._application(scope, receive, _Recorder())
            await (_hang(receive) if kind == "timeout-after" else _drop(scope, reset=True))
        elif kind in STATUS_KINDS or kind in ("html-200", "empty-200", "redirect"):
            await answers.send(answers.canned(kind, provider=self._provider), send)
        else:
            await self._spoil(kind, scope, receive, send)

    async def _spoil(self, kind: str, scope: Scope, receive: Receive, send: Send) -> None:
        recorder = _Recorder()
        await self._application(scope, receive, recorder)
        if kind == "wrong-types":
            await answers.send(answers.Answer(recorder.status, wrong_types(recorder.body)), send)
            return
        await answers.send_truncated(recorder.status, recorder.body, send)
        await _drop(scope, reset=False)


class _Recorder:
    """Takes an answer that the client shall not see as it is."""

    def __init__(self) -> None:
        self.status = 500
        self.body = b""

    async def __call__(self, message: Message) -> None:
        """Keep one ASGI message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")


async def _hang(receive: Receive) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(_disconnected(receive), LONGEST_HANG)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _drop(scope: Scope, *, reset: bool) -> None:
    transport: asyncio.Transport = scope["state"]["transport"]
    connection = transport.get_extra_info("socket")
    if reset and connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    await asyncio.sleep(0)  # let the server notice before it would answer 500 itself


def wrong_types(body: bytes) -> bytes:
    """JSON of the same shape in which numbers are text, text is numbers and lists are objects."""
    return json.dumps(_turned(json.loads(body or b"null"))).encode()


def _turned(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _turned(one) for key, one in value.items()}
    if isinstance(value, list):
        return {"items": [_turned(one) for one in value]}
    if isinstance(value, bool) or value is None:
        return "maybe"
    return [value] if isinstance(value, str) else str(value)
