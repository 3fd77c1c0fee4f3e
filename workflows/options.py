"""How activities are called: the named options of every step, in one place."""

from datetime import timedelta
from typing import Final

from temporalio.common import RetryPolicy

#: A database step as a local activity: tried once, then as a regular one.
LOCAL_TRY: Final = RetryPolicy(maximum_attempts=1)
LOCAL_TIMEOUT: Final = timedelta(seconds=10)
#: The same step as a regular activity, until the database is back.
STORE_TIMEOUT: Final = timedelta(seconds=60)
STORE_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=30)
)
#: A gateway step: a dead worker's call is taken up within 5 s, whatever it waits for.
GATEWAY_HEARTBEAT: Final = timedelta(seconds=4)
GATEWAY_TIMEOUT: Final = timedelta(days=1)
GATEWAY_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=500),
    backoff_coefficient=1.5,
    maximum_interval=timedelta(seconds=30),
)
#: How long a case waits, in case time, before it tries again what could not be sent; doubled
#: each time, up to the longest.
HOLD: Final = timedelta(minutes=10)
HOLD_MAX: Final = timedelta(hours=6)


def hold(times: int) -> timedelta:
    """How long a case waits when it was held so many ``times`` in a row, from 1."""
    # Nobody may come for weeks, and a wait that doubled all along would leave the calendar.
    doublings = min(times, HOLD_MAX // HOLD)
    return min(HOLD * (1 << doublings), HOLD_MAX)
