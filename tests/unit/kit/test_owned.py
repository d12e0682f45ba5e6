"""One list of what an application can own: what a kit says it lacks, and what a person has to do again."""

from __future__ import annotations

from kit_world import Workshop
from uscdr.kit.content import OWNED
from uscdr.models.heroku import AddOn, Belongings, Domain

ALL = Belongings(
    features=("http-session-affinity",), webhooks=("hooks.example",), pipeline="clinic (production)",
    certificates=("www.clinic.example",), team="clinic-team", space="wards",
)  # fmt: skip


def test_a_kit_says_what_it_does_not_hold(shop: Workshop) -> None:
    shop.place.hanging = ALL.model_copy(update={"unknown": {"webhooks": "Heroku refused to list the webhooks."}})
    built = shop.build()
    gaps = {gap.what: gap.why for gap in built.manifest.part("app").gaps}
    assert set(gaps) == {"webhooks (hooks.example)", "uploaded certificates (www.clinic.example)", "webhooks"}
    assert gaps["webhooks"] == "Heroku refused to list the webhooks."
    kept = shop.read(built).app()
    assert kept is not None
    assert kept.belongings == shop.place.hanging


def test_a_kit_of_an_application_that_owns_nothing_of_it_is_complete(shop: Workshop) -> None:
    assert shop.build().manifest.part("app").gaps == ()


def test_every_kind_that_a_person_has_to_make_again_is_told_with_what_to_do(shop: Workshop) -> None:
    facts = shop.read(shop.build()).app()
    assert facts is not None
    more = (AddOn(id="s", name="scheduler-1", state="provisioned", plan="scheduler:standard"),
            AddOn(id="p", name="postgresql-2", state="provisioned", plan="heroku-postgresql:standard-0"))  # fmt: skip
    rich = facts.model_copy(update={"belongings": ALL, "addons": (*facts.addons, *more)})
    told = rich.by_hand()
    assert [one.title for one in OWNED if one.by_hand] == [line.partition(" (")[0] for line in told]
    assert "Scheduler jobs (scheduler-1): recreate them" in told[0]
    assert [what.partition(" (")[0] for what, _ in rich.not_kept()] == [one.title for one in OWNED if one.not_kept]
    assert facts.by_hand() == ()


def test_a_kit_that_did_not_ask_is_not_called_complete(shop: Workshop) -> None:
    facts = shop.read(shop.build()).app()
    assert facts is not None
    old = facts.model_copy(update={"belongings": None, "domains": (Domain(id="d", hostname="h", kind="custom"),)})
    assert "UNKNOWN (an older version of uscdr built this kit)" in old.by_hand()[0]
