from django.contrib import admin

from reports.models import GeneratedReport, ReportSchedule, ReportTemplate

admin.site.register([GeneratedReport, ReportSchedule, ReportTemplate])
