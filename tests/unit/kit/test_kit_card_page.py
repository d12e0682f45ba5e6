"""The printed page: it stands alone, escapes what it is given, and says no more than the card."""

from __future__ import annotations

from html.parser import HTMLParser

from kit_world import CANARIES, Workshop
from uscdr.kit.card import Printing
from uscdr.kit.freshness import Freshness, Reason
from uscdr.kit.manifest import KitContact

EVIL = "<script>alert(1)</script>\"'&"


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [name for name, _ in attrs if name in ("src", "href", "action", "style") or name[:2] == "on"]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_stands_alone(shop: Workshop) -> None:
    text = Printing(shop.build().card, "s3://safe/usc").page()
    page = Page(text)
    assert page.open == []
    assert page.addresses == []
    assert not {"script", "img", "link", "iframe", "object", "a", "form"} & set(page.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "@page" in text
    assert "default-src 'none'" in text


def test_it_says_what_to_do_and_with_which_key(shop: Workshop) -> None:
    card = shop.build().card
    text = Printing(card, "s3://safe/usc").page()
    for wanted in (
        card.kit, card.manifest_sha256, card.sums_sha256, shop.public, "COMPLETE",
        f"uscdr recover infra --kit s3://safe/usc:{card.kit} --identity FILE",
        f"uscdr kit restore --kit s3://safe/usc:{card.kit}",
    ):  # fmt: skip
        assert wanted in text
    assert "AGE-SECRET-KEY" not in text


def test_everything_is_escaped(shop: Workshop) -> None:
    card = shop.build().card.model_copy(update={"app": EVIL, "target": EVIL, "uscdr": EVIL, "public_keys": (EVIL,)})
    fresh = Freshness(
        score=1, unknown=0, reasons=(Reason(question=EVIL, points=1, of=2, state="less", words="a secret reason"),)
    )
    page = Printing(card, EVIL, (KitContact(role=EVIL, name=EVIL, how=EVIL),), fresh).page()
    assert "<script" not in page
    assert EVIL not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;" in page
    assert Page(page).open == []
    assert "a secret reason" not in page


def test_contacts_without_a_name_are_lines_to_write_on(shop: Workshop) -> None:
    named = (KitContact(role="Lead", name="Ada", how="+63 2 1234"), KitContact(role="DBA"))
    text = Printing(shop.build().card, "/mnt/safe", named).page()
    assert "+63 2 1234" in text
    assert text.count("_____") >= 2
    assert "DBA" in text


def test_the_page_beside_the_kit_names_nobody_and_holds_no_secret(shop: Workshop) -> None:
    built = shop.build(contacts=(KitContact(role="Lead", name="Ada Lovelace", how="+63 2 1234"),))
    kit = shop.root / "vault" / "kits" / built.card.kit
    text = (kit / "card.html").read_text() + (kit / "card.json").read_text() + (kit / "card.txt").read_text()
    assert "Ada" not in text
    assert not [canary for canary in CANARIES if canary in text]
    assert shop.read(built).manifest.contacts[0].name == "Ada Lovelace"
