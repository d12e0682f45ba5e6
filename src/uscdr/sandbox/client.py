"""Talking to a running sandbox's control endpoint."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from uscdr.errors import BadInput, MachineError
from uscdr.sandbox.control_paths import PREFIX
from uscdr.sandbox.launch import contract
from uscdr.sandbox.state import CONTROL, StateDir, read_json

_TIMEOUT = 120.0


def is_running(state: StateDir) -> bool:
    """Whether a sandbox runs in this directory."""
    return contract(state) is not None


def running(state: StateDir) -> dict[str, Any]:
    """The contract of the sandbox that runs. Raises BadInput if none does."""
    document = contract(state)
    if document is None:
        raise BadInput("No sandbox is running.", next_action="Start one with `uscdr sandbox up`.")
    return document


def ask(state: StateDir, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
    """One call to the control endpoint; returns its JSON. Raises BadInput for a refusal, else MachineError."""
    running(state)
    control = read_json(state.control, CONTROL)
    if control is None:
        raise MachineError(
            f"{state.control} is not what a sandbox writes there.", next_action="End it: uscdr sandbox down"
        )
    request = urllib.request.Request(  # noqa: S310 - a loopback URL from our own 0600 file
        f"{control['url']}{PREFIX}{path}",
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"Bearer {control['secret']}"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise BadInput(_message(error)) from error
    except OSError as error:
        raise MachineError("The sandbox does not answer.", why=str(error)) from error


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["message"])
    except (ValueError, KeyError):
        return f"The sandbox refused: HTTP {error.code}."
