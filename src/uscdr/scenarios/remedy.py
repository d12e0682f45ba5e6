"""What an application failure calls for: a pure judgement on what was seen."""

from __future__ import annotations

import re
from collections.abc import Sequence

from uscdr.digits import whole
from uscdr.errors import BadInput
from uscdr.scenarios.results_app import AppSeen, ReleaseLine, Remedy

ROLLBACK = re.compile(r"^Rollback to v(\d+)")
CONFIG = re.compile(r"^(Set|Remove|Update|Add) .*config var", re.IGNORECASE)
REMOVED = re.compile(r"^Remove (.+) config var")
CLOSED = (
    "nothing is seen to be wrong, and the pages cannot be asked while maintenance mode is on (heroku maintenance:off)"
)


def remedy(seen: AppSeen, *, wanted: str | None = None, ref: str | None = None) -> Remedy:
    """What to do. `wanted` is a release to return to, `ref` a ref to deploy, when the operator said so.

    Raises BadInput for a release that cannot be returned to.
    """
    if wanted is not None:
        return _return_to(seen, _named(seen, wanted), "the operator named the release")
    if ref is not None:
        return Remedy(what="redeploy", why="the operator named the ref to deploy")
    if seen.healthy:
        why = f"all {seen.asked} checks passed, no dyno is crashed, no variable is missing{_but(seen)}"
        return Remedy(what="impossible", why=seen.unreadable) if seen.unreadable else Remedy(what="none", why=why)
    if not (seen.crashed or seen.missing_config):
        remedied = _of_migrations(seen)
        if remedied is not None:
            return remedied
    if not (seen.asked or seen.crashed or seen.missing_config):
        return Remedy(what="impossible", why=CLOSED + _but(seen))
    return _go_back(seen)


def _but(seen: AppSeen) -> str:
    """What no release changes and a person puts right."""
    return f"; but {seen.stopped}" if seen.stopped else ""


def _of_migrations(seen: AppSeen) -> Remedy | None:
    """What makes the database and the code fit; None when that is not what is wrong, or nothing here does."""
    found, later = seen.code, seen.ref_code
    if found.ahead or found.unfillable:
        if later.known and not (later.ahead or later.unfillable) and seen.ref_commit != seen.commit:
            return Remedy(what="redeploy", why=f"{found.problems[0]}; {seen.ref} knows it")
    elif found.pending:
        return Remedy(what="migrate", why="the deployed code needs migrations that the database lacks")
    if found.problems and not seen.failing:
        return Remedy(what="impossible", why=found.problems[0])
    return None


def _go_back(seen: AppSeen) -> Remedy:
    target = last_good(seen)
    if target is not None:
        return _return_to(seen, target, _symptom(seen))
    if seen.ref_commit:
        return Remedy(what="redeploy", why=f"{_symptom(seen)}; there is no earlier release to return to")
    return Remedy(what="impossible", why=f"{_symptom(seen)}; no earlier release, and no source to deploy from")


def last_good(seen: AppSeen) -> ReleaseLine | None:
    """The newest release, older than the code that runs, which succeeded and can be returned to.

    A release that only returned to another stands for that one: what lies between the two was found bad before.
    """
    if seen.current is None:
        return None
    before = min([_origin(seen, seen.current), *_removals(seen)])
    return next((r for r in seen.releases if r.version < before and r.can_return and r.status == "succeeded"), None)


def _removals(seen: AppSeen) -> list[int]:
    """The newest release that removed each missing variable: that release has not got it either."""
    removed = [
        (r.version, m[1].replace(",", " ").split()) for r in seen.releases if (m := REMOVED.match(r.description))
    ]
    newest = (next((version for version, names in removed if one in names), None) for one in seen.missing_config)
    return [version for version in newest if version is not None]


def _origin(seen: AppSeen, version: int) -> int:
    """The version whose code and config `version` runs, through any number of rollbacks."""
    release = next((r for r in seen.releases if r.version == version), None)
    earlier = returned_to(release.description) if release else None
    return _origin(seen, earlier) if earlier is not None and earlier < version else version


def returned_to(description: str) -> int | None:
    """The version that a release went back to, None when it did not go back."""
    match = ROLLBACK.match(description)
    return whole(match[1]) if match else None


def _named(seen: AppSeen, wanted: str) -> ReleaseLine:
    known = ", ".join(f"v{r.version}" for r in seen.releases if r.can_return and r.version != seen.current) or "none"
    found = next((r for r in seen.releases if f"v{r.version}" == wanted or str(r.version) == wanted), None)
    if found is None or not found.can_return or found.status != "succeeded":
        what = "is not listed" if found is None else f"{found.status} and cannot be returned to"
        raise BadInput(f"Release {wanted} {what}.", why=f"Releases that can: {known}.", next_action="heroku releases")
    if found.version == seen.current:
        raise BadInput(f"Release {wanted} is the one that runs.", why=f"Others: {known}.")
    return found


def _return_to(seen: AppSeen, target: ReleaseLine, why: str) -> Remedy:
    undone = tuple(f"v{r.version} {r.description}" for r in seen.releases if r.version > target.version)
    return Remedy(what="rollback", why=why, to=target, undone=undone)


def _symptom(seen: AppSeen) -> str:
    words: list[str] = []
    if seen.crashed:
        words.append(f"{', '.join(seen.crashed)} crashed")
    if seen.missing_config:
        words.append(f"missing config: {', '.join(seen.missing_config)}")
    if seen.failing:
        words.append(f"{len(seen.failing)} of {seen.asked} checks fail")
    return "; ".join(words)


def config_changes(undone: Sequence[str]) -> tuple[str, ...]:
    """Those of the undone releases that changed config variables, which a rollback changes back."""
    return tuple(line for line in undone if CONFIG.match(line.partition(" ")[2]))
