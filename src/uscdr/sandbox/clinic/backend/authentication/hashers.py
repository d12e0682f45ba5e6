"""Passwords of an invented clinic: the usual form with a tenth of the usual work."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    """Nothing here is worth guarding for long, and start and login should not wait for it."""

    iterations = 100_000
