"""Many failures of one cause are told once; what has another cause keeps its own line."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from uscdr.models.causes import ANSWERS, NO_ANSWER, SharedCause

HEROKU, APPLICATION = f"{NO_ANSWER}Heroku", f"{NO_ANSWER}the application"
GONE = "Heroku has no such app"
STATUS = f"{ANSWERS}503"


@dataclass(frozen=True)
class Told:
    check: str
    cause: str

    @property
    def evidence(self) -> str:
        return f"evidence of {self.check}"


def groups(**causes: str) -> list[tuple[str, tuple[str, ...]]]:
    """The shared causes of checks, each named with its cause."""
    return [(one.words, one.checks) for one in SharedCause.among(Told(*each) for each in causes.items())]


def test_nothing_failed_and_nothing_is_shared() -> None:
    assert SharedCause.among(()) == ()
    assert groups(a="", b="") == []


def test_a_check_of_unknown_cause_is_in_no_group() -> None:
    assert groups(a=HEROKU, b="", c=HEROKU) == [(HEROKU, ("a", "c"))]


def test_one_check_shares_its_cause_with_nobody() -> None:
    assert groups(a=HEROKU, b="the certificate expired") == []


def test_several_with_one_cause_and_one_with_another() -> None:
    assert groups(a=HEROKU, b="the certificate expired", c=HEROKU) == [(HEROKU, ("a", "c"))]
    (one,) = SharedCause.among([Told("b", "x"), Told("a", HEROKU), Told("c", HEROKU)])
    assert one.evidence == "evidence of a"


def test_the_commonest_comes_first_and_equal_ones_keep_their_order() -> None:
    found = groups(a="x", b="y", c="y", d="x", e="z", f="z", g="z")
    assert found == [("z", ("e", "f", "g")), ("x", ("a", "d")), ("y", ("b", "c"))]


def test_the_silence_of_several_is_one_cause_and_names_each() -> None:
    assert groups(a=HEROKU, b=f"{NO_ANSWER}Cloudinary") == [(f"{NO_ANSWER}Heroku and Cloudinary", ("a", "b"))]
    third = groups(a=HEROKU, b=f"{NO_ANSWER}Cloudinary", c=f"{NO_ANSWER}the mail server", d=HEROKU)
    assert third == [(f"{NO_ANSWER}Heroku, Cloudinary and the mail server", ("a", "d", "b", "c"))]


def test_an_application_that_is_gone_explains_its_own_silence_only() -> None:
    found = groups(a=APPLICATION, b=GONE, c=APPLICATION, d=f"{NO_ANSWER}Cloudinary", e=f"{NO_ANSWER}Cloudinary")
    assert found == [(GONE, ("b", "a", "c")), (f"{NO_ANSWER}Cloudinary", ("d", "e"))]
    assert groups(a=GONE, b=GONE) == [(GONE, ("a", "b"))]
    assert groups(a=APPLICATION, b=GONE) == [(GONE, ("b", "a"))]


@pytest.mark.parametrize(("number", "told"), [(2, False), (4, False), (5, True)])
def test_two_wrong_statuses_may_be_two_mistakes_and_five_are_one(number: int, told: bool) -> None:
    names = tuple(f"page{n}" for n in range(number))
    assert groups(**dict.fromkeys(names, STATUS)) == ([(STATUS, names)] if told else [])


def test_two_statuses_are_two_causes() -> None:
    assert groups(**{f"a{n}": STATUS for n in range(4)}, **{f"b{n}": f"{ANSWERS}404" for n in range(4)}) == []
