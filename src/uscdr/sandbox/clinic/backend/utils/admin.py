from django.contrib import admin

from utils.models import BackupSchedule, BackupStatus, SystemHealthMetric

admin.site.register([BackupSchedule, BackupStatus, SystemHealthMetric])
