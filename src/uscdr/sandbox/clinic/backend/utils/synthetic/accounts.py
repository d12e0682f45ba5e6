"""The few accounts that are not patients: clinic staff, a superuser, and the one for checks."""

import os
from importlib import import_module

from django.contrib.auth.hashers import is_password_usable, make_password

from authentication.models import Token, User

STAFF = (("DOCTOR", "Dr. Reyes"), ("DOCTOR", "Dr. Santos"), ("DENTIST", "Dr. Torres"), ("NURSE", "Nurse Villa"))
CHIEF = "chief@clinic.usc-pis.example"


def staff():
    """Return the keys of the clinic's staff, made once; nobody can log in as them."""
    for number, (role, name) in enumerate(STAFF, 1):
        title, last = name.split()
        ensure(f"staff{number}@clinic.usc-pis.example", role=role, first_name=title, last_name=last)
    ensure(CHIEF, role="ADMIN", last_name="Chief", is_staff=True, is_superuser=True)
    rows = User.objects.filter(email__startswith="staff", email__endswith="@clinic.usc-pis.example")
    return tuple(rows.order_by("id").values_list("id", flat=True))


def retire_published():
    """Take the password that stands in the code from the accounts that a migration makes, as every clinic must."""
    known = import_module("authentication.migrations.0004_pgcrypto_and_default_admins").ADMINS
    for user in User.objects.filter(email__in=[email for email, *_rest in known]):
        if is_password_usable(user.password):
            User.objects.filter(pk=user.pk).update(password=make_password(None))


def ensure(email, **fields):
    """Make an account unless it is there."""
    values = {"username": email, "password": make_password(None), "is_verified": True, "profile_completed": True}
    return User.objects.get_or_create(email=email, defaults={**values, **fields})


def check_account():
    """Make the account of CHECK_EMAIL and CHECK_PASSWORD, with the token CHECK_TOKEN if that is set.

    Return whether both were set.
    """
    email, password = os.environ.get("CHECK_EMAIL", ""), os.environ.get("CHECK_PASSWORD", "")
    if not email or not password:
        return False
    account, _ = User.objects.update_or_create(
        email=email,
        defaults={
            "username": email,
            "password": make_password(password),
            "role": User.Role.STAFF,
            "is_verified": True,
            "is_active": True,
            "is_staff": True,
            "profile_completed": True,
        },
    )
    if os.environ.get("CHECK_TOKEN"):
        Token.objects.update_or_create(user=account, defaults={"key": os.environ["CHECK_TOKEN"]})
    return True
