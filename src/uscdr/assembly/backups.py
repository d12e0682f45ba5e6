"""The place of backups' copies as the steps of a scenario are given it."""

from __future__ import annotations

from functools import cache

from uscdr.assembly import vault
from uscdr.assembly.job import Job, Surroundings
from uscdr.assembly.ports import Ports
from uscdr.scenarios.deps import VaultPlace
from uscdr.settings import operator
from uscdr.vault.backups.pulling import Keyring
from uscdr.vault.lookonly import LookOnlyStore
from uscdr.vault.store import Store
from uscdr.vault.turn import Queue, turn


def vault_place(job: Job, ports: Ports, around: Surroundings) -> VaultPlace:
    """Opened when it is first asked for: most scenarios never do."""
    config, to = job.place.config, job.request.to

    @cache
    def store() -> Store:
        found = vault.open_store(to, config, around.state, around.env)
        return LookOnlyStore(found) if job.dry_run else found

    def keyring() -> Keyring | None:
        # a resumed run has its request from JSON
        given = tuple(job.request.recipients)
        return vault.keyring(given, None, config, around.env) if given or _named(job, around) else None

    return VaultPlace(
        target=job.place.name,
        to=to,
        store=store,
        keyring=keyring,
        reading=lambda: vault.reading_keys(job.identity, None, around.env),
        download=lambda link: vault.download(job, link, around.stop.event),
        decode=vault.decode,
        scratch=ports.scratch,
        turn=lambda message, say: turn(store(), Queue(operator(around.env), around.stop.pause, say), message),
    )


def _named(job: Job, around: Surroundings) -> bool:
    """Whether configuration or environment name anybody who could open a copy."""
    config, env = job.place.config, around.env
    standing = vault.settings(config).recipients or config.kit.recipients
    return bool(standing or env.get(vault.RECIPIENTS, "").strip() or env.get(vault.PASSPHRASE_FILE))
