"""Variables with which an operator's own code runs in a drill: no mail and no HTTP request leaves this machine.

Proxies lead to a port of loopback that refuses, for programs of any kind. In Python every connection is refused whose
address is not one of the sandbox's own servers (`guard/sitecustomize.py`, which the interpreter loads at its start).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

REFUSING = "http://127.0.0.1:9"
"""Nobody listens there."""
GUARD = Path(__file__).with_name("guard")
PORTS = "USCDR_SANDBOX_PORTS"
"""The variable with the ports of loopback that the code may connect to."""
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")
_OWN_SERVER = re.compile(r"(?:postgres(?:ql)?|rediss?)://[^\s]*?(?:127\.0\.0\.1|localhost):(\d{1,5})")


def withheld(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process, with those that keep it from the outside; they win over its own."""
    ports = [found for value in variables.values() for found in _OWN_SERVER.findall(value)]
    ports += [variables["PORT"]] if "PORT" in variables else []
    path = [str(GUARD), *filter(None, [variables.get("PYTHONPATH")])]
    proxies = {spelled: REFUSING for name in _PROXIES for spelled in (name, name.upper())}
    return {
        **variables, **proxies, "no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost",
        PORTS: ",".join(dict.fromkeys(ports)), "PYTHONPATH": os.pathsep.join(path),
    }  # fmt: skip
