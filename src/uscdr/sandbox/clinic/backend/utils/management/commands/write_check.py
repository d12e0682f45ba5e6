"""Saves one row of each main model by the application's own code, and takes all of it back."""

import sys
from datetime import timedelta

from django.core.management.base import BaseCommand
from django.db import Error, transaction
from django.utils import timezone

from authentication.models import Token, User
from feedback.models import Feedback
from file_uploads.models import UploadedFile
from health_info.models import HealthCampaign
from medical_certificates.models import CertificateTemplate, MedicalCertificate
from notifications.models import Notification
from patients.models import Consultation, DentalRecord, MedicalRecord, Patient
from reports.models import GeneratedReport, ReportTemplate
from utils import encryption

MARK = "write-check"


class Command(BaseCommand):
    help = "Save one row of each main model and roll back; exit 1 when one cannot be saved. No mail, no stored file."
    requires_system_checks = []

    def handle(self, **options):
        failed = 0
        with transaction.atomic():
            rows = Rows()
            for name, save in rows.steps():
                problem = attempt(save)
                failed += bool(problem)
                self.stdout.write(f"{name}: {problem or 'saved and rolled back'}")
            transaction.set_rollback(True)
        if failed:
            sys.exit(1)


def attempt(save):
    """Save inside a savepoint; return what stood in the way, without a row's values, or nothing."""
    try:
        with transaction.atomic():
            save()
    except Error as error:
        # The first line names table, column or constraint; a row's values stand below it.
        return f"cannot be saved ({type(error).__name__}): {str(error).strip().splitlines()[0]}"
    except LookupError as error:
        return f"cannot be tried: {error.args[0]}"
    return ""


class Rows:
    """One row of each model, in the order in which they need each other."""

    def __init__(self):
        self.user = self.patient = None
        self.now = timezone.now()

    def steps(self):
        """Return the name and the saving of each model."""
        return (
            ("authentication.User", self.save_user),
            ("authentication.Token", self.save_token),
            ("patients.Patient", self.save_patient),
            ("patients.MedicalRecord", self.save_medical_record),
            ("patients.DentalRecord", self.save_dental_record),
            ("patients.Consultation", self.save_consultation),
            ("medical_certificates.MedicalCertificate", self.save_certificate),
            ("feedback.Feedback", self.save_feedback),
            ("health_info.HealthCampaign", self.save_campaign),
            ("notifications.Notification", self.save_notification),
            ("file_uploads.UploadedFile", self.save_upload),
            ("reports.GeneratedReport", self.save_report),
        )

    def save_user(self):
        self.user = User.objects.create(email=f"{MARK}@clinic.invalid", username=MARK, password="!")  # noqa: S106 - opens nothing

    def save_token(self):
        Token.objects.create(user=needed(self.user))

    def save_patient(self):
        self.patient = Patient.objects.create(user=needed(self.user), first_name="Write", last_name="Check")
        encryption.fill("patients_patient", Patient.ENCRYPTED, first_id=self.patient.pk)

    def save_medical_record(self):
        record = MedicalRecord.objects.create(patient=needed(self.patient), visit_date=self.now.date(), diagnosis=MARK)
        encryption.fill("patients_medicalrecord", MedicalRecord.ENCRYPTED, first_id=record.pk)

    def save_dental_record(self):
        DentalRecord.objects.create(patient=needed(self.patient), visit_date=self.now.date(), procedure="EXAMINATION")

    def save_consultation(self):
        Consultation.objects.create(patient=needed(self.patient), date_time=self.now, chief_complaints=MARK)

    def save_certificate(self):
        MedicalCertificate.objects.create(
            patient=needed(self.patient),
            template=first(CertificateTemplate),
            diagnosis=MARK,
            valid_from=self.now.date(),
            valid_until=(self.now + timedelta(days=1)).date(),
        )

    def save_feedback(self):
        Feedback.objects.create(patient=needed(self.patient), rating=5)

    def save_campaign(self):
        today = self.now.date()
        HealthCampaign.objects.create(title=MARK, campaign_type="TRAINING", start_date=today, end_date=today)

    def save_notification(self):
        Notification.objects.create(recipient=needed(self.user), title=MARK, message=MARK)

    def save_upload(self):
        UploadedFile.objects.create(file=f"uploads/{MARK}.png", original_filename=f"{MARK}.png")

    def save_report(self):
        GeneratedReport.objects.create(template=first(ReportTemplate), title=MARK, export_format="CSV")


def needed(row):
    """Return a row that was saved before."""
    if row is None:
        raise LookupError("the row that it belongs to was not saved")
    return row


def first(model):
    """Return the first row of a table that the application fills itself."""
    row = model.objects.order_by("pk").first()
    if row is None:
        raise LookupError(f"{model._meta.db_table} is empty")
    return row
