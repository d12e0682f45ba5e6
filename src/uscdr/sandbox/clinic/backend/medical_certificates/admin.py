from django.contrib import admin

from medical_certificates.models import CertificateTemplate, MedicalCertificate

admin.site.register([CertificateTemplate, MedicalCertificate])
