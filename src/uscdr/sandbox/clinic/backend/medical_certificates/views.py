"""Certificates as list, HTML and PDF."""

from django.http import HttpResponse
from django.template import Context, Template

from medical_certificates.models import MedicalCertificate
from utils import pdf
from utils.api import CLINIC, api, found


def own(user):
    """Return the certificates that an account may see."""
    rows = MedicalCertificate.objects.select_related("patient", "template")
    return rows if user.role in CLINIC else rows.filter(patient__user=user)


def facts(certificate):
    """Return what a template may name."""
    return {
        "patient_name": f"{certificate.patient.first_name} {certificate.patient.last_name}",
        "diagnosis": certificate.diagnosis,
        "recommendations": certificate.recommendations,
        "fitness_status": certificate.fitness_status,
        "valid_from": certificate.valid_from.isoformat(),
        "valid_until": certificate.valid_until.isoformat(),
    }


@api()
def certificates(request):
    """List certificates."""
    return [
        {
            "id": row.pk,
            "patient": row.patient_id,
            "template": row.template_id,
            "approval_status": row.approval_status,
            "created_at": row.created_at,
            **facts(row),
        }
        for row in own(request.user)
    ]


@api()
def render(request, pk):
    """Return the certificate as HTML inside JSON."""
    certificate = found(own(request.user), pk=pk)
    html = Template(certificate.template.content).render(Context(facts(certificate)))
    return {"id": certificate.pk, "html": html}


@api()
def render_pdf(request, pk):
    """Return the certificate as a PDF."""
    certificate = found(own(request.user), pk=pk)
    lines = [f"{name.replace('_', ' ').capitalize()}: {value}" for name, value in facts(certificate).items()]
    answer = HttpResponse(pdf.render("Medical certificate", lines), content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="certificate-{certificate.pk}.pdf"'
    return answer
