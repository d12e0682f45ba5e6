"""age: keys as people have them, and streams that fail."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kit_world import new_key
from uscdr.errors import BadInput, CheckFailed, Interrupted
from uscdr.store.encryption import Identity, Recipient, WrongIdentity, seal, unseal

DATA = bytes(range(256)) * 1200
LARGE = b"".join(number.to_bytes(8, "big") * 4096 for number in range(640))
"""20 MiB of which no two pieces are the same."""


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [one.name for one in threading.enumerate() if one.name.startswith("blocks")]


def age_key(path: Path) -> str:
    public, secret = new_key()
    path.write_text(f"# a comment\n\n{secret}\n")
    return public


def ssh_key(path: Path) -> str:
    secret = Ed25519PrivateKey.generate()
    path.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = secret.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{public} ada@laptop"


def sealed(public: str) -> bytes:
    target = io.BytesIO()
    done = seal(io.BytesIO(DATA), target, Recipient.read([public]))
    assert (done.plain_size, done.size) == (len(DATA), len(target.getvalue()))
    return target.getvalue()


@pytest.mark.parametrize("make", [age_key, ssh_key])
def test_a_key_of_each_kind_opens_what_was_sealed_to_it(tmp_path: Path, make: Any) -> None:
    public = make(tmp_path / "key")
    target = io.BytesIO()
    unseal(io.BytesIO(sealed(public)), target, Identity.read(tmp_path / "key"))
    assert target.getvalue() == DATA


@pytest.mark.parametrize("keep", [0, 30, 200, 5000, -1, -16])
def test_what_is_cut_off_is_damage(tmp_path: Path, keep: int) -> None:
    data = sealed(age_key(tmp_path / "key"))
    with pytest.raises(CheckFailed):
        unseal(io.BytesIO(data[:keep]), io.BytesIO(), Identity.read(tmp_path / "key"))


def test_another_identity(tmp_path: Path) -> None:
    data = sealed(age_key(tmp_path / "key"))
    age_key(tmp_path / "other")
    with pytest.raises(WrongIdentity):
        unseal(io.BytesIO(data), io.BytesIO(), Identity.read(tmp_path / "other"))


@pytest.mark.parametrize("given", [[], [" "], ["age1nonsense"], ["ssh-ed25519 AAAA"], ["nobody@example.com"]])
def test_no_recipient_and_a_bad_one_are_refused(given: list[str]) -> None:
    with pytest.raises(BadInput):
        Recipient.read(given)


def test_a_private_key_given_as_recipient_is_refused_and_not_repeated() -> None:
    secret = new_key()[1]
    for given in (secret, secret.lower()):
        with pytest.raises(BadInput) as caught:
            Recipient.read([given])
        assert (
            secret[20:40].lower() not in f"{caught.value.message}{caught.value.why}{caught.value.next_action}".lower()
        )


def test_the_comment_of_an_ssh_key_is_no_part_of_it(tmp_path: Path) -> None:
    public = ssh_key(tmp_path / "key")
    assert Recipient.read([public])[0].fingerprint == Recipient.read([public.replace("ada@laptop", "")])[0].fingerprint


def test_the_same_recipient_twice_is_one() -> None:
    public = new_key()[0]
    assert len(Recipient.read([public, f" {public} "])) == 1


@pytest.mark.parametrize(
    "text", [b"", b"# only a comment\n", b"AGE-SECRET-KEY-1NONSENSE\n", b"\xff\xfe\0", b"PRIVATE KEY"]
)
def test_an_identity_file_without_a_usable_key(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "key").write_bytes(text)
    with pytest.raises(BadInput, match="contains no usable age or SSH private key") as caught:
        Identity.read(tmp_path / "key")
    assert "NONSENSE" not in f"{caught.value.message}{caught.value.why}"


def test_an_identity_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        Identity.read(tmp_path / "nowhere")


def test_identities_show_nothing(tmp_path: Path) -> None:
    age_key(tmp_path / "key")
    secret = (tmp_path / "key").read_text().split()[-1]
    assert secret not in repr(Identity.read(tmp_path / "key"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_as_such(tmp_path: Path) -> None:
    public = age_key(tmp_path / "key")
    with pytest.raises(OSError, match="No space left"), Path("/dev/full").open("wb", buffering=0) as full:
        seal(io.BytesIO(DATA), full, Recipient.read([public]))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted("stopped")])
def test_what_a_watcher_raises_comes_through_as_it_is(tmp_path: Path, error: BaseException) -> None:
    public = age_key(tmp_path / "key")

    def watch(done: int) -> None:
        if done > 100_000:
            raise error

    with pytest.raises(type(error)):
        seal(io.BytesIO(DATA), io.BytesIO(), Recipient.read([public]), watch)
    data = sealed(public)
    with pytest.raises(type(error)):
        unseal(io.BytesIO(data), io.BytesIO(), Identity.read(tmp_path / "key"), watch)


class Stream:
    """A source that gives parts of any size, or a target; either can wait, fail, and count."""

    def __init__(self, data: bytes = b"", *, part: int = 1 << 20, turn: threading.Event | None = None) -> None:
        self._data = io.BytesIO(data)
        self._part = part
        self._turn = turn
        self.calls = 0
        self.passed = 0
        self.refuses: OSError | None = None

    def read(self, size: int = -1) -> bytes:
        return self._count(self._data.read(min(size, self._part)))

    def write(self, data: bytes) -> int:
        if self._turn is not None:
            assert self._turn.wait(60)
        if self.refuses is not None:
            raise self.refuses
        self._data.write(self._count(data))
        return len(data)

    @property
    def stream(self) -> IO[bytes]:
        return cast("IO[bytes]", self)

    @property
    def content(self) -> bytes:
        return self._data.getvalue()

    def _count(self, data: bytes) -> bytes:
        self.calls, self.passed = self.calls + 1, self.passed + len(data)
        return data


@pytest.mark.parametrize("part", [1000, 16384, 1 << 20, 1 << 30])
def test_large_data_keeps_its_order_and_both_sides_are_hashed_whole(tmp_path: Path, part: int) -> None:
    public, target, back = age_key(tmp_path / "key"), Stream(), Stream()
    done = seal(Stream(LARGE, part=part).stream, target.stream, Recipient.read([public]))
    assert (done.plain_sha256, done.plain_size) == (hashlib.sha256(LARGE).hexdigest(), len(LARGE))
    assert (done.sha256, done.size) == (hashlib.sha256(target.content).hexdigest(), len(target.content))
    assert unseal(Stream(target.content, part=part).stream, back.stream, Identity.read(tmp_path / "key")) == done
    assert back.content == LARGE


def test_a_disk_that_stands_still_stops_the_reading_after_some_blocks(tmp_path: Path) -> None:
    public, turn = age_key(tmp_path / "key"), threading.Event()
    source, target = Stream(os.urandom(1 << 20) * 40), Stream(turn=turn)
    sealing = threading.Thread(target=seal, args=(source.stream, target.stream, Recipient.read([public])))
    sealing.start()
    sealing.join(0.5)
    while source.passed < 5 << 20:
        assert sealing.is_alive()
        sealing.join(0.1)
    sealing.join(0.5)
    assert source.passed <= 9 << 20
    turn.set()
    sealing.join(60)
    assert source.passed == 40 << 20


def test_a_disk_that_fails_within_is_told_and_the_rest_is_not_read(tmp_path: Path) -> None:
    public, source, target = age_key(tmp_path / "key"), Stream(LARGE), Stream()
    target.refuses = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space left"):
        seal(source.stream, target.stream, Recipient.read([public]))
    assert source.passed < len(LARGE)
    assert target.passed == 0


def test_the_watcher_hears_of_every_part_and_of_the_whole(tmp_path: Path) -> None:
    public, seen, target = age_key(tmp_path / "key"), list[int](), Stream()
    seal(Stream(DATA, part=1000).stream, target.stream, Recipient.read([public]), seen.append)
    assert seen[:2] == [1000, 2000]
    assert seen[-1] == len(DATA)
    seen.clear()
    unseal(io.BytesIO(target.content), io.BytesIO(), Identity.read(tmp_path / "key"), seen.append)
    assert seen[-1] == len(DATA)
