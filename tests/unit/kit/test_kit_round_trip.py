"""What goes into a kit comes out of it again, and nothing of it is seen without the identity."""

from __future__ import annotations

import hashlib
import subprocess

import pytest

from kit_world import CANARIES, COMMIT, DRAIN, HOST, PATIENT, SECRET, Workshop, key, new_key
from uscdr.errors import BadInput
from uscdr.kit.manifest import Fingerprints
from uscdr.store.encryption import Recipient, WrongIdentity


def test_every_part_comes_back(shop: Workshop) -> None:
    built = shop.build()
    assert built.card.complete, built.manifest.parts
    kit = shop.read(built)
    app, config, dns, dump, source = kit.app(), kit.config(), kit.dns(), kit.dump(), kit.source()
    assert app is not None
    assert config is not None
    assert dns is not None
    assert dump is not None
    assert source is not None
    assert (app.account, app.commit, app.buildpacks[1]) == ("ada@example.com", COMMIT, "heroku/python")
    assert app.hostnames == (HOST,)
    (drain,) = app.log_drains
    assert drain.url is not None
    assert drain.url.get_secret_value() == DRAIN
    assert "canary-drain" not in repr(app) + app.model_dump_json()
    values = {name: value.get_secret_value() for name, value in config.values.items()}
    assert values == {"PGP_ENCRYPTION_KEY": SECRET, "DEBUG": "", "TWO_LINES": "one\ntwo Ω"}
    assert dns.hosts[0].authoritative[0].ttl == 300
    assert dns.hosts[0].at_provider[0].extras == {"proxied": "true"}
    assert dump.restored
    assert dump.canaries[0].encrypted == "phone_enc"
    assert {table.name for table in dump.tables} >= {"patients_patient"}
    assert source.procfile == {"web": "gunicorn"}


def test_files_come_back_byte_for_byte_and_do_not_stay(shop: Workshop) -> None:
    kit = shop.read(shop.build())
    with kit.open_object("database.dump") as path:
        assert PATIENT.encode() in path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
    with kit.open_object("source.tar.gz") as path:
        assert path.read_bytes() == shop.code.content
    known = kit.inventory()
    assert set(known) == set(shop.cloud.files)
    for one, data in shop.cloud.files.items():
        assert (known[one].md5, known[one].file) == (hashlib.md5(data).hexdigest(), True)
        assert (known[one].tags, known[one].asset_folder) == (("xray",), "patients")
        with kit.open(one) as path:
            assert path.read_bytes() == data
    assert list(shop.work.iterdir()) == []


def test_nothing_is_readable_without_the_identity(shop: Workshop) -> None:
    shop.build()
    assert len(shop.files()) > 15
    for path in shop.files():
        data = path.read_bytes()
        for canary in CANARIES:
            assert canary.encode() not in data, path
            assert canary not in str(path)
    assert list(shop.work.iterdir()) == []
    assert list((shop.root / "vault" / ".staging").iterdir()) == []
    assert not any(canary in line for line in shop.tell.said for canary in (SECRET, PATIENT, "canary-file"))


def test_the_manifest_and_errors_do_not_show_values(shop: Workshop) -> None:
    built = shop.build()
    config = shop.read(built).config()
    assert SECRET not in repr(config) + repr(built.manifest) + str(config) + built.manifest.model_dump_json()


def test_files_are_private(shop: Workshop) -> None:
    shop.build()
    assert {path.stat().st_mode & 0o777 for path in shop.files()} == {0o600}
    directories = [path for path in (shop.root / "vault").rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in directories} == {0o700}


def test_another_identity_opens_nothing(shop: Workshop) -> None:
    built = shop.build()
    shop.identity_file.write_text(new_key()[1])
    with pytest.raises(WrongIdentity) as caught:
        shop.read(built)
    assert isinstance(caught.value, BadInput)


def test_each_of_several_recipients_opens_it(shop: Workshop) -> None:
    public, secret = new_key()
    built = shop.build(to=Recipient.read([public, shop.public]))
    assert shop.read(built).config()
    shop.identity_file.write_text(secret)
    assert shop.read(built).config()
    assert len(built.card.recipients) == 2


def test_fingerprints_compare_without_values(shop: Workshop) -> None:
    built = shop.build()
    kept = built.manifest.fingerprints
    config = shop.read(built).config()
    assert config
    assert Fingerprints.of(config.values, kept.salt) == kept
    assert Fingerprints.of(config.values).values != kept.values


def test_sums_and_objects_work_with_standard_tools(shop: Workshop) -> None:
    built = shop.build()
    place = shop.root / "vault" / "kits" / built.card.kit
    done = subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=place, capture_output=True, check=True)
    assert done.stdout.count(b": OK") == built.card.objects + 1  # and the manifest


def test_the_card_says_what_is_needed_and_no_more(shop: Workshop) -> None:
    built = shop.build(without=frozenset({"media"}))
    text = (shop.root / "vault" / "kits" / built.card.kit / "card.txt").read_text()
    assert "COMPLETE" in text
    assert "INCOMPLETE" not in text
    assert built.card.manifest_sha256 in text
    assert built.card.recipients[0] in text
    assert "media    left out" in text
    assert max(len(line) for line in text.splitlines()) <= 78
    assert {canary for canary in CANARIES if canary in text} == set()


def test_a_key_that_is_not_in_the_kit_is_refused(shop: Workshop) -> None:
    kit = shop.read(shop.build(without=frozenset({"dump"})))
    with pytest.raises(BadInput), kit.open(key(99)):
        pass
    with pytest.raises(BadInput), kit.open_object("database.dump"):
        pass
