from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('patients', '0003_dental_record'),
    ]

    operations = [
        migrations.AddField(
            model_name='dentalrecord',
            name='documents',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='dentalrecord',
            name='photos',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='dentalrecord',
            name='xray_images',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='medicalrecord',
            name='laboratory_results',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name='medicalrecord',
            name='vital_signs',
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
