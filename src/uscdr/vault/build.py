"""Building a kit: every part is tried, what cannot be had is recorded with its reason, the manifest comes last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from uscdr import __version__
from uscdr.errors import CheckFailed, ProviderError
from uscdr.vault.collect import app, config, dns, dump, media, source
from uscdr.vault.collect.sources import Gathering, Sources, Tell, Unavailable, Wishes, in_words, missing
from uscdr.vault.content import AppFacts, MediaEntry
from uscdr.vault.manifest import FORMAT, Card, Fingerprints, Gap, Manifest, Part, PartName
from uscdr.vault.seal import Recipient
from uscdr.vault.store import Store
from uscdr.vault.writer import KitWriter, new_kit_id


@dataclass(frozen=True)
class Built:
    """A finished kit."""

    card: Card
    manifest: Manifest


@dataclass
class _State:
    """What later parts and the manifest need of earlier parts."""

    app: AppFacts | None = None
    fingerprints: Fingerprints = field(default_factory=Fingerprints)
    media: Sequence[MediaEntry] = ()


def build(
    sources: Sources, wishes: Wishes, store: Store, to: Sequence[Recipient], *, work: Path, tell: Tell,
    stop: threading.Event,
) -> Built:  # fmt: skip
    """Collect everything into a new kit in `store`, readable by `to` only.

    `work` is a private directory that the caller removes; plain files are in it only while they are needed.

    Raises:
        ProviderError: the platform does not even say whose token this is; nothing was stored.
        BadInput: the backup that was named is not there; nothing was stored.
        MachineError: this machine or the store failed; there is no kit, but media fetched so far stay.
        Interrupted: `stop` was set; the same.
    """
    account = sources.platform.account().email
    dump.check_named(sources, wishes)
    with store.staging() as staging:
        writer = KitWriter(store, to, staging, new_kit_id(wishes.app))
        gathering = Gathering(sources, wishes, writer, work, tell, stop)
        state = _State()
        parts = tuple(_try(gathering, name, collect) for name, collect in _collectors(gathering, state))
        gathering.check()
        manifest = Manifest(
            format=FORMAT,
            kit=writer.kit,
            created_at=datetime.now(UTC),
            uscdr=__version__,
            app=wishes.app,
            target=wishes.target,
            account=account,
            scenarios_digest=wishes.scenarios_digest,
            recipients=tuple(recipient.fingerprint for recipient in to),
            parts=parts,
            objects=tuple(writer.objects),
            fingerprints=state.fingerprints,
        )
        return Built(writer.finish(manifest, state.media), manifest)


def _collectors(gathering: Gathering, state: _State) -> tuple[tuple[PartName, Callable[[], Part]], ...]:
    def of_app() -> Part:
        part, state.app = app.collect(gathering)
        return part

    def of_config() -> Part:
        part, state.fingerprints = config.collect(gathering)
        return part

    def of_dns() -> Part:
        part = dns.collect(gathering, state.app.hostnames if state.app else ())
        return part if state.app else _unsure_of_hostnames(part)

    def of_media() -> Part:
        part, state.media = media.collect(gathering)
        return part

    return (
        ("app", of_app),
        ("config", of_config),
        ("dns", of_dns),
        ("dump", lambda: dump.collect(gathering)),
        ("source", lambda: source.collect(gathering, state.app.commit if state.app else "")),
        ("media", of_media),
    )


def _try(gathering: Gathering, name: PartName, collect: Callable[[], Part]) -> Part:
    """One part; what a provider refuses is missing, not the end of the others."""
    if name in gathering.wishes.without:
        return Part(name=name, state="left out", gaps=(Gap(what=name, why="The operator said so (--without)."),))
    gathering.check()
    gathering.tell.say(f"collecting: {name}")
    try:
        return collect()
    except (ProviderError, CheckFailed, Unavailable) as error:
        return missing(name, in_words(error))


def _unsure_of_hostnames(part: Part) -> Part:
    gap = Gap(
        what="hostnames", why="The app's hostnames are not known (see the part app); only configured ones were asked."
    )
    return part.model_copy(update={"state": "partial", "gaps": (*part.gaps, gap)})
