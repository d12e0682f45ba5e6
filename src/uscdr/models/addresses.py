"""Mail addresses: one rule of what is an address, what makes two the same person's, and how an unsuitable one is said.

The rule is conservative: no quoted local parts, no comments, no display names, no other letters than ASCII. An address
of that form cannot end a header or a command, and cannot name a second recipient.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST, _LONGEST_LOCAL = 254, 64
"""RFC 5321, 4.5.3.1: the path of 256 has its angle brackets."""


def mail_address(text: str) -> str:
    """One address, its domain in lower case. Raises ValueError, whose words do not contain the text."""
    local, at, domain = text.strip(" \t").rpartition("@")
    domain = domain.lower()
    if not at or not _LOCAL.fullmatch(local) or len(local) > _LONGEST_LOCAL:
        raise ValueError("it is not a mail address of the form name@example.org")
    if not _is_domain(domain) or len(local) + 1 + len(domain) > _LONGEST:
        raise ValueError("the domain of the mail address is not a host name (write letters other than a-z as xn--…)")
    return f"{local}@{domain}"


def same_mailbox(address: str) -> str:
    """What two addresses of one person share: no provider in use keeps `Ann@` and `ann@` apart."""
    return address.lower()


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    if len(labels) == 1:
        return domain == "localhost"
    try:
        ip_address(domain)
    except ValueError:
        return all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    return False
