"""Pulling and opening copies: all or nothing, encrypted before anything is written, readable without uscdr."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from backup_world import APP, DUMP, PASSPHRASE, Bytes, Safe, broken, giving, transfer
from kit_world import PATIENT, new_key
from uscdr.backups.catalog import StoredCopies
from uscdr.backups.copy import IncomingDump, Keyring, Keys, check_intact, read_passphrase
from uscdr.errors import BadInput, CheckFailed, Interrupted, MachineError, ProviderError
from uscdr.store import encryption
from uscdr.store.directory import LocalStore
from uscdr.store.encryption import Identity, WrongIdentity


@pytest.fixture
def safe(quick: Path) -> Safe:
    return Safe(quick)


def test_a_copy_is_the_same_dump_for_whoever_has_the_key_and_for_the_age_library_alone(safe: Safe) -> None:
    card = safe.pull()
    assert (card.dump.plain_sha256, card.dump.plain_size) == (hashlib.sha256(DUMP).hexdigest(), len(DUMP))
    with safe.keys.opened(safe.store, card, safe.work) as path:
        assert path.read_bytes() == DUMP
        assert path.stat().st_mode & 0o777 == 0o600
    assert list(safe.work.iterdir()) == []
    pyrage = importlib.import_module("pyrage")
    key = pyrage.x25519.Identity.from_str(safe.identity_file.read_text().strip())
    top = safe.root / "safe"
    assert pyrage.decrypt((top / card.dump.path).read_bytes(), [key]) == DUMP
    manifest = json.loads(pyrage.decrypt((top / "backups" / card.id / "manifest.json.age").read_bytes(), [key]))
    assert manifest["dump"]["plain_sha256"] == card.dump.plain_sha256
    assert StoredCopies.of(safe.store).copies == (card,)


def test_names_say_what_they_hold_and_no_patient_is_in_any_plain_file(safe: Safe) -> None:
    card = safe.pull()
    path = (safe.root / "safe" / card.dump.path).read_bytes()
    assert card.dump.path == f"backups/{card.id}/objects/{hashlib.sha256(path).hexdigest()}.age"
    assert safe.names() == sorted(
        f"backups/{card.id}/{name}" for name in (f"objects/{card.dump.sha256}.age", "card.json", "manifest.json.age")
    )
    for name in safe.names():
        assert PATIENT.encode() not in (safe.root / "safe" / name).read_bytes()


def test_a_passphrase_opens_its_copy_and_so_does_the_locked_key_beside_it(safe: Safe) -> None:
    both = Keyring(safe.keyring.recipients, PASSPHRASE)
    card = safe.order(transfer()).pull(giving(Bytes(DUMP)), safe.store, both)
    with Keys(passphrase=PASSPHRASE).opened(safe.store, card, safe.work) as path:
        assert path.read_bytes() == DUMP
    with safe.keys.opened(safe.store, card, safe.work) as path:
        assert path.read_bytes() == DUMP
    pyrage = importlib.import_module("pyrage")
    locked = (safe.root / "safe" / "backups" / card.id / "identity.age").read_bytes()
    key = by_library_alone(pyrage, locked).decode().strip()
    ciphertext = (safe.root / "safe" / card.dump.path).read_bytes()
    assert pyrage.decrypt(ciphertext, [pyrage.x25519.Identity.from_str(key)]) == DUMP
    assert PASSPHRASE.get_secret_value() not in "".join(map(repr, (card, both, Keys(passphrase=PASSPHRASE))))


def by_library_alone(pyrage: Any, locked: bytes) -> bytes:
    """A busy machine is refused now and then: asked again, for as long as that takes."""
    while True:
        try:
            opened: bytes = pyrage.passphrase.decrypt(locked, PASSPHRASE.get_secret_value())
        except pyrage.DecryptError as error:
            if "Excessive work" not in str(error):
                raise
        else:
            return opened


class Busy:
    """age's library on a machine where other programs have the processor during its first measurements."""

    def __init__(self, measurements: int) -> None:
        self.left = measurements
        self.real = importlib.import_module("pyrage")
        self.passphrase = self

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)

    def decrypt(self, locked: bytes, passphrase: str) -> bytes:
        self.left -= 1
        if self.left >= 0:
            raise self.real.DecryptError("Excessive work parameter for passphrase.\nDecryption would take around 64 s.")
        opened: bytes = self.real.passphrase.decrypt(locked, passphrase)
        return opened


def test_a_busy_machine_is_no_wrong_passphrase(safe: Safe, monkeypatch: pytest.MonkeyPatch) -> None:
    card = safe.order(transfer()).pull(giving(Bytes(DUMP)), safe.store, Keyring((), PASSPHRASE))
    monkeypatch.setattr(encryption, "_age", lambda: Busy(3))
    with Keys(passphrase=PASSPHRASE).opened(safe.store, card, safe.work) as path:
        assert path.read_bytes() == DUMP
    monkeypatch.setattr(encryption, "_age", lambda: Busy(10**6))
    with (
        pytest.raises(MachineError, match="too slow or too busy"),
        Keys(passphrase=PASSPHRASE).opened(safe.store, card, safe.work),
    ):
        pytest.fail("opened")


def test_a_passphrase_is_one_line_of_some_length(tmp_path: Path) -> None:
    file = tmp_path / "pass"
    file.write_text("six random words are good\n")
    assert read_passphrase(file).get_secret_value() == "six random words are good"
    for text in ("", "\n", "short\n"):
        file.write_text(text)
        with pytest.raises(BadInput, match="too short"):
            read_passphrase(file)
    with pytest.raises(BadInput, match="cannot read the passphrase file"):
        read_passphrase(tmp_path / "absent")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"PGDM", "does not"),
        (b"<!DOCTYPE html><html>expired</html>", "web page"),
        (b"-- PostgreSQL database dump\n", "does not"),
    ],
)
def test_what_is_no_dump_leaves_nothing(safe: Safe, data: bytes, why: str) -> None:
    with pytest.raises(CheckFailed, match="did not send a PostgreSQL dump") as caught:
        safe.pull(data=data)
    assert why in caught.value.why
    assert safe.names() == []


def test_less_than_the_platform_says_is_refused_and_more_is_kept(safe: Safe) -> None:
    with pytest.raises(CheckFailed, match="is incomplete"):
        safe.pull(data=DUMP[:-1])
    assert safe.names() == []
    assert safe.pull(data=DUMP + b"more").dump.plain_size == len(DUMP) + 4


def test_a_download_that_breaks_off_is_begun_anew_and_given_up_after_three(safe: Safe) -> None:
    half = DUMP[: len(DUMP) // 2]
    streams = (Bytes(half, broken()), Bytes(b"", broken()), Bytes(DUMP))
    card = safe.order(transfer()).pull(giving(*streams), safe.store, safe.keyring)
    assert card.dump.plain_sha256 == hashlib.sha256(DUMP).hexdigest()
    assert len(safe.again) == 2
    with pytest.raises(ProviderError):
        safe.order(transfer()).pull(giving(*(Bytes(half, broken()) for _ in range(3))), safe.store, safe.keyring)
    refused = giving(Bytes(half, broken(retryable=False)))
    with pytest.raises(ProviderError):
        safe.order(transfer()).pull(refused, safe.store, safe.keyring)
    assert len(StoredCopies.of(safe.store).copies) == 1
    assert len(safe.names()) == 3


def test_a_download_that_is_cut_goes_on_and_is_the_same_dump(safe: Safe) -> None:
    third, opened = len(DUMP) // 3, list[int]()
    parts = (DUMP[third : 2 * third], broken()), broken_request(), (DUMP[2 * third :], lambda: b"")

    @contextmanager
    def open_dump() -> Iterator[IncomingDump]:
        opened.append(1)
        yield Bytes(DUMP[:third], broken(), *parts)

    card = safe.order(transfer()).pull(open_dump, safe.store, safe.keyring)
    assert (card.dump.plain_sha256, card.dump.plain_size) == (hashlib.sha256(DUMP).hexdigest(), len(DUMP))
    with safe.keys.opened(safe.store, card, safe.work) as path:
        assert path.read_bytes() == DUMP
    assert (len(opened), len(safe.again)) == (1, 3)


def broken_request() -> ProviderError:
    return ProviderError("The storage did not answer the download request.", provider="fake", retryable=True)


def test_a_download_that_cannot_go_on_begins_anew_and_says_so(safe: Safe) -> None:
    """And one that never goes on is given up: three requests in a row without a byte, three times."""
    other = ProviderError("Storage did not send the missing part of the file.", provider="fake", retryable=True)
    streams = (Bytes(DUMP[:5000], broken(), other), Bytes(DUMP))
    card = safe.order(transfer()).pull(giving(*streams), safe.store, safe.keyring)
    assert card.dump.plain_sha256 == hashlib.sha256(DUMP).hexdigest()
    assert [one.message for one in safe.again] == ["The download broke off.", other.message]
    stuck = [Bytes(DUMP[:5000], broken(), *[(b"", broken())] * 9) for _ in range(4)]
    safe.again.clear()
    with pytest.raises(ProviderError, match="broke off"):
        safe.order(transfer()).pull(giving(*stuck), safe.store, safe.keyring)
    assert len(safe.again) == 8
    assert len(safe.names()) == 3


def test_a_cut_that_may_not_be_repeated_ends_the_pull(safe: Safe) -> None:
    refused = Bytes(DUMP[:5000], broken(retryable=False), (DUMP[5000:], lambda: b""))
    with pytest.raises(ProviderError, match="broke off"):
        safe.order(transfer()).pull(giving(refused), safe.store, safe.keyring)
    assert safe.again == []
    assert safe.names() == []


def test_an_interruption_leaves_nothing(safe: Safe) -> None:
    def watch(done: int) -> None:
        if done > len(DUMP) // 2:
            raise Interrupted("Interrupted.")

    with pytest.raises(Interrupted):
        safe.order(transfer(), watch).pull(giving(Bytes(DUMP)), safe.store, safe.keyring)
    assert safe.names() == []


class Cut(LocalStore):
    """Fails at the n-th thing that is created."""

    def __init__(self, root: Path, at: int) -> None:
        super().__init__(root)
        self.left = at

    def create(self, name: str, file: Path) -> None:
        self.left -= 1
        if self.left < 0:
            raise MachineError("The disk is full.")
        super().create(name, file)


@pytest.mark.parametrize(("at", "passphrase"), [(0, None), (1, None), (2, None), (1, PASSPHRASE), (3, PASSPHRASE)])
def test_cut_off_at_any_object_there_is_no_copy_and_no_manifest(
    safe: Safe, at: int, passphrase: SecretStr | None
) -> None:
    store, keys = Cut(safe.root / "safe", at), Keyring(safe.keyring.recipients, passphrase)
    with pytest.raises(MachineError, match="disk is full"):
        safe.order(transfer()).pull(giving(Bytes(DUMP)), store, keys)
    assert StoredCopies.of(safe.store).copies == ()
    assert not [name for name in safe.names() if "manifest" in name or ".staging" in name]


def test_a_killed_pull_leaves_no_manifest_and_the_next_one_removes_what_it_staged(safe: Safe) -> None:
    program = """
        import sys, time
        from pathlib import Path
        from backup_world import Safe, Bytes, DUMP, giving, transfer
        from uscdr.store import encryption
        safe = Safe(Path(sys.argv[1]))
        def wait():
            print("under way", flush=True)
            time.sleep(60)
        safe.order(transfer()).pull(giving(Bytes(DUMP, wait)), safe.store, safe.keyring)
    """
    units = str(Path(__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": units}
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), str(safe.root)],
        stdout=subprocess.PIPE, env=env,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline().strip() == b"under way"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    left = safe.names()
    assert left
    assert all(name.startswith(".staging/") for name in left)
    for name in left:
        assert PATIENT.encode() not in (safe.root / "safe" / name).read_bytes()
    card = safe.pull()
    assert all(name.startswith(f"backups/{card.id}/") for name in safe.names())


def damage_flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damage_swap(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1])


@pytest.mark.parametrize("part", ["objects", "manifest.json.age"])
@pytest.mark.parametrize("damage", [damage_flip, damage_swap])
def test_damage_is_found_with_and_without_a_key_and_nothing_is_handed_out(
    safe: Safe, part: str, damage: Callable[[Path], None]
) -> None:
    card = safe.pull()
    path = next((safe.root / "safe").rglob(f"{part}*" if "." in part else f"{part}/*.age"))
    damage(path)
    with pytest.raises(CheckFailed, match="damaged"):
        check_intact(safe.store, card)
    with pytest.raises(CheckFailed, match="damaged"), safe.keys.opened(safe.store, card, safe.work):
        raise AssertionError("a damaged dump was handed out")
    assert list(safe.work.iterdir()) == []


def test_a_card_that_was_changed_is_found(safe: Safe) -> None:
    card = safe.pull()
    origin = card.origin.model_copy(update={"name": "b099"})
    with (
        pytest.raises(CheckFailed, match="differs from the manifest"),
        safe.keys.opened(safe.store, card.model_copy(update={"origin": origin}), safe.work),
    ):
        raise AssertionError("a forged card was believed")


def test_another_key_or_none_is_bad_input(safe: Safe) -> None:
    card = safe.pull()
    other = safe.root / "other.txt"
    other.write_text(new_key()[1])
    with (
        pytest.raises(WrongIdentity, match="does not decrypt"),
        Keys(Identity.read(other)).opened(safe.store, card, safe.work),
    ):
        raise AssertionError
    with pytest.raises(BadInput, match="needs a key to decrypt"), Keys().opened(safe.store, card, safe.work):
        raise AssertionError
    assert not Keys().may_open(card)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda top, card: (top / card.dump.path).unlink(), "is missing"),
        (lambda top, card: (top / card.dump.path).write_bytes(b"short"), "5 bytes long instead of"),
        (lambda top, card: (top / "backups" / card.id / "card.json").write_text("{}"), "damaged"),
        (lambda top, card: (top / "backups" / card.id / "card.json").write_text("canary-text"), "damaged"),
        (lambda top, card: (top / "backups" / card.id / "card.json").unlink(), "missing"),
        (lambda top, card: (top / "backups" / card.id / "manifest.json.age").write_bytes(b""), "0 bytes long"),
    ],
)
def test_a_copy_that_is_not_whole_is_told_and_not_counted(safe: Safe, change: Any, words: str) -> None:
    card = safe.pull()
    change(safe.root / "safe", card)
    found = StoredCopies.of(safe.store)
    assert found.copies == ()
    assert len(found.damaged) == 1
    assert words in found.damaged[0]
    assert "canary-text" not in found.damaged[0]
    assert card.origin.app == APP
