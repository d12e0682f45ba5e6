from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('patients', '0006_pgcrypto'),
    ]

    operations = [
        migrations.AddField(
            model_name='medicalrecord',
            name='diagnosis_enc',
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name='patient',
            name='first_name_enc',
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name='patient',
            name='last_name_enc',
            field=models.BinaryField(null=True),
        ),
    ]
