from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('health_info', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='campaigntemplate',
            name='banner_image',
            field=models.FileField(blank=True, upload_to='campaigns/templates/'),
        ),
        migrations.AddField(
            model_name='campaigntemplate',
            name='thumbnail_image',
            field=models.FileField(blank=True, upload_to='campaigns/templates/'),
        ),
        migrations.AddField(
            model_name='healthcampaign',
            name='banner_image',
            field=models.FileField(blank=True, upload_to='campaigns/banners/'),
        ),
        migrations.AddField(
            model_name='healthcampaign',
            name='pubmat_image',
            field=models.FileField(blank=True, upload_to='campaigns/pubmats/'),
        ),
        migrations.AddField(
            model_name='healthcampaign',
            name='thumbnail_image',
            field=models.FileField(blank=True, upload_to='campaigns/thumbnails/'),
        ),
    ]
