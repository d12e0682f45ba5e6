"""What each kind of webhook takes: a letter as its JSON. Nothing in a letter is read as markup or calls everybody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import httpx

from uscdr.words import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from uscdr.providers.ports.notices import Letter

Form = Literal["slack", "teams", "discord", "json"]
_MENTION = re.compile(r"(?<![\w.])@(?=(?:everyone|here|channel|all|team)\b)", re.IGNORECASE)
_INVISIBLE = "\N{ZERO WIDTH SPACE}"
_SLACK_PIECE, _SLACK_PIECES, _SLACK_TITLE = 2900, 40, 150
_DISCORD = 2000
"""Characters that the services take."""
_TEAMS = 15000
_MARKDOWN = re.compile(r"([\\*_~`|\[\]<>#])|^[-+](?=\s)", re.MULTILINE)
_WEB = re.compile(r"(https?://[^\s<>()\[\]`|]+)")
_COLOURS: Mapping[str, str] = {"critical": "Attention", "major": "Warning", "minor": "Accent", "resolved": "Good"}
_NO_PREVIEW = 4
"""Discord's flag SUPPRESS_EMBEDS: a link loads no preview."""


def _as_it_is(url: str) -> str:
    return url


@dataclass(frozen=True)
class ChatForm:
    """One service: its name in messages, the JSON that it takes, and the address, perhaps with a parameter."""

    name: str
    body: Callable[[Letter], dict[str, object]]
    address: Callable[[str], str] = _as_it_is


def _slack(letter: Letter) -> dict[str, object]:
    """Blocks of `plain_text`, in which Slack interprets nothing; `text` is for notifications, and is escaped."""
    text = _calm(letter.text)
    pieces = [text[start : start + _SLACK_PIECE] for start in range(0, len(text), _SLACK_PIECE)]
    blocks = [_slack_block("header", _cut(_calm(letter.subject), _SLACK_TITLE))]
    blocks += [_slack_block("section", piece) for piece in pieces[:_SLACK_PIECES] if piece.strip()]
    return {
        "text": _calm(letter.subject).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _slack_block(kind: str, text: str) -> dict[str, object]:
    return {"type": kind, "text": {"type": "plain_text", "text": text, "emoji": False}}


def _teams(letter: Letter) -> dict[str, object]:
    """An adaptive card of text runs, in which Teams interprets nothing."""
    colour = _COLOURS.get(letter.severity, "Default")
    lines = _cut(_calm(letter.text), _TEAMS).split("\n")
    body = [_teams_line(_calm(letter.subject), weight="Bolder", size="Medium", color=colour)]
    body += [_teams_line(line) for line in lines if line.strip()]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
        "body": body,
    }  # fmt: skip
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _teams_line(text: str, **look: str) -> dict[str, object]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}


def _discord(letter: Letter) -> dict[str, object]:
    """Text with its Markdown escaped; mentions are switched off, too."""
    text = f"**{_plain_markdown(letter.subject)}**\n{_plain_markdown(letter.text)}"
    return {"content": _cut(text, _DISCORD), "allowed_mentions": {"parse": []}, "flags": _NO_PREVIEW}


def _waiting(url: str) -> str:
    """Discord tells the message's id only to those who wait for it."""
    return str(httpx.URL(url).copy_set_param("wait", "true"))


def _json(letter: Letter) -> dict[str, object]:
    return {"id": letter.id, "subject": letter.subject, "text": letter.text, "severity": letter.severity}


def _plain_markdown(text: str) -> str:
    """Escaped, except for web addresses: a backslash would break them."""
    parts = _WEB.split(_calm(text))
    return "".join(part if place % 2 else _MARKDOWN.sub(r"\\\g<0>", part) for place, part in enumerate(parts))


def _calm(text: str) -> str:
    """Without invisible characters, and with mass mentions broken up."""
    return _MENTION.sub(f"@{_INVISIBLE}", escape("\n".join(text.expandtabs().splitlines()), keep_newlines=True))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


FORMS: Mapping[Form, ChatForm] = {
    "slack": ChatForm("Slack", _slack),
    "teams": ChatForm("Microsoft Teams", _teams),
    "discord": ChatForm("Discord", _discord, _waiting),
    "json": ChatForm("the webhook", _json),
}
