from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('medical_certificates', '0002_default_template'),
    ]

    operations = [
        migrations.AddField(
            model_name='medicalcertificate',
            name='approval_status',
            field=models.CharField(default='draft', max_length=20),
        ),
        migrations.AddField(
            model_name='medicalcertificate',
            name='fitness_status',
            field=models.CharField(default='fit', max_length=20),
        ),
    ]
