"""The card of a kit, for a wall or a wallet, and the list of sums that `sha256sum -c` understands."""

from __future__ import annotations

import re
from collections.abc import Mapping

from uscdr.vault.manifest import KITS, MANIFEST, SUMS, Card, CardPart, DumpProof
from uscdr.vault.store import ObjectLost
from uscdr.words import moment, plural, size

_UP = "../../"
"""From a kit's directory to the store."""
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


def sums_text(kit: str, listed: Mapping[str, str]) -> bytes:
    """`SHA256  name` a line, names relative to the kit's directory: checked there with `sha256sum -c`."""
    own = f"{KITS}/{kit}/"
    near = {name.removeprefix(own) if name.startswith(own) else _UP + name: digest for name, digest in listed.items()}
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(near.items())).encode()


def parse_sums(kit: str, data: bytes) -> dict[str, str]:
    """Names in the store and their digests. Raises ObjectLost."""
    found: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            name = f"{KITS}/{kit}/{SUMS}"
            raise ObjectLost(name, f"{name} is damaged (line {number}).", next_action="Use another kit: uscdr kit list")
        name = match[2]
        found[name.removeprefix(_UP) if name.startswith(_UP) else f"{KITS}/{kit}/{name}"] = match[1]
    return found


def card_text(card: Card) -> str:
    """The card in words, 78 columns, to be printed and kept away from the computers."""
    rule = "=" * 78
    lines = [
        rule,
        f"ESCAPE KIT  {card.kit}",
        f"application {card.app} ({card.target}), made {moment(card.created_at)} by uscdr {card.uscdr}",
        "COMPLETE" if card.complete else "INCOMPLETE: see below, and `uscdr kit check`",
        "",
        *(_part_line(part) for part in card.parts),
        *([f"  {worth(card.dump)}"] if card.dump else []),
        "",
        f"{plural(card.objects, 'encrypted object')}, {size(card.bytes)}",
        f"recipients  {'  '.join(card.recipients)}",
        "manifest    SHA-256",
        f"  {card.manifest_sha256}",
        "",
        "Is it whole?      uscdr kit check PLACE:ID        (no key needed)",
        "What is in it?    uscdr kit check PLACE:ID --identity FILE",
        "Rebuild from it:  uscdr recover infra --kit PLACE:ID --identity FILE",
        "Without uscdr:    card.html, beside this file",
        f"By hand, there:   sha256sum -c {SUMS}",
        f"                  age -d -i FILE {MANIFEST}",
        rule,
    ]
    return "\n".join(lines) + "\n"


def _part_line(part: CardPart) -> str:
    as_of = f"as of {moment(part.taken_at)}" if part.taken_at else ""
    return f"  {part.name:<8} {part.state:<10} {as_of}".rstrip()


def worth(proof: DumpProof) -> str:
    """What the dump is worth, in a line."""
    match proof.origin:
        case "left out":
            return "the dump is NOT PROVEN: left out on purpose (--unproven)"
        case "failed":
            return "the dump is NOT PROVEN: it could not be tried when the kit was made"
        case _:
            when = f" ({moment(proof.proven_at)})" if proof.proven_at else ""
            return f"the dump, restored: {proof.grade}{when}"
