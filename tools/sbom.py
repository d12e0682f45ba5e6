"""What an installation with every extra consists of, as CycloneDX JSON: `python -m tools.sbom FILE`.

From the distributions that are installed here, so that it says what was tested. Names, versions, licences, what needs
what, and a digest of each distribution's files; no address from which anything is downloaded. The same environment
gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT, EXTRA = "uscdr", "all"
_OF_THE_INSTALLER = frozenset({"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json"})
"""Files of a distribution's record that differ between machines."""
_LONGEST = 80
"""Characters of a licence's name; a longer text is the licence itself."""
_CLASSIFIER = "License :: "


class NotInstalled(Exception):
    """A distribution that another one requires is not installed here."""


@dataclass(frozen=True)
class Component:
    """One distribution, and the names of those that it needs here."""

    name: str
    version: str
    licence: str
    expression: bool
    """Whether the licence is an SPDX expression."""
    digest: str
    needs: tuple[str, ...]

    @property
    def ref(self) -> str:
        """Unique in the document."""
        return f"{self.name}=={self.version}"

    def document(self, kind: str) -> dict[str, Any]:
        """As CycloneDX writes it."""
        licence = {"expression": self.licence} if self.expression else {"license": {"name": self.licence}}
        return {
            "type": kind,
            "bom-ref": self.ref,
            "name": self.name,
            "version": self.version,
            **({"licenses": [licence]} if self.licence else {}),
            **({"purl": f"pkg:pypi/{self.name}@{self.version}"} if kind == "library" else {}),
            **({"properties": [{"name": "uscdr:files-sha256", "value": self.digest}]} if kind == "library" else {}),
        }


def closure(root: str = ROOT, extra: str = EXTRA) -> dict[str, Component]:
    """Everything that the package needs with that extra, itself first, by name. Raises NotInstalled."""
    if extra not in (_found(root).metadata.get_all("Provides-Extra") or []):
        raise NotInstalled(f"The installed {root} has no extra “{extra}”: its metadata is old. Run make first.")
    wanted: dict[str, set[str]] = {}
    waiting = [(canonicalize_name(root), frozenset({extra}))]
    while waiting:
        name, extras = waiting.pop()
        if name in wanted and extras <= wanted[name]:
            continue
        wanted.setdefault(name, set()).update(extras)
        waiting += [(canonicalize_name(one.name), frozenset(one.extras)) for one in _needed(_found(name), wanted[name])]
    return {name: _component(_found(name), wanted[name]) for name in (root, *sorted(set(wanted) - {root}))}


def _found(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise NotInstalled(f"{name} is not installed here: the list would be incomplete. Run make first.") from None


def _needed(found: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for text in found.requires or ():
        one = Requirement(text)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in (extras or {""}) | {""}):
            yield one


def _component(found: Distribution, extras: set[str]) -> Component:
    licence, expression = _licence(found)
    return Component(
        name=canonicalize_name(found.metadata["Name"]),
        version=found.version,
        licence=licence,
        expression=expression,
        digest=_digest(found),
        needs=tuple(sorted({canonicalize_name(one.name) for one in _needed(found, extras)})),
    )


def _licence(found: Distribution) -> tuple[str, bool]:
    """The licence, and whether that is an SPDX expression; empty if the distribution does not say."""
    told = found.metadata
    if "License-Expression" in told:
        return told["License-Expression"], True
    named = [one.rpartition(" :: ")[2] for one in told.get_all("Classifier", []) if one.startswith(_CLASSIFIER)]
    plain = (told.get_all("License") or [""])[0]
    short = plain if "\n" not in plain and len(plain) <= _LONGEST and "://" not in plain else ""
    return ", ".join(sorted({one for one in named if one != "OSI Approved"})) or short, False


def _digest(found: Distribution) -> str:
    """Of the names and digests of its files, without what the installer added."""
    lines = [
        f"{one} {one.hash.value}"
        for one in found.files or ()
        if one.hash is not None and one.suffix != ".pyc" and one.parts[0] != ".." and one.name not in _OF_THE_INSTALLER
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def document(components: dict[str, Component]) -> dict[str, Any]:
    """The bill of materials."""
    root, *others = components.values()
    body = {
        "metadata": {"component": root.document("application")},
        "components": [one.document("library") for one in others],
        "dependencies": [
            {"ref": one.ref, "dependsOn": [components[name].ref for name in one.needs]} for one in components.values()
        ],
    }
    serial = uuid.UUID(bytes=hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()[:16], version=4)
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", "version": 1, **body
    }  # fmt: skip


def main(path: Path) -> int:
    """Write the file; 1 if something is not installed."""
    try:
        found = closure()
    except NotInstalled as error:
        sys.stderr.write(f"{error}\n")
        return 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(found), indent=1, ensure_ascii=False) + "\n")
    sys.stdout.write(f"{path}: {len(found)} distributions\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
