"""Fills the clinic with invented people and records."""

from contextlib import nullcontext
from datetime import datetime, timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.utils import timezone

from authentication.models import User
from feedback.models import Feedback
from file_uploads.models import PatientDocument
from medical_certificates.models import CertificateTemplate, MedicalCertificate
from notifications.models import Notification, NotificationTemplate
from patients.models import Consultation, DentalRecord, MedicalRecord, Patient
from utils.synthetic import accounts, extras, load, people, records
from utils.synthetic.plan import Plan, next_key

LARGE = (User, Patient, MedicalRecord, DentalRecord, Consultation, MedicalCertificate, Feedback, Notification)
MANY = 5000  # from here on the locks of the faster way are worth taking


class Command(BaseCommand):
    help = "Add invented patients with records; the same seed on the same database gives the same rows."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--patients", type=int, default=200)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--days", type=float, default=730, help="spread created_at over the days up to now")
        parser.add_argument("--walk-ins", type=int, default=0, help="how many of the patients have no account")
        parser.add_argument("--now", type=datetime.fromisoformat, help="ISO time with zone; default: the clock")

    def handle(self, *, patients, seed, days, walk_ins, now, **options):
        if connection.vendor != "postgresql":
            raise CommandError("generate_clinic needs PostgreSQL: set DATABASE_URL")
        if patients < 1 or not 0 <= walk_ins <= patients:
            raise CommandError("--patients must be 1 or more, and --walk-ins no more than that")
        with transaction.atomic():
            plan = Plan(
                patients=patients,
                seed=seed,
                now=now or timezone.now(),
                span=timedelta(days=days),
                staff=accounts.staff(),
                first_user=next_key(User),
                first_patient=next_key(Patient),
                first_record=next_key(MedicalRecord),
                walk_ins=walk_ins,
            )
            with load.foreign_keys_checked_once(LARGE) if patients >= MANY else nullcontext():
                self.load(plan)
            load.set_sequences((User, Patient, MedicalRecord))
            extras.fill(plan)
            accounts.retire_published()
            checkable = accounts.check_account()
        load.analyze()
        self.stdout.write(f"{patients} patients" + (", check account ready" if checkable else ""))

    def load(self, plan):
        """Copy the large tables."""
        certificate = CertificateTemplate.objects.order_by("id").values_list("id", flat=True)[0]
        message, _new = NotificationTemplate.objects.get_or_create(
            name="feedback", defaults={"template_type": "REMINDER", "subject": "Your visit", "body": "How was it?"}
        )
        load.copy_encrypted(User, people.USER_COLUMNS, people.accounts(plan), secret=User.ENCRYPTED)
        load.copy_encrypted(Patient, people.PATIENT_COLUMNS, people.patients(plan), secret=Patient.ENCRYPTED)
        load.copy_encrypted(
            MedicalRecord, records.MEDICAL_COLUMNS, records.medical(plan), secret=MedicalRecord.ENCRYPTED
        )
        load.copy(DentalRecord, records.DENTAL_COLUMNS, records.dental(plan, xray=default_storage.url))
        load.copy(Consultation, records.CONSULTATION_COLUMNS, records.consultations(plan))
        load.copy(MedicalCertificate, records.CERTIFICATE_COLUMNS, records.certificates(plan, template=certificate))
        load.copy(Feedback, records.FEEDBACK_COLUMNS, records.feedback(plan))
        load.copy(PatientDocument, records.DOCUMENT_COLUMNS, records.documents(plan))
        load.copy(
            Notification,
            records.NOTIFICATION_COLUMNS,
            records.notifications(plan, template=message.pk, site=settings.SITE_URL),
        )
