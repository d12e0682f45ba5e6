"""Accounts and patients, one row at a time."""

from datetime import date, timedelta

from utils.synthetic import words

OLDEST = date(1960, 1, 1)
DAYS_OF_BIRTH = 16_000
PROFILED = 4  # one account in so many has filled in the health profile
BLANK = ("",) * 7
NO_PASSWORD = "!generated"  # noqa: S105 - Django's mark for an account that no password opens
USER_COLUMNS = (
    "id", "email", "username", "password", "role", "first_name", "last_name", "middle_name", "is_active",
    "is_staff", "is_superuser", "is_verified", "profile_completed", "id_number", "course", "year_level",
    "department", "phone_number", "address", "birthday", "sex", "illness", "existing_medical_condition",
    "medications", "allergies", "emergency_contact", "emergency_contact_number", "blood_type",
    "date_joined", "created_at", "updated_at",
)  # fmt: skip
PATIENT_COLUMNS = (
    "id", "user_id", "first_name", "last_name", "date_of_birth", "gender", "email", "phone_number",
    "address", "created_by_id", "created_at", "updated_at",
)  # fmt: skip


def person(rng):
    """Return what an account and its patient share."""
    pick = rng.random
    return {
        "first": words.FIRST[int(pick() * len(words.FIRST))],
        "last": words.LAST[int(pick() * len(words.LAST))],
        "birthday": OLDEST + timedelta(days=int(pick() * DAYS_OF_BIRTH)),
        "sex": "Female" if pick() < 0.5 else "Male",  # noqa: PLR2004 - a coin
        "phone": f"+63900{int(pick() * 10**7):07}",
        "address": f"{1 + int(pick() * 200)} {words.STREETS[int(pick() * len(words.STREETS))]} Street, Cebu",
    }


def accounts(plan):
    """Yield one account for each patient except the walk-ins, who come last."""
    people, rng = plan.rng("people"), plan.rng("accounts")
    for index in range(plan.patients - plan.walk_ins):
        who, key, made = person(people), plan.first_user + index, plan.arrival(index)
        name = address(who, plan.first_patient + index)
        teacher = index % 10 == 9  # noqa: PLR2004 - every tenth
        yield (
            key, name, name, NO_PASSWORD, "FACULTY" if teacher else "STUDENT", who["first"], who["last"],
            "", True, False, False, True, True, f"{20_000_000 + key}", pick(rng, words.COURSES),
            str(1 + index % 4), "Sciences", who["phone"], who["address"], who["birthday"], who["sex"],
            *(profile(rng, who["last"]) if index % PROFILED == 0 else BLANK), made, made, made,
        )  # fmt: skip


def profile(rng, family):
    """Return a filled health profile: the six encrypted columns, and whom to call."""
    return (
        pick(rng, words.ILLNESSES),
        pick(rng, words.CONDITIONS),
        pick(rng, words.MEDICATIONS),
        pick(rng, words.ALLERGIES),
        f"{pick(rng, words.FIRST)} {family}",
        f"+63911{int(rng.random() * 10**7):07}",
        pick(rng, words.BLOOD),
    )


def patients(plan):
    """Yield one patient each, with the account of the same position."""
    people = plan.rng("people")
    for index in range(plan.patients):
        who, key, made = person(people), plan.first_patient + index, plan.arrival(index)
        walk_in = index >= plan.patients - plan.walk_ins
        yield (
            key, None if walk_in else plan.first_user + index, who["first"], who["last"], who["birthday"],
            who["sex"], address(who, key), who["phone"], who["address"], plan.staff[index % len(plan.staff)],
            made, made,
        )  # fmt: skip


def address(who, key):
    """Return an address that nobody can receive mail at."""
    return f"{who['first']}.{who['last']}.{key}@students.usc-pis.example".lower()


def pick(rng, values):
    """Choose quickly; `random.choice` costs three times as much."""
    return values[int(rng.random() * len(values))]
