"""Branches and tags of a repository: which commit a name means. No name is ever guessed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from uscdr.errors import BadInput, NotFound
from uscdr.providers.source.complaints import PROVIDER

COMMIT = re.compile(r"[0-9a-f]{40}")
SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|^[-/.]|/$|\.lock$|//")
_PEELED = "^{}"
_NEAR = 5


def check(ref: str) -> None:
    """`BadInput` for what can be no name or id at all."""
    if not ref or _FORBIDDEN.search(ref):
        raise BadInput(
            f"{ref!r} cannot be a branch, tag or commit.", next_action="Correct `app.source.ref` or `--ref`."
        )


def parse(listing: bytes) -> dict[str, str]:
    """`git ls-remote` to name -> commit id; an annotated tag means the commit it points to."""
    refs: dict[str, str] = {}
    for line in listing.decode("utf-8", "replace").splitlines():
        commit, _, name = line.partition("\t")
        if name.endswith(_PEELED):
            refs[name.removesuffix(_PEELED)] = commit
        elif name:
            refs.setdefault(name, commit)
    return refs


def choose(refs: Mapping[str, str], ref: str) -> str | None:
    """The commit id of `ref`, None when no branch or tag has that name; `BadInput` when two of them differ."""
    if ref in refs:
        return refs[ref]
    found = {full: refs[full] for full in (f"refs/heads/{ref}", f"refs/tags/{ref}") if full in refs}
    if len(set(found.values())) > 1:
        raise BadInput(
            f"{ref} is both a branch and a tag, of different commits.",
            next_action=f"Say which one you mean: {' or '.join(found)}.",
        )
    return next(iter(found.values()), None)


def unknown(refs: Mapping[str, str], ref: str) -> NotFound:
    """The error for a name that is not there, with names that are like it."""
    names = sorted({re.sub(r"^refs/(?:heads|tags)/", "", name) for name in refs})
    near = difflib.get_close_matches(ref, names, n=_NEAR, cutoff=0.5) or names[:_NEAR]
    return NotFound(
        f"The source repository has no branch, tag or commit {ref}.",
        provider=PROVIDER,
        why=f"It has {', '.join(near)}." if near else "It is empty.",
        next_action="Correct `app.source.ref` or `--ref`.",
    )
