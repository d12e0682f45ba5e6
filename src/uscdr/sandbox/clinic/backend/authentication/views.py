"""Login, logout, profile, and a look at the tables."""

import logging
import secrets
from datetime import timedelta

from django.contrib.auth.hashers import check_password, make_password
from django.db import Error, connection, transaction
from django.utils import timezone

from authentication import lockout
from authentication.models import Token, User, VerificationCode
from patients.models import Patient
from utils import jobs, mail
from utils.api import MANAGERS, Refused, api, missing

log = logging.getLogger(__name__)


def as_json(user):
    """Return what a client may know about an account."""
    return {
        "id": user.pk,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "role": user.role,
        "is_verified": user.is_verified,
        "completeSetup": user.profile_completed,
    }


@api(methods=("POST",), public=True)
def login(request):
    """Exchange e-mail and password for the account's token."""
    email, password = (str(request.data.get(name) or "").strip() for name in ("email", "password"))
    address, email = lockout.address(request), email.lower()
    if not email or not password:
        lockout.failed("login", address)
        raise Refused(400, {"detail": "Please provide both email and password", "fields": ["email", "password"]})
    if lockout.locked("login", address, email):
        raise Refused(429, {"detail": "Too many login attempts. Try again later.", "locked_out": True})
    user = User.objects.filter(email__iexact=email, is_active=True).first()
    if user is None or not check_password(password, user.password):
        lockout.failed("login", address, email)
        raise Refused(401, {"detail": "Invalid email or password."})
    lockout.succeeded("login", address, email)
    if not user.is_verified:
        mail_code(user)
    User.objects.filter(pk=user.pk).update(last_login=timezone.now())
    token, _new = Token.objects.get_or_create(user=user)
    return {"token": token.key, "user": as_json(user), "is_verified": user.is_verified}


def mail_code(user):
    """Make a verification code and try to mail it; the login goes on either way."""
    code = VerificationCode.objects.create(
        user=user, code=f"{secrets.randbelow(10**6):06}", expires_at=timezone.now() + timedelta(minutes=15)
    )
    mail.send(user.email, "Your verification code", f"Your code is {code.code}.")


@api(methods=("POST",))
def logout(request):
    """Delete the account's only token: this logs the person out everywhere."""
    Token.objects.filter(user=request.user).delete()
    return {"detail": "Successfully logged out."}


@api()
def me(request):
    """Return the account of the token."""
    return as_json(request.user)


@api(methods=("POST",))
def complete_profile_setup(request):
    """Make the patient of an account; says "completed" even when that failed, as in the original."""
    user = request.user
    try:
        with transaction.atomic():
            Patient.objects.get_or_create(
                user=user, defaults={"first_name": user.first_name, "last_name": user.last_name, "email": user.email}
            )
            jobs.enqueue("welcome", user=user.pk)
    except (Error, ConnectionError) as error:
        log.error("patient was not created: %s", error)  # noqa: TRY400 - one line in the log stream
    User.objects.filter(pk=user.pk).update(profile_completed=True)
    return {"detail": "Profile setup completed.", "completeSetup": True}


@api(methods=("POST",), public=True)
def register(request):
    """Make an unverified account, or say under `errors` what is wrong with the form; that is limited like logins."""
    address = lockout.address(request)
    if lockout.locked("register", address):
        raise Refused(429, {"detail": "Too many registration attempts. Try again later."})
    errors = missing(request.data, "email", "password")
    email = str(request.data.get("email") or "").lower()
    if email and User.objects.filter(email__iexact=email).exists():
        errors["email"] = ["user with this email already exists."]
    if errors:
        lockout.failed("register", address)
        raise Refused(400, {"detail": "Validation failed", "errors": errors})
    lockout.succeeded("register", address)
    user = User.objects.create(email=email, username=email, password=make_password(str(request.data["password"])))
    mail_code(user)
    return {"user": as_json(user), "detail": "Check your mail for the code."}


@api(roles=MANAGERS)
def database_health(request):
    """List the tables with the planner's estimate of their rows (-1 or 0 right after a restore)."""
    if connection.vendor != "postgresql":
        return {"status": "healthy", "vendor": connection.vendor, "tables": connection.introspection.table_names()}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reltuples::bigint FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
        )
        tables = [{"name": name, "estimated_rows": rows} for name, rows in cursor.fetchall()]
    return {"status": "healthy", "vendor": "postgresql", "tables": tables}
