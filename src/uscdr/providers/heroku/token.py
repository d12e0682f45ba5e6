"""Finds the operator's Heroku token: in the environment, then from the Heroku CLI, then in netrc."""

from __future__ import annotations

import netrc
import os
import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from uscdr.errors import NoCredentials
from uscdr.files import exposure, whole
from uscdr.providers.heroku.client import HOW_TO_GET_ACCESS, PROVIDER
from uscdr.providers.http.client import CREDENTIAL
from uscdr.settings import Directories, program
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST = "api.heroku.com"
CLIENT_SECONDS = 20.0
LARGEST_NETRC = 1 << 20
"""Bytes; a normal file has a thousandth of that."""
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LANG|LC_\w+|TERM|XDG_\w+|TMPDIR|https?_proxy|no_proxy|HEROKU_\w+|NODE_EXTRA_CA_CERTS",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Token:
    """A token, its source, and what is wrong with that source, if anything."""

    value: SecretStr
    source: str
    note: str = ""


def find_token(env: Mapping[str, str], *, client_seconds: float = CLIENT_SECONDS) -> Token:
    """The first token found. `NoCredentials` when there is none, with the reason for each source."""
    reasons: list[str] = []
    found = _from_environment(env, reasons) or _from_client(env, reasons, client_seconds) or _from_netrc(env, reasons)
    if found:
        return found
    raise NoCredentials(
        "uscdr found no Heroku token.",
        provider=PROVIDER,
        why=" ".join(reasons),
        next_action=HOW_TO_GET_ACCESS,
        sent=False,
    )


def _from_environment(env: Mapping[str, str], reasons: list[str]) -> Token | None:
    value = env.get("HEROKU_API_KEY", "").strip()
    if CREDENTIAL.fullmatch(value):
        return Token(SecretStr(value), "HEROKU_API_KEY")
    reasons.append("HEROKU_API_KEY does not contain a valid token." if value else "HEROKU_API_KEY is not set.")
    return None


def _from_client(env: Mapping[str, str], reasons: list[str], seconds: float) -> Token | None:
    client = program("heroku", env)
    if client is None:
        reasons.append("The Heroku CLI is not installed.")
        return None
    output = _ask_client(client, env, seconds)
    if output is None:
        reasons.append(f"`heroku auth:token` did not answer within {duration(seconds)}.")
        return None
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if lines and CREDENTIAL.fullmatch(lines[-1]):
        return Token(SecretStr(lines[-1]), "heroku auth:token")
    reasons.append("`heroku auth:token` returned no token: not logged in.")
    return None


def _ask_client(client: Path, env: Mapping[str, str], seconds: float) -> str | None:
    """Its standard output; empty when it fails, None when it takes too long."""
    try:
        process = subprocess.Popen(
            [client, "auth:token"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_passed_on(env),
            cwd="/",
            start_new_session=True,
        )
    except OSError:
        return ""
    with process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            return None
        except BaseException:
            _kill_group(process)
            raise
    return output.decode("utf-8", "replace") if process.returncode == 0 else ""


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """The Heroku CLI starts child processes, which would keep its output open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _passed_on(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that the CLI needs. An empty HEROKU_API_KEY would make it report that nobody is logged in."""
    return {name: env[name] for name in env if _PASSED_ON.fullmatch(name) and name != "HEROKU_API_KEY"}


def _from_netrc(env: Mapping[str, str], reasons: list[str]) -> Token | None:
    path = netrc_path(env)
    try:
        whole(
            path, LARGEST_NETRC
        )  # a pipe of that name would block, and an endless file would never be read to its end
        found = netrc.netrc(path).authenticators(HOST)
    except FileNotFoundError:
        reasons.append(f"{path} does not exist.")
    except netrc.NetrcParseError as error:
        # The exception's text quotes the file, which contains passwords.
        reasons.append(f"{path} cannot be parsed: line {error.lineno} is malformed.")
    except OSError as error:
        reasons.append(f"{path} cannot be read: {error.strerror or type(error).__name__}.")
    except UnicodeDecodeError:
        reasons.append(f"{path} cannot be read.")
    else:
        if found and CREDENTIAL.fullmatch(found[2] or ""):
            return Token(SecretStr(found[2] or ""), str(path), exposure(path))
        reasons.append(f"{path} has no token for {HOST}.")
    return None


def netrc_path(env: Mapping[str, str]) -> Path:
    """Where a netrc would be."""
    return Path(env["NETRC"]) if env.get("NETRC") else Directories(env).home / ".netrc"
