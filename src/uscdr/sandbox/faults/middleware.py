"""Applies fault rules to requests, outside everything else, so that a fault can hit any call."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from uscdr.sandbox.faults import answers, lies
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
        self._memory = lies.Memory()
        self._under_way: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or break the answer."""
        path: str = scope["path"]
        kind = "" if path.startswith(self._control) else self._due(scope["method"], path)
        scope["state"]["fault"] = kind
        # What users ask the application is in no audit: that has the writes to providers.
        if kind and (note := scope["state"].get("note")):
            note(kind, unanswered=kind in CONNECTION_KINDS)
        if not kind and self._rules.remembers:
            await self._remembered(scope, receive, send)
        elif not kind or kind in (*EFFECT_KINDS, *DNS_KINDS):
            await self._application(scope, receive, send)
        else:
            await self._break(kind, scope, receive, send)

    def _due(self, method: str, path: str) -> str:
        return self._rules.due(method, path, provider=self._provider)

    async def _remembered(self, scope: Scope, receive: Receive, send: Send) -> None:
        recorder = _Recorder(send)
        await self._application(scope, receive, recorder)
        self._memory.keep(recorder.body)

    async def _break(self, kind: str, scope: Scope, receive: Receive, send: Send) -> None:
        if kind.startswith("slow:"):
            await asyncio.sleep(float(kind.partition(":")[2]))
            await self._application(scope, receive, send)
        elif kind.startswith("late:"):
            await self._late(float(kind.partition(":")[2]), scope, receive, send)
        elif kind == "twice":
            await self._twice(scope, receive, send)
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

    async def _late(self, seconds: float, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse at once as a gateway does, and let the request through all the same, later."""
        body = await _read(receive)
        await answers.send(answers.canned("503-html", provider=self._provider), send)

        async def afterwards() -> None:
            await asyncio.sleep(seconds)
            await self._application(scope, _replayed(body), _Recorder())

        task = asyncio.create_task(afterwards())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _twice(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        await self._application(scope, _replayed(body), _Recorder())
        await self._application(scope, _replayed(body), send)

    async def _spoil(self, kind: str, scope: Scope, receive: Receive, send: Send) -> None:
        recorder = _Recorder()
        await self._application(scope, receive, recorder)
        answer = answers.Answer(recorder.status, recorder.body)
        name, _, seconds = kind.partition(":")
        if name in lies.CHANGES:
            await answers.send(replace(answer, body=lies.CHANGES[name](recorder.body)), send)
        elif name == "lags":
            await answers.send(replace(answer, body=lies.lagging(recorder.body, float(seconds))), send)
        elif name == "another-id":
            await answers.send(replace(answer, body=self._memory.another(recorder.body)), send)
        elif name == "endless-pages":
            body, headers = lies.endless(recorder.body)
            await answers.send(replace(answer, status=206, body=body, headers=headers), send)
        elif name == "odd-headers":
            await answers.send(replace(answer, headers=answers.ODD), send)
        elif name in ("drip", "endless"):
            await answers.send_slowly(answer, send, gone=partial(_gone, receive), endless=name == "endless")
        else:
            await answers.send_truncated(replace(answer, headers=recorder.headers), send)
            await _drop(scope, reset=False)


class _Recorder:
    """Takes an answer that the client shall not see as it is, or passes it on to `send` as well."""

    def __init__(self, send: Send | None = None) -> None:
        self.status = 500
        self.headers: dict[str, str] = {}
        self.body = b""
        self._send = send

    async def __call__(self, message: Message) -> None:
        """Keep one ASGI message."""
        if self._send is not None:
            await self._send(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            pairs = message.get("headers", ())
            self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}
        else:
            self.body += message.get("body", b"")


async def _read(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


def _replayed(body: bytes) -> Receive:
    """The same request once more; then nobody is there."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


async def _gone(receive: Receive) -> bool:
    """Whether the client has left."""
    with contextlib.suppress(TimeoutError):
        return bool((await asyncio.wait_for(receive(), 0.001))["type"] == "http.disconnect")
    return False


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
