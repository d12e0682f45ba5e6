"""Opens the links of the runbook, and says which are alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from uscdr.errors import ExitCode
from uscdr.providers.http.outages import Outages
from uscdr.ui.schemas import Schema

if TYPE_CHECKING:
    from uscdr.models.probes import LinkAnswer
    from uscdr.providers.ports.probes import Links
    from uscdr.scenarios.config import Config, ReferenceLink
    from uscdr.ui.console import Output


def look_at_links(config: Config, links: Links, output: Output) -> int:
    """Print one line for each link with an address; return 1 when one without a note is not alive.

    A link with a note is known: it is shown, and does not count.
    """
    found = [(one, one.url) for one in config.links if one.url]
    failed = False
    if found and not output.json_lines:
        output.result("\n## Links now\n")
    with Outages.shared():
        for link, url in found:
            answer = links.look(url)
            failed = failed or not (answer.alive or link.note)
            _show(link, answer, output)
    return int(ExitCode.CHECK_FAILED if failed else ExitCode.DONE)


class _LinkObject(TypedDict):
    link: str
    alive: bool
    words: str
    note: str


def _show(link: ReferenceLink, answer: LinkAnswer, output: Output) -> None:
    if output.json_lines:
        facts: _LinkObject = {"link": link.title, "alive": answer.alive, "words": answer.words, "note": link.note}
        output.record(Schema.LINK, {**facts, **answer.model_dump()})
        return
    output.result(f"- {link.title}: {answer.words}" + (f" ({link.note})" if link.note else ""))
