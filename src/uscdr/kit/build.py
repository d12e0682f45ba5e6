"""Build a kit: try every part, record each missing part with its reason, write the manifest last."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from uscdr import __version__
from uscdr.errors import CheckFailed, ProviderError
from uscdr.kit.collect.app import collect_app, collect_config, collect_dns
from uscdr.kit.collect.dump import Collected, check_named, collect_dump
from uscdr.kit.collect.media import collect_media
from uscdr.kit.collect.sources import BuildReporter, BuildRequest, Gathering, Sources, Unavailable, collect_code
from uscdr.kit.manifest import FORMAT, PARTS, Card, DumpProof, Fingerprints, KitGap, KitPart, Manifest, PartName
from uscdr.kit.writer import KitWriter
from uscdr.staging import noted
from uscdr.threads import run_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.kit.content import AppFacts, MediaEntry, SourceFacts
    from uscdr.store.encryption import Recipient
    from uscdr.store.store import Store


@dataclass(frozen=True)
class Built:
    """A finished kit."""

    card: Card
    manifest: Manifest


@dataclass
class _State:
    """Results of earlier parts that later parts and the manifest need."""

    app: AppFacts | None = None
    config: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)
    source: SourceFacts | None = None
    dump: DumpProof | None = None
    media: Sequence[MediaEntry] = ()

    def collected(self) -> Collected:
        """The results that a proof of the dump needs."""
        release = self.app.release if self.app else None
        return Collected(self.config, self.source, release.created_at if release else None)


def build(
    sources: Sources, request: BuildRequest, store: Store, to: Sequence[Recipient], *, work: Path, tell: BuildReporter,
    stop: threading.Event,
) -> Built:  # fmt: skip
    """Collect all parts into a new kit in `store`, encrypted to `to`.

    `work` is a private directory that the caller removes; plain files stay in it only while they are needed.

    Raises:
        ProviderError: the platform does not name the token's account; nothing was stored.
        BadInput: the named backup does not exist; nothing was stored.
        MachineError: this machine or the store failed; there is no kit, but downloaded media stay in the store.
        Interrupted: `stop` was set; likewise.
    """
    account = sources.platform.account().email
    check_named(sources, request)
    with noted(store.place, work), store.staging() as staging:
        writer = KitWriter.begin(store, to, staging, request.app)
        gathering = Gathering(sources, request, writer, work, tell, stop)
        state = _State()
        parts = _collected(gathering, state)
        if request.audience is not None:
            writer.add_file("audience", request.audience.name, request.audience)
        gathering.check()
        manifest = _manifest(gathering, account, parts, state)
        return Built(writer.finish(manifest, state.media), manifest)


class _Halt(threading.Event):
    """Set when the operator stops the build, or when the build must end for another reason."""

    def __init__(self, outer: threading.Event) -> None:
        super().__init__()
        self._outer = outer

    def is_set(self) -> bool:
        return super().is_set() or self._outer.is_set()


def _collected(gathering: Gathering, state: _State) -> list[KitPart]:
    """Collect the quick parts in sequence, then dump and media in parallel: one needs this machine, one the network.

    If this machine fails in one of them, the other one ends soon.
    """
    parts = [_try(gathering, name, collect) for name, collect in _quick(gathering, state)]
    halt = _Halt(gathering.stop)
    both = replace(gathering, stop=halt)
    tasks = [partial(_try, both, name, collect) for name, collect in _slow(both, state)]
    return parts + run_all(tasks, workers=len(tasks), abandon=halt.set)


def _manifest(gathering: Gathering, account: str, parts: Sequence[KitPart], state: _State) -> Manifest:
    request, writer = gathering.request, gathering.writer
    return Manifest(
        format=FORMAT,
        kit=writer.kit,
        created_at=datetime.now(UTC),
        uscdr=__version__,
        app=request.app,
        target=request.target,
        identity=request.identity,
        account=account,
        scenarios_digest=request.scenarios_digest,
        recipients=tuple(recipient.fingerprint for recipient in writer.to),
        parts=tuple(sorted(parts, key=lambda part: PARTS.index(part.name))),
        objects=tuple(writer.objects),
        fingerprints=Fingerprints.of(state.config) if state.config else Fingerprints(),
        dump=state.dump,
        contacts=tuple(request.contacts),
        rpo=request.rpo,
        public_keys=tuple(recipient.text for recipient in writer.to),
    )


def _quick(gathering: Gathering, state: _State) -> Iterator[tuple[PartName, Callable[[], KitPart]]]:
    """The quick parts in order: later parts use results of earlier ones."""

    def of_app() -> KitPart:
        part, state.app = collect_app(gathering)
        return part

    def of_config() -> KitPart:
        part, state.config = collect_config(gathering)
        return part

    def of_dns() -> KitPart:
        part = collect_dns(gathering, state.app.domains if state.app else ())
        return part if state.app else _unsure_of_hostnames(part)

    def of_source() -> KitPart:
        part, state.source = collect_code(gathering, state.app.commit if state.app else "")
        return part

    yield from (("app", of_app), ("config", of_config), ("dns", of_dns), ("source", of_source))


def _slow(gathering: Gathering, state: _State) -> Iterator[tuple[PartName, Callable[[], KitPart]]]:
    """The slow parts. The proof of the dump uses the key and the code of this kit."""

    def of_dump() -> KitPart:
        part, state.dump = collect_dump(gathering, state.collected())
        return part

    def of_media() -> KitPart:
        part, state.media = collect_media(gathering)
        return part

    yield from (("dump", of_dump), ("media", of_media))


def _try(gathering: Gathering, name: PartName, collect: Callable[[], KitPart]) -> KitPart:
    """Collect one part; if a provider refuses it, the part is missing and the others continue."""
    if name in gathering.request.without:
        return KitPart(
            name=name, state="left out", gaps=(KitGap(what=name, why="The operator excluded it (--without)."),)
        )
    gathering.check()
    gathering.tell.say(f"collecting: {name}")
    try:
        return collect()
    except (ProviderError, CheckFailed, Unavailable) as error:
        return KitPart.missing(name, error.reason)


def _unsure_of_hostnames(part: KitPart) -> KitPart:
    gap = KitGap(what="hostnames", why="The part app has no hostnames; only configured ones were queried.")
    return part.model_copy(update={"state": "partial", "gaps": (*part.gaps, gap)})
