from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('feedback', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='feedback',
            name='courteous',
            field=models.CharField(blank=True, max_length=3),
        ),
        migrations.AddField(
            model_name='feedback',
            name='improvement',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='feedback',
            name='recommend',
            field=models.CharField(blank=True, max_length=3),
        ),
    ]
