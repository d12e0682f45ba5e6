"""The queue between web and worker: rows of a table hold the work, and the broker holds their keys.

The rows are the truth. A key without a row, as after a restore of the database, is dropped; a row without a key, as
after the loss of the broker, is done all the same.
"""

import os

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from notifications.models import Notification, NotificationLog
from utils import broker, mail
from utils.models import Job, WorkerHeartbeat

BATCH = 20


def enqueue(kind, **payload):
    """Leave a job for the worker. Raises BrokerUnavailable, and leaves none in a transaction that ends with it."""
    job = Job.objects.create(kind=kind, payload=payload)
    broker.push(job.pk)
    return job


def work(name):
    """Do at most one batch of jobs, take as many keys off the queue, and return how many were done."""
    broker.check()
    done = do_batch(name)
    broker.take(BATCH)
    return done


@transaction.atomic
def do_batch(name):
    """Do the oldest jobs and note a sign of life; idle, write nothing unless IDLE_HEARTBEAT is set."""
    jobs = list(Job.objects.order_by("id").select_for_update(skip_locked=True)[:BATCH])
    for job in jobs:
        do(job)
        job.delete()
    if jobs or os.environ.get("IDLE_HEARTBEAT"):
        beat(name, done=len(jobs))
    return len(jobs)


def do(job):
    """Deliver what is due, and leave a line in the notification log."""
    if job.kind == "generate_report":
        make_report(job.payload)
    notification = due() if job.kind == "send_reminders" else None
    sent = bool(notification) and deliver(notification)
    NotificationLog.objects.create(notification=notification, action=job.kind, details={"job": job.pk, "mail": sent})


def make_report(payload):
    """Make a report that somebody asked for without waiting."""
    from reports import generation  # report code is large, and this process seldom needs it

    generation.generate(payload["report"], patient=payload.get("patient"))


def due():
    """Return the oldest notification that waits."""
    waiting = Notification.objects.filter(status="PENDING").select_related("recipient")
    return waiting.order_by("created_at", "id").first()


def deliver(notification):
    """Mail one notification if mail is on; either way it no longer waits."""
    sent = mail.enabled() and mail.send(notification.recipient.email, notification.title, notification.message)
    notification.status = "SENT" if sent else "FAILED"
    notification.sent_at = timezone.now() if sent else None
    notification.save(update_fields=["status", "sent_at"])
    return sent


def beat(name, *, done=0):
    """Write a sign of life."""
    WorkerHeartbeat.objects.get_or_create(name=name, defaults={"beat_at": timezone.now()})
    WorkerHeartbeat.objects.filter(name=name).update(beat_at=timezone.now(), jobs_done=F("jobs_done") + done)
