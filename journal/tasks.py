"""Range verifications as tasks. Acknowledged early: one whose worker dies is requeued by the
reaper, and the claim in the row makes a second delivery harmless.
"""

from __future__ import annotations

import time
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.utils import timezone

LIMIT_SECONDS = 4 * 3600


@shared_task(
    acks_late=False,
    soft_time_limit=LIMIT_SECONDS,
    time_limit=LIMIT_SECONDS + 60,
)
def range_verification_task(*, verification_id: str, **_: object) -> None:
    """Carry out a verification that waits."""
    from journal.verifications import VerifierMeans, range_verification_execute

    means = VerifierMeans(var_dir=settings.VAR_DIR, clock=time.monotonic, now=timezone.now)
    range_verification_execute(verification_id=UUID(verification_id), means=means)


@shared_task
def range_verifications_reap_task(**_: object) -> None:
    """Requeue what lost its worker; beat calls it."""
    from journal.verifications import range_verifications_reap

    range_verifications_reap(now=timezone.now())
