"""Accounts, their verification and their API tokens."""

import secrets

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models


class AccountManager(UserManager):
    """Creates accounts by e-mail; the user name follows it."""

    def create_user(self, email, password=None, **fields):
        return super().create_user(fields.pop("username", email), email, password, **fields)

    def create_superuser(self, email, password=None, **fields):
        fields = {"role": User.Role.ADMIN, "is_verified": True, **fields}
        return super().create_superuser(fields.pop("username", email), email, password, **fields)


class User(AbstractUser):
    """A person with an account: student, teacher, clinic staff or administrator."""

    class Role(models.TextChoices):
        ADMIN = "ADMIN"
        STAFF = "STAFF"
        DOCTOR = "DOCTOR"
        DENTIST = "DENTIST"
        NURSE = "NURSE"
        FACULTY = "FACULTY"
        STUDENT = "STUDENT"

    email = models.EmailField(unique=True)
    role = models.CharField(max_length=20, choices=Role, default=Role.STUDENT)
    is_verified = models.BooleanField(default=False)
    profile_completed = models.BooleanField(default=False)
    middle_name = models.CharField(max_length=150, blank=True)
    id_number = models.CharField(max_length=30, blank=True, db_index=True)
    course = models.CharField(max_length=100, blank=True)
    year_level = models.CharField(max_length=20, blank=True)
    department = models.CharField(max_length=100, blank=True)
    phone_number = models.CharField(max_length=30, blank=True)
    address = models.TextField(blank=True)
    birthday = models.DateField(null=True, blank=True)
    sex = models.CharField(max_length=20, blank=True)
    illness = models.TextField(blank=True)
    existing_medical_condition = models.TextField(blank=True)
    medications = models.TextField(blank=True)
    allergies = models.TextField(blank=True)
    emergency_contact = models.CharField(max_length=150, blank=True)
    emergency_contact_number = models.CharField(max_length=30, blank=True)
    blood_type = models.CharField(max_length=5, blank=True)
    illness_enc = models.BinaryField(null=True)
    existing_medical_condition_enc = models.BinaryField(null=True)
    medications_enc = models.BinaryField(null=True)
    allergies_enc = models.BinaryField(null=True)
    emergency_contact_number_enc = models.BinaryField(null=True)
    blood_type_enc = models.BinaryField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    ENCRYPTED = (
        "illness",
        "existing_medical_condition",
        "medications",
        "allergies",
        "emergency_contact_number",
        "blood_type",
    )

    class Meta:
        ordering = ["id"]

    def __str__(self):
        return self.email


class VerificationCode(models.Model):
    """A code mailed to an account that is not verified yet."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="verification_codes")
    code = models.CharField(max_length=6)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self):
        return f"code {self.pk}"


class SafeEmail(models.Model):
    """An address outside the university that may register."""

    email = models.EmailField(unique=True)
    reason = models.CharField(max_length=200, blank=True)
    added_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.email


def new_key():
    """Forty hexadecimal digits, the form that API clients expect."""
    return secrets.token_hex(20)


class Token(models.Model):
    """The one API token of an account; logging out deletes it."""

    key = models.CharField(max_length=40, primary_key=True, default=new_key)
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="auth_token")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "authtoken_token"

    def __str__(self):
        return f"token of {self.user_id}"
