import authentication.models
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('authentication', '0004_pgcrypto_and_default_admins'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='allergies_enc',
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='blood_type_enc',
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='emergency_contact_number_enc',
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='existing_medical_condition_enc',
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='illness_enc',
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='medications_enc',
            field=models.BinaryField(null=True),
        ),
        migrations.CreateModel(
            name='Token',
            fields=[
                ('key', models.CharField(default=authentication.models.new_key, max_length=40, primary_key=True, serialize=False)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='auth_token', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'authtoken_token',
            },
        ),
    ]
