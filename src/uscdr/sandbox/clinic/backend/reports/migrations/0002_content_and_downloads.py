from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reports', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='generatedreport',
            name='content',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='generatedreport',
            name='download_count',
            field=models.PositiveIntegerField(default=0),
        ),
    ]
