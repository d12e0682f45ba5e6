"""The sandbox's background process: `python -m uscdr.sandbox.daemon STATE_DIRECTORY`.

It tells its progress as JSON lines on stdout until it is ready or has failed, and then closes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import secrets
import signal
import sys
import traceback
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from uscdr.errors import MissingExtra, UscdrError
from uscdr.sandbox import launch
from uscdr.sandbox.boot import deploy
from uscdr.sandbox.boot.parts import Parts, assemble
from uscdr.sandbox.boot.request import UpRequest
from uscdr.sandbox.boot.source import CLINIC, Source, read_env_file
from uscdr.sandbox.builds.origin import MAIN
from uscdr.sandbox.dynos.environment import Runtime
from uscdr.sandbox.lifeline import Starter
from uscdr.sandbox.processes import start_mark
from uscdr.sandbox.state import CONTRACT_VERSION, StateDir, read_json, write_private
from uscdr.sandbox.world.apps import App

_SET_CHILD_SUBREAPER = 36  # prctl(2)
PYTHON = "USCDR_SANDBOX_PYTHON"
"""Of the environment: what runs the dynos' programs, if not the daemon's own interpreter."""


class Progress:
    """Writes to whoever started the daemon; a reader that has gone is no reason to fail."""

    def send(self, message: dict[str, Any]) -> None:
        """One JSON line."""
        with contextlib.suppress(BrokenPipeError):
            os.write(1, json.dumps(message).encode() + b"\n")

    def stage(self, text: str) -> None:
        """Say what is being done."""
        self.send({"stage": text})

    def end(self) -> None:
        """No more will come: later output goes to the log."""
        os.dup2(2, 1)


def _source(request: UpRequest) -> Source:
    root = Path(request.app_source) if request.app_source else CLINIC
    procfile = Path(request.procfile) if request.procfile else None
    environment = read_env_file(Path(request.env_file)) if request.env_file else {}
    return Source(root, procfile, environment)


def _contract(parts: Parts, app: App, request: UpRequest, manage: str) -> dict[str, Any]:
    core = parts.core
    return {
        "version": CONTRACT_VERSION,
        "identity": secrets.token_hex(8),
        "pid": os.getpid(),
        "pid_started": start_mark(os.getpid()),
        "heroku": {
            "api_url": core.api_url,
            "data_url": core.api_url,
            "status_url": core.api_url,
            "secure_url": parts.secure_url,
            "token": core.world.account.token,
            "spare_token": core.world.accounts[1].token,
            "app": app.name,
            "git_host": core.git_host,
            "rendezvous_host": "localhost",
            "rendezvous_port": parts.rendezvous_port,
        },
        "mail": {"relay": core.mail.address, "token_url": core.mail_account.token_url},
        "ca_file": str(parts.ca_file),
        "web_url": app.web_url,
        "edge_url": parts.doors.edge_url,
        "tls": {"host": "127.0.0.1", "port": parts.doors.tls_port},
        "dns": core.hosting.contract(parts.doors.records_url, parts.doors.secure_records_url),
        "cloudinary": core.media.contract(),
        "web_space": core.web_space.contract(),
        "check_account": None,
        "manage": manage,
        "patients": request.patients,
    }


async def _fill(parts: Parts, source: Source, request: UpRequest, tell: Progress) -> dict[str, Any]:
    core, manage = parts.core, source.manage
    app, history = await deploy.deploy(core, source, request, tell.stage)
    contract = _contract(parts, app, request, manage)
    contract["source"] = {"git": str(core.origin.path), "ref": MAIN, "commit": history.commits[-1]}
    if request.app_source:
        deploy.start_dynos(core, app)
    else:
        tell.stage(f"Generating {request.patients} synthetic patients")
        account, _ = await asyncio.gather(
            deploy.fill_clinic(core, app, request, manage), deploy.redeploy(core, app, history.commits[-1])
        )
        await deploy.add_uploads(core, app, request.assets)
        contract["check_account"] = {"email": account.email, "password": account.password, "token": account.token}
    tell.stage("Capturing the first backup, b001")
    await deploy.first_backup(core, app, request)
    if not request.app_source:
        deploy.start_dynos(core, app)
        await deploy.write_since_backup(core, app, request, manage)
        await deploy.store_files(core, app, request)
    tell.stage("Waiting for the dynos")
    await deploy.until_up(app)
    return contract


async def _serve(state: StateDir, request: UpRequest, progress: Progress, starter: Starter) -> None:
    stopped = asyncio.Event()
    starter.watch(asyncio.get_running_loop(), stopped.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as stack:
        progress.stage("Starting PostgreSQL and the provider's APIs")
        interpreter = Path(request.python or os.environ.get(PYTHON) or sys.executable)
        runtime = Runtime(interpreter, withholds=bool(request.dump))
        parts = await assemble(state, request, runtime, stack)
        control = {"url": parts.core.api_url, "secret": parts.core.secret}
        write_private(state.control, control)
        filling = asyncio.create_task(_fill(parts, _source(request), request, progress))
        waiting = asyncio.create_task(stopped.wait())
        await asyncio.wait({filling, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not filling.done():
            filling.cancel()
            return
        write_private(state.contract, filling.result())
        progress.send({"ready": True})
        progress.end()
        await waiting


def main(root: Path) -> int:
    """Run until SIGTERM. Exit code 0, or 3 when it could not be started."""
    state, starter = StateDir(root), Starter()
    try:
        return _run(state, Progress(), starter)
    finally:
        if starter.is_gone():
            launch.clear(state, keep=frozenset())


def _run(state: StateDir, progress: Progress, starter: Starter) -> int:
    write_private(state.daemon, {"pid": os.getpid(), "started": start_mark(os.getpid())})
    if sys.platform == "linux":
        # Orphans of dynos come to us and are reaped, instead of staying as zombies of a careless init.
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        asyncio.run(_serve(state, UpRequest.parse(read_json(state.request) or {}), progress, starter))
    except UscdrError as error:
        progress.send({"failed": error.message, "why": error.why, "next": error.next_action})
        return int(error.exit_code)
    except ImportError as error:
        traceback.print_exc()
        lacking = MissingExtra(
            "The sandbox needs a library that is not installed.", extra="sandbox", module=error.name or str(error)
        )
        progress.send({"failed": lacking.message, "why": lacking.why, "next": lacking.next_action})
        return int(lacking.exit_code)
    except BaseException as error:
        # Whatever it is, who waits for us must hear of it; the traceback goes to the log.
        traceback.print_exc()
        why = f"{type(error).__name__}: {error}".rstrip(": ")
        progress.send({"failed": "The sandbox could not be started.", "why": why, "next": f"Its log: {state.log}"})
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
