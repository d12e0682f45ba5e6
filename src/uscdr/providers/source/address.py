"""Where the code lives: a path on this machine, or an https, ssh or file address that carries no secret."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from uscdr.errors import ConfigError
from uscdr.providers.http import is_loopback
from uscdr.settings import user_path

_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:(?!//)\S+")
_ALLOWED = ("https", "ssh", "file")
_TOKEN_LIKE = re.compile(r"gh[a-z]_|github_pat_|glpat-|x-access-token|.{33,}", re.IGNORECASE)


def checked(git: str) -> str:
    """The address as git takes it; a path is made absolute.

    `ConfigError` for a password or token in it (git shows addresses to every process of this machine), for
    clear-text http to another machine, and for any other scheme.
    """
    if "://" not in git:
        return git if _SCP_LIKE.fullmatch(git) else str(user_path(git).resolve())
    try:
        parts = urlsplit(git)
        user, password = parts.username or "", parts.password
    except ValueError:
        raise _wrong("The source address cannot be read.", "Correct `app.source.git`.") from None
    if password is not None or (parts.scheme != "ssh" and _TOKEN_LIKE.match(user)):
        message = "The source address holds a password or token."
        raise _wrong(message, "Take it out, and give it to git with a credential helper (`git credential approve`).")
    if parts.scheme in _ALLOWED or (parts.scheme == "http" and is_loopback(git)):
        return git
    raise _wrong("The source address must be a path, or begin with https:// or ssh://.", "Correct `app.source.git`.")


def _wrong(message: str, next_action: str) -> ConfigError:
    return ConfigError(message, next_action=next_action)
