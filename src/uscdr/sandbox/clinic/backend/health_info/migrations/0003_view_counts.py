from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('health_info', '0002_images'),
    ]

    operations = [
        migrations.AddField(
            model_name='healthcampaign',
            name='view_count',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='healthinformation',
            name='view_count',
            field=models.PositiveIntegerField(default=0),
        ),
    ]
