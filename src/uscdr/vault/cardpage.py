"""The card of a kit as one page for paper: HTML and print CSS alone, no script, nothing from elsewhere. Pure.

It says nothing that the card does not, but for what its printer adds: contacts, and points of freshness without
their reasons, which might say too much on a wall.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from uscdr.vault.card import worth
from uscdr.vault.freshness import Freshness, Reason, is_placeholder
from uscdr.vault.manifest import KITS, MANIFEST, SUMS, Card, CardPart, Contact
from uscdr.words import moment, plural, size

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
@page { size: A4; margin: 14mm }
* { box-sizing: border-box }
body { font: 10.5pt/1.35 "Liberation Sans", Arial, sans-serif; color: #000; background: #fff; max-width: 186mm;
  margin: 0 auto; padding: 4mm }
h1 { font-size: 17pt; margin: 0 } h2 { font-size: 11.5pt; margin: 4mm 0 1mm; border-bottom: 1px solid #000 }
p, ol { margin: 1mm 0 } ol { padding-left: 6mm } section { break-inside: avoid }
.verdict { border: 2px solid #000; padding: 1.5mm 3mm; margin: 2mm 0; font-weight: bold }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .6mm 3mm .6mm 0 }
tr { border-bottom: 1px dotted #888 }
code { font: 9pt/1.4 "Liberation Mono", "Courier New", monospace; overflow-wrap: anywhere }
.command { display: block; border-left: 3px solid #000; padding-left: 2mm; margin: .8mm 0 }
.blank { color: #666 } @media print { body { padding: 0 } }
"""
BLANKS = 4
"""Lines to write contacts on by hand."""


@dataclass(frozen=True)
class Printing:
    """What is printed. `place`: where the store is. Contacts and freshness: as far as the printer knows them."""

    card: Card
    place: str
    contacts: Sequence[Contact] = ()
    freshness: Freshness | None = None


def card_page(printing: Printing) -> str:
    """The whole document; every value is escaped."""
    card = printing.card
    title = _text(f"Escape kit of {card.app}")
    body = "\n".join(
        (
            f"<h1>{title}</h1>",
            (
                f"<p>{_code(card.kit)} ({_text(card.target)}), "
                f"made {moment(card.created_at)} by uscdr {_text(card.uscdr)}</p>"
            ),
            f'<p class="verdict">{_verdict(card)}</p>',
            _section("Who to call", _contacts(printing.contacts)),
            _section("Where the kit is", _where(printing)),
            _section("Which keys open it", _keys(card)),
            _section("What to type", _commands(printing)),
            _section("What is in it", _parts(card)),
            *([_section("Freshness", _freshness(printing.freshness))] if printing.freshness else []),
            _section("Digests (SHA-256)", _digests(card)),
        )
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _text(value: object) -> str:
    return escape(str(value))


def _code(value: object) -> str:
    return f"<code>{_text(value)}</code>"


def _command(words: str) -> str:
    return f'<code class="command">{_text(words)}</code>'


def _section(title: str, inner: str) -> str:
    return f"<section><h2>{_text(title)}</h2>\n{inner}\n</section>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML already."""
    first = "".join(f"<th>{_text(one)}</th>" for one in head)
    lines = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{first}</tr></thead>\n<tbody>\n{lines}\n</tbody></table>"


def _verdict(card: Card) -> str:
    whole = "COMPLETE" if card.complete else "INCOMPLETE: something could not be had when it was made"
    return _text(f"{whole}. {worth(card.dump)[:1].upper()}{worth(card.dump)[1:]}." if card.dump else f"{whole}.")


def _contacts(contacts: Sequence[Contact]) -> str:
    """An empty line for everyone who is not named: paper can be written on."""
    blank = '<span class="blank">______________________________</span>'
    if not contacts:
        return _table(("Role", "Name", "How"), [(blank, blank, blank)] * BLANKS)
    rows = [
        (_text(one.role), *((blank, blank) if is_placeholder(one) else (_text(one.name), _text(one.how))))
        for one in contacts
    ]
    return _table(("Role", "Name", "How"), rows)


def _where(printing: Printing) -> str:
    inside = f"{KITS}/{printing.card.kit}/"
    return (
        f"<p>{_code(printing.place)}, there in {_code(inside)}</p>"
        "<p>Copies of it, in other buildings or at another provider: "
        '<span class="blank">______________________________________</span></p>'
    )


def _keys(card: Card) -> str:
    """Public keys, or their fingerprints in kits that hold nothing else."""
    listed = "".join(f"<li>{_code(one)}</li>" for one in card.public_keys or card.recipients)
    return (
        f"<p>Any one of these. A private key {_code('FILE')} shows its public half with {_code('age-keygen -y FILE')}; "
        "it is never kept beside the kit.</p>"
        f"<ol>{listed}</ol><p>The private keys are with: "
        '<span class="blank">______________________________________</span></p>'
    )


def _commands(printing: Printing) -> str:
    named = shlex.quote(f"{printing.place}:{printing.card.kit}")
    rows = (
        ("Is it whole? No key needed.", f"uscdr kit check {named}"),
        ("What is in it, and could we rebuild from it?", f"uscdr kit check {named} --identity FILE"),
        ("Rebuild the application from it.", f"uscdr recover infra --kit {named} --identity FILE"),
        ("Bring lost media files back.", f"uscdr recover media --kit {named} --identity FILE"),
        ("Take a part out.", f"uscdr kit restore --kit {named} --identity FILE --part dump --into DIR"),
        ("Without uscdr, in the kit's directory.", f"sha256sum -c {SUMS}; age -d -i FILE {MANIFEST}"),
    )
    return "".join(f"<p>{_text(words)}{_command(command)}</p>" for words, command in rows)


def _parts(card: Card) -> str:
    return _table(("Part", "State", "As of"), [_part(part) for part in card.parts]) + (
        f"<p>{plural(card.objects, 'encrypted object')}, {size(card.bytes)}.</p>"
    )


def _part(part: CardPart) -> tuple[str, str, str]:
    return _text(part.name), _text(part.state), moment(part.taken_at) if part.taken_at else ""


def _freshness(found: Freshness) -> str:
    known = f", and up to {found.unknown} more that nobody looked at" if found.unknown else ""
    return f"<p>{found.score} of 100 points{known}, when this was printed.</p>" + _table(
        ("Question", "Points", ""), [_points(one) for one in found.reasons]
    )


def _points(reason: Reason) -> tuple[str, str, str]:
    return _text(reason.question), f"{reason.points} of {reason.of}", "not known" if reason.state == "unknown" else ""


def _digests(card: Card) -> str:
    rows = [(_code(MANIFEST), _code(card.manifest_sha256)), (_code(SUMS), _code(card.sums_sha256))]
    return _table(("File", "SHA-256"), rows) + (
        "<p>Whoever can write to the place could put another kit there: compare these when in doubt.</p>"
    )
