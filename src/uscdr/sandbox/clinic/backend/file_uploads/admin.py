from django.contrib import admin

from file_uploads.models import PatientDocument, UploadedFile

admin.site.register([PatientDocument, UploadedFile])
