"""The git host: smart HTTP over TLS, where a push to `main` or `master` is a build.

The build runs inside git's pre-receive hook, as on Heroku: its output streams to the client as
`remote:` lines, and a failing build refuses the push, so that the branch stays where it was.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import socket
import ssl
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from uscdr.sandbox import gitrepository
from uscdr.sandbox.gitrepository import OnPush, PushRejected

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["GitServer", "OnPush", "PushRejected"]

_APP = re.compile(r"[a-z][a-z0-9-]{1,29}")
_SERVICES = frozenset({"git-upload-pack", "git-receive-pack"})


class GitServer:
    """Serves `https://HOST:PORT/APP.git`, one bare repository an app below `repositories`.

    `authorize(token)` judges the password of HTTP Basic, whatever the user. `exists(app)` says whether
    there is such an app. `on_push(app, tarball, commit)` yields what the client shall read; `tarball`
    is a .tar.gz of the pushed commit, to be used before the generator ends. It raises `PushRejected` to
    refuse the push.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        repositories: Path,
        authorize: Callable[[str], bool],
        on_push: OnPush,
        *,
        exists: Callable[[str], bool] = lambda _app: True,
    ) -> None:
        self._context = context
        self._repositories = repositories
        self._authorize = authorize
        self._on_push = on_push
        self._exists = exists
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, host: str = "127.0.0.1") -> int:
        """Listens on a free port of `host` and returns it."""
        import uvicorn

        class Server(uvicorn.Server):
            @contextmanager
            def capture_signals(self) -> Iterator[None]:
                # Signals belong to the process that runs us, not to one of its servers.
                yield

        listening = socket.create_server((host, 0))
        config = uvicorn.Config(self._application(), lifespan="off", log_config=None, access_log=False)
        config.load()
        config.ssl = self._context
        self._server = Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        port: int = listening.getsockname()[1]
        return port

    async def stop(self) -> None:
        """Stops listening; pushes under way get two seconds."""
        if self._server is None or self._serving is None:
            return
        self._server.config.timeout_graceful_shutdown = 2
        self._server.should_exit = True
        await self._serving

    def _application(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.routing import Route

        return Starlette(
            routes=[
                Route("/{app}.git/info/refs", self._advertise, methods=["GET"]),
                Route("/{app}.git/{service}", self._serve, methods=["POST"]),
            ]
        )

    async def _advertise(self, request: Request) -> Response:
        from starlette.responses import PlainTextResponse, Response

        refused = self._refuse(request)
        if refused is not None:
            return refused
        service = request.query_params.get("service", "")
        if service not in _SERVICES:
            return PlainTextResponse("Use git with smart HTTP.\n", status_code=403)
        repository = await self._repository(request.path_params["app"])
        refs = await gitrepository.advertise(repository, service, request.headers.get("git-protocol", ""))
        return Response(refs, media_type=f"application/x-{service}-advertisement", headers=_FRESH)

    async def _serve(self, request: Request) -> Response:
        from starlette.responses import PlainTextResponse, StreamingResponse

        refused = self._refuse(request)
        if refused is not None:
            return refused
        service, app = request.path_params["service"], request.path_params["app"]
        if service not in _SERVICES:
            return PlainTextResponse("Not found.\n", status_code=404)
        repository = await self._repository(app)
        body = await _spool(request)
        answer = self._answer(app, repository, service, body, request.headers.get("git-protocol", ""))
        return StreamingResponse(answer, media_type=f"application/x-{service}-result", headers=_FRESH)

    async def _repository(self, app: str) -> Path:
        return await asyncio.to_thread(gitrepository.prepare, self._repositories, app)

    async def _answer(
        self, app: str, repository: Path, service: str, body: IO[bytes], protocol: str
    ) -> AsyncIterator[bytes]:
        with body:
            if service == "git-upload-pack":
                stream = gitrepository.upload_pack(repository, body, protocol)
            else:
                stream = gitrepository.receive_pack(repository, body, app, self._on_push)
            async for chunk in stream:
                yield chunk

    def _refuse(self, request: Request) -> Response | None:
        """The answer to who may not come in, or asks for an app that is not there; else None."""
        from starlette.responses import PlainTextResponse

        token = _password(request.headers.get("authorization", ""))
        if token is None or not self._authorize(token):
            challenge = {"WWW-Authenticate": 'Basic realm="Heroku"'}
            return PlainTextResponse("Invalid credentials provided.\n", status_code=401, headers=challenge)
        app = request.path_params["app"]
        if not _APP.fullmatch(app) or not self._exists(app):
            return PlainTextResponse("Couldn't find that app.\n", status_code=404)
        return None


_FRESH = {"Cache-Control": "no-cache, max-age=0, must-revalidate"}


def _password(header: str) -> str | None:
    """The password of an HTTP Basic `Authorization` header; None if it is no such header."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return pair.partition(":")[2]


async def _spool(request: Request) -> IO[bytes]:
    """The whole request body as a file; git compresses small ones."""
    # A file, not memory: git reads it as its standard input.
    body = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who reads it
    unpacked = zlib.decompressobj(wbits=31) if request.headers.get("content-encoding") == "gzip" else None
    async for chunk in request.stream():
        await asyncio.to_thread(body.write, unpacked.decompress(chunk) if unpacked else chunk)
    body.flush()
    body.seek(0)
    return body
