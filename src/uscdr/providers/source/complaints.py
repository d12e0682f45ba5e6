"""What git complains of, as our errors. Its words are not shown: they can hold addresses with credentials."""

from __future__ import annotations

import re

from uscdr.errors import CredentialsRefused, MachineError, NotFound, ProviderError, UscdrError

PROVIDER = "Git"

_MISSING_OBJECT = re.compile(
    r"not our ref|unadvertised object|couldn't find remote ref|remote ref .* not found|not a valid object name"
    r"|unknown revision|Needed a single revision|missing necessary objects|expected a complete|bad revision",
    re.IGNORECASE,
)
_AUTH = re.compile(
    r"could not read (?:Username|Password)|Authentication failed|terminal prompts disabled|Permission denied \("
    r"|Host key verification failed|returned error: 40[13]|Invalid username or (?:password|token)",
    re.IGNORECASE,
)
_OWNER = re.compile(r"dubious ownership", re.IGNORECASE)
_SPACE = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_MISSING = re.compile(
    r"does not appear to be a git repository|Repository .*not found|repository '.*' not found|not a git repository"
    r"|returned error: 404",
    re.IGNORECASE,
)
_TRUST = re.compile(r"certificate|CAfile|self.signed", re.IGNORECASE)
_NETWORK = re.compile(
    r"Could not resolve|Couldn't connect|Failed to connect|Connection (?:refused|reset|timed out|closed)|timed out"
    r"|unable to access|early EOF|hung up unexpectedly|RPC failed|returned error: 5\d\d|No route to host|Empty reply",
    re.IGNORECASE,
)


class ObjectMissing(NotFound):
    """The repository answered, and does not give the commit asked for."""


def explain(complaint: str, status: int) -> UscdrError:
    """The error for a failed git, by what it printed on standard error."""
    if _MISSING_OBJECT.search(complaint):
        return _provider(ObjectMissing, "The source repository has no such commit.", "Check the commit id.")
    if _AUTH.search(complaint):
        return _provider(
            CredentialsRefused,
            "The source repository lets nobody in without credentials, or refuses those it got.",
            "Check the address; for a private one log in once with `git ls-remote` so that a credential helper knows.",
        )
    if _OWNER.search(complaint):
        return MachineError(
            "Git does not read the source repository: it belongs to another user of this machine.",
            next_action="Allow it with `git config --global --add safe.directory PATH`, or clone it.",
        )
    if _SPACE.search(complaint):
        return MachineError("No space is left for the source.", next_action="Free some space, then go on.")
    if _MISSING.search(complaint):
        return _provider(NotFound, "There is no source repository at that address.", "Correct `app.source.git`.")
    return _unreachable(complaint, status)


def _unreachable(complaint: str, status: int) -> ProviderError:
    if _TRUST.search(complaint):
        action = "Check the clock; set `http.sslCAInfo` of git if the network inspects TLS."
        return _provider(ProviderError, "The source repository's certificate was not accepted.", action)
    passing = _NETWORK.search(complaint) is not None
    why = "The network or the server failed." if passing else f"Git ended with status {status}."
    return ProviderError(
        "The source repository could not be read.",
        provider=PROVIDER,
        why=why,
        next_action="Try `git ls-remote` with its address; a clone on this machine will do as `app.source.git` too.",
        retryable=passing,
    )


def _provider(kind: type[ProviderError], message: str, next_action: str) -> ProviderError:
    return kind(message, provider=PROVIDER, next_action=next_action)
