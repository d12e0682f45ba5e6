"""Damage to a healthy clinic, one kind at a time, and how it is mended again."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dns.query
import dns.tsigkeyring
import dns.update

from live_sandbox import until
from verify_desk import VerifyDesk

HOST = "www.usc-pis.example"
PUBLISHED = ("admin123", "SuperAdmin2025!", "testpass123", "password123")
FALLBACK = "django-insecure-fallback-key-for-local-dev"


ADMIN, NURSE = "admin@usc-pis.example", "staff4@clinic.usc-pis.example"


@dataclass(frozen=True)
class Damage:
    """`named` are checks of which at least one must fail."""

    name: str
    inflict: Callable[[VerifyDesk], None]
    mend: Callable[[VerifyDesk], None]
    named: tuple[str, ...]


def restored(desk: VerifyDesk) -> None:
    """All rows as they were when the healthy backup was made."""
    desk.live.restore(desk.healthy)


def _sql(name: str, *queries: str, named: tuple[str, ...]) -> Damage:
    return Damage(name, lambda desk: desk.sql(*queries), restored, named)


def _config(name: str, variable: str, value: str | None, *named: str) -> Damage:
    """A variable with another value, or without one."""

    def inflict(desk: VerifyDesk) -> None:
        desk.kept[variable] = desk.value(variable)
        desk.config({variable: value})

    return Damage(name, inflict, lambda desk: desk.config({variable: desk.kept.get(variable)}), named)


def _service(how: str, *named: str) -> Damage:
    def broken(desk: VerifyDesk, *more: str) -> None:
        done = desk.call("sandbox", "break", "service", "--how", how, *more)
        assert done.returncode == 0, done.stderr

    return Damage(how, broken, lambda desk: broken(desk, "--undo"), named)


def _published_password(password: str, email: str) -> Callable[[VerifyDesk], None]:
    """An account that still has a password which the application's repository tells everybody."""
    salt, rounds = "abcdefgh", 1000
    key = base64.b64encode(hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), rounds)).decode()
    query = "UPDATE authentication_user SET password = %s, is_active = true WHERE email = %s"
    return lambda desk: desk.sql(query, params=(f"pbkdf2_sha256${rounds}${salt}${key}", email))


def _blank_page(desk: VerifyDesk) -> None:
    """The page is there, with 200; its script is gone from the running dyno's disk."""
    for script in _scripts(desk):
        script.rename(script.with_suffix(".gone"))


def _page_back(desk: VerifyDesk) -> None:
    for script in desk.live.state.root.rglob("assets/*.gone"):
        script.rename(script.with_suffix(".js"))


def _scripts(desk: VerifyDesk) -> list[Path]:
    """In the build, and where it was collected to."""
    found = [
        *desk.live.state.root.rglob("frontend/dist/assets/*.js"),
        *desk.live.state.root.rglob("staticfiles/assets/*.js"),
    ]
    assert found
    return found


def _fault(path: str, kind: str) -> Callable[[VerifyDesk], None]:
    return lambda desk: desk.live.fault(kind, provider="application", method="GET", path=path)


def _no_faults(desk: VerifyDesk) -> None:
    desk.live.control("DELETE", "faults")


def _points(desk: VerifyDesk, target: str) -> None:
    """The hostname's alias, by a signed dynamic update at the zone's primary."""
    facts = desk.live.contract["dns"]
    keyring = dns.tsigkeyring.from_text({facts["key_name"]: facts["key"]})
    update = dns.update.UpdateMessage(facts["zone"], keyring=keyring, keyalgorithm=facts["algorithm"])
    update.replace(f"{HOST}.", 5, "CNAME", f"{target}.")
    assert dns.query.tcp(update, facts["server"], port=facts["port"]).rcode() == 0


def _alias(desk: VerifyDesk) -> str:
    def look() -> str | None:
        found = desk.live.get(f"/apps/{desk.live.app}/domains")
        return next((one["cname"] for one in found if one["hostname"] == HOST), None)

    return str(until(look))


def _elsewhere(desk: VerifyDesk) -> None:
    _points(desk, "elsewhere.herokudns.com")


def _back_here(desk: VerifyDesk) -> None:
    _points(desk, _alias(desk))
    until(lambda: desk.verify("domain").code == 0)


def _no_domain(desk: VerifyDesk) -> None:
    desk.live.send("DELETE", f"/apps/{desk.live.app}/domains/{HOST}")


def _domain_again(desk: VerifyDesk) -> None:
    """A hostname that is bound anew has another target, and its certificate takes a moment."""
    desk.live.send("POST", f"/apps/{desk.live.app}/domains", {"hostname": HOST, "sni_endpoint": None}, status=201)
    _points(desk, _alias(desk))
    desk.live.send("PATCH", f"/apps/{desk.live.app}/acm")
    until(lambda: desk.verify("certificate", "domain").code == 0)


def _no_database(desk: VerifyDesk) -> None:
    """Without its variable the application boots silently on an empty SQLite file."""
    attachments = desk.live.get(f"/apps/{desk.live.app}/addon-attachments")
    found = next(one for one in attachments if one["name"] == "DATABASE")
    desk.kept["database"] = found["addon"]["name"]
    desk.live.send("DELETE", f"/addon-attachments/{found['id']}")
    desk.live.release_over()
    desk.live.settled()


def _database_again(desk: VerifyDesk) -> None:
    body = {"app": desk.live.app, "addon": desk.kept["database"], "name": "DATABASE"}
    desk.live.send("POST", "/addon-attachments", body, status=201)
    desk.live.release_over()
    desk.live.settled()


def _no_drain(desk: VerifyDesk) -> None:
    for one in desk.live.get(f"/apps/{desk.live.app}/log-drains"):
        desk.kept["drain"] = one["url"]
        desk.live.send("DELETE", f"/apps/{desk.live.app}/log-drains/{one['id']}")


def _drain_again(desk: VerifyDesk) -> None:
    desk.live.send("POST", f"/apps/{desk.live.app}/log-drains", {"url": desk.kept["drain"]}, status=201)


def _no_page(desk: VerifyDesk) -> None:
    _page(desk).rename(_page(desk).with_suffix(".gone"))


def _page_again(desk: VerifyDesk) -> None:
    _page(desk).with_suffix(".gone").rename(_page(desk))


def _page(desk: VerifyDesk) -> Path:
    return Path(desk.live.contract["web_space"]["directory"]) / "maintenance.html"


def _maintenance(enabled: object) -> Callable[[VerifyDesk], None]:
    return lambda desk: desk.live.send("PATCH", f"/apps/{desk.live.app}", {"maintenance": enabled}) and None


DAMAGES = (
    _sql("a third of the medical records deleted",
         "UPDATE feedback_feedback SET medical_record_id = NULL",
         "DELETE FROM patients_medicalrecord WHERE id % 3 = 0", named=("clinical-rows",)),
    _sql("newest consultations deleted",
         "DELETE FROM patients_consultation WHERE created_at = (SELECT max(created_at) FROM patients_consultation)",
         named=("clinical-dates",)),
    _sql("a table is gone", "DROP TABLE feedback_feedback CASCADE", named=("clinical-rows", "feedback")),
    _sql("all campaigns gone", "TRUNCATE health_info_healthcampaign CASCADE",
         named=("campaigns-with-images", "clinical-rows")),
    _sql("sequences behind", "SELECT setval('patients_patient_id_seq', 1)", named=("sequences",)),
    _sql("an unexpected sequence behind", "SELECT setval('feedback_feedback_id_seq', 1)", named=("sequences",)),
    _sql("a foreign key dropped",
         "DO $$ DECLARE c text; BEGIN SELECT conname INTO c FROM pg_constraint WHERE contype = 'f'"
         " AND conrelid = 'patients_medicalrecord'::regclass LIMIT 1;"
         " EXECUTE format('ALTER TABLE patients_medicalrecord DROP CONSTRAINT %I', c); END $$",
         named=("foreign-keys",)),
    _sql("records without their patient",
         "DO $$ DECLARE c text; d text; BEGIN SELECT conname, pg_get_constraintdef(oid) INTO c, d FROM pg_constraint"
         " WHERE contype = 'f' AND conrelid = 'patients_medicalrecord'::regclass"
         " AND confrelid = 'patients_patient'::regclass; EXECUTE format('ALTER TABLE patients_medicalrecord"
         " DROP CONSTRAINT %I', c); UPDATE patients_medicalrecord SET patient_id = 999999 WHERE id ="
         " (SELECT min(id) FROM patients_medicalrecord); EXECUTE format('ALTER TABLE patients_medicalrecord"
         " ADD CONSTRAINT %I %s NOT VALID', c, d); END $$", named=("foreign-keys", "invariants")),
    _sql("a migration is not applied",
         "DELETE FROM django_migrations WHERE app = 'patients' AND name LIKE '0005%'", named=("migrations",)),
    _sql("the certificate's template rewritten",
         "UPDATE medical_certificates_certificatetemplate SET content = md5(content)", named=("certificate-template",)),
    _sql("report templates gone", "TRUNCATE reports_reporttemplate CASCADE", named=("report-templates", "invariants")),
    _sql("no administrator left", "UPDATE authentication_user SET is_active = false WHERE is_superuser",
         named=("active-superuser", "invariants")),
    _sql("tokens lost", "DELETE FROM authtoken_token", named=("signed-in",)),
    _sql("mail switched off", "UPDATE notifications_globalemailsettings SET emails_enabled = false",
         named=("mail-switch",)),
    _sql("one encrypted column under another key",
         "UPDATE patients_patient SET first_name_enc = pgp_sym_encrypt(first_name, 'quite-another-key')"
         " WHERE id IN (SELECT id FROM patients_patient WHERE first_name_enc IS NOT NULL ORDER BY id DESC LIMIT 3)",
         named=("encrypted-columns",)),
    _sql("rows written without encryption",
         "UPDATE patients_medicalrecord SET diagnosis_enc = NULL WHERE id % 2 = 0", named=("encrypted-columns",)),
    *(Damage(f"the published password {number} of an administrator", _published_password(password, ADMIN), restored,
             ("published-passwords",)) for number, password in enumerate(PUBLISHED, 1)),
    Damage("a nurse has a published password", _published_password(PUBLISHED[2], NURSE), restored,
           ("published-passwords",)),
    _config("another key", "PGP_ENCRYPTION_KEY", "not-the-key-of-this-clinic", "encrypted-columns"),
    _config("the wrong cloud", "CLOUDINARY_CLOUD_NAME", "usc-pis-recovery", "media-files"),
    _config("files on the dyno's own disk", "USE_CLOUDINARY", "true", "config"),
    _config("wrong media credentials", "CLOUDINARY_API_SECRET", "not-the-secret-of-it", "media-files"),
    _config("mail credentials gone", "GMAIL_REFRESH_TOKEN", None, "mail-account", "config", "mail-switch"),
    _config("debug on", "DEBUG", "True", "config", "security-headers"),
    _config("the public fallback secret key", "SECRET_KEY", FALLBACK, "config"),
    _config("no secret key", "SECRET_KEY", None, "config"),
    _config("other host names", "ALLOWED_HOSTS", "elsewhere.example", "homepage", "database-answers"),
    _config("no encryption key", "PGP_ENCRYPTION_KEY", None, "config", "encrypted-columns"),
    Damage("SQLite instead of PostgreSQL", _no_database, _database_again, ("config", "signed-in")),
    _service("worker-stopped", "dynos", "worker-and-beat"),
    _service("beat-stopped", "dynos", "worker-and-beat"),
    _service("schedule-gone", "backup-schedule"),
    _service("mail-revoked", "mail-account"),
    _service("broker-gone", "message-queue"),
    _service("certificate-expired", "certificate"),
    Damage("two beats", lambda desk: desk.scale("beat", 2), lambda desk: desk.scale("beat", 1), ("dynos",)),
    Damage("nobody is told", _no_drain, _drain_again, ("log-goes-somewhere",)),
    _config("no maintenance page", "MAINTENANCE_PAGE_URL", None, "maintenance-page"),
    Damage("the maintenance page is gone", _no_page, _page_again, ("maintenance-page",)),
    Damage("the domain leads elsewhere", _elsewhere, _back_here, ("domain",)),
    Damage("the hostname is not bound", _no_domain, _domain_again, ("domain", "certificate")),
    Damage("maintenance mode", _maintenance(True), _maintenance(False), ("release", "homepage")),
    Damage("a blank page with 200", _blank_page, _page_back, ("homepage",)),
    Damage("500 on the certificate's PDF", _fault("/api/medical-certificates/certificates/*/render_pdf/", "500"),
           _no_faults, ("certificate-pdf",)),
    Damage("500 on the admin panel", _fault("/admin/login/", "500"), _no_faults, ("admin-login",)),
)  # fmt: skip
