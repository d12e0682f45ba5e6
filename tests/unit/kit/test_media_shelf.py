"""Media are shared between kits: only what is new is fetched, and only what is intact counts."""

from __future__ import annotations

from kit_world import Workshop, key, new_key
from uscdr.store.encryption import Recipient


def fetched(shop: Workshop) -> list[str]:
    names = sorted(str(one) for one in shop.cloud.downloads)
    shop.cloud.downloads.clear()
    return names


def test_a_second_kit_fetches_only_what_is_new_or_changed(shop: Workshop) -> None:
    shop.build()
    assert len(fetched(shop)) == 6
    shop.cloud.files[key(7)] = b"new"
    shop.cloud.files[key(0)] = b"original 0 " * 3000
    shop.cloud.versions[key(1)] = 1800000000
    built = shop.build()
    assert fetched(shop) == [str(key(1)), str(key(7))]
    kit = shop.read(built)
    assert len(kit.inventory()) == 7
    with kit.open(key(7)) as path:
        assert path.read_bytes() == b"new"
    with kit.open(key(3)) as path:
        assert path.read_bytes() == shop.cloud.files[key(3)]


def test_a_damaged_or_lost_original_is_fetched_again(shop: Workshop) -> None:
    shop.build()
    fetched(shop)
    originals = [path for path in (shop.root / "vault" / "media").iterdir() if ".note." not in path.name]
    kept = originals[0].read_bytes()
    originals[0].write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))  # the last byte is another one, whatever it was
    originals[1].unlink()
    built = shop.build()
    assert len(fetched(shop)) == 2
    assert len(shop.read(built).inventory()) == 6


def test_other_recipients_need_their_own_copies(shop: Workshop) -> None:
    shop.build()
    fetched(shop)
    shop.build(to=Recipient.read([new_key()[0]]))
    assert len(fetched(shop)) == 6


def test_an_asset_without_a_version_is_never_taken_for_known(shop: Workshop) -> None:
    shop.cloud.versions = dict.fromkeys(shop.cloud.files, 0)
    shop.build()
    fetched(shop)
    shop.build()
    assert len(fetched(shop)) == 6


def test_an_original_without_its_note_does_not_count(shop: Workshop) -> None:
    shop.build()
    fetched(shop)
    for path in (shop.root / "vault" / "media").glob("*.note.age"):
        path.unlink()
    shop.build()
    assert len(fetched(shop)) == 6
