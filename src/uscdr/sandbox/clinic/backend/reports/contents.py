"""The figures of each kind of report, as a header and rows."""

from django.core.exceptions import FieldError
from django.db.models import Avg, Count
from django.db.models.functions import TruncMonth

from authentication.models import User
from feedback.models import Feedback
from health_info.models import HealthCampaign
from medical_certificates.models import MedicalCertificate
from notifications.models import Notification
from patients.models import Consultation, DentalRecord, MedicalRecord, Patient
from utils import encryption

KINDS = {
    "PATIENT_SUMMARY": "Patient summary",
    "VISIT_TRENDS": "Visit trends",
    "TREATMENT_OUTCOMES": "Treatment outcomes",
    "FEEDBACK_ANALYSIS": "Feedback analysis",
    "CAMPAIGN_PERFORMANCE": "Campaign performance",
    "DENTAL_STATISTICS": "Dental statistics",
    "USER_ACTIVITY": "User activity",
    "CERTIFICATE_STATISTICS": "Certificate statistics",
    "COMPREHENSIVE_ANALYTICS": "Comprehensive analytics",
}


def build(kind, *, start, end, patient):
    """Return header and rows of one report between two times (either may be None)."""
    if kind == "PATIENT_SUMMARY":
        return one_patient(patient) if patient else by_month(Patient, start, end)
    if kind == "VISIT_TRENDS":
        return by_month(MedicalRecord, start, end)
    if kind == "COMPREHENSIVE_ANALYTICS":
        return totals()
    model, column = GROUPED[kind]
    counted = within(model, start, end).order_by().values_list(column).annotate(Count("id")).order_by(column)
    return [column, "count"], [[str(value), count] for value, count in counted]


GROUPED = {
    "TREATMENT_OUTCOMES": (MedicalRecord, "diagnosis"),
    "FEEDBACK_ANALYSIS": (Feedback, "rating"),
    "CAMPAIGN_PERFORMANCE": (HealthCampaign, "campaign_type"),
    "DENTAL_STATISTICS": (DentalRecord, "procedure"),
    "USER_ACTIVITY": (User, "role"),
    "CERTIFICATE_STATISTICS": (MedicalCertificate, "approval_status"),
}


def within(model, start, end):
    """Return the rows made between two times."""
    limits = {"created_at__gte": start, "created_at__lte": end}
    return model.objects.filter(**{name: value for name, value in limits.items() if value})


def by_month(model, start, end):
    """Count rows a month."""
    months = within(model, start, end).annotate(month=TruncMonth("created_at")).order_by()
    counted = months.values_list("month").annotate(Count("id")).order_by("month")
    return ["month", "count"], [[f"{month:%Y-%m}", count] for month, count in counted]


def totals():
    """Count everything."""
    models = (User, Patient, MedicalRecord, DentalRecord, Consultation, MedicalCertificate, Notification)
    rows = [[model._meta.db_table, model.objects.count()] for model in models]
    average = Feedback.objects.aggregate(average=Avg("rating"))["average"]
    return ["subject", "value"], [*rows, ["average rating", round(average or 0, 2)]]


def one_patient(pk):
    """Summarise one patient; a wrong key aborts the request's transaction.

    The field asked for last does not exist, and the report holds the message in its place: the original
    has this defect, and whoever looks at the status alone does not see it.
    """
    rows = (
        [[name, encryption.decrypt("patients_patient", name, pk)] for name in ("first_name", "last_name")]
        if (encryption.available())
        else []
    )
    try:
        rows.append(["appointments", Patient.objects.filter(pk=pk, appointments__isnull=False).count()])
    except FieldError as error:
        rows.append(["error", str(error)])
    return ["field", "value"], rows
