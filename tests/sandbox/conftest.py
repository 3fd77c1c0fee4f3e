from collections.abc import Iterator

import pytest

from tests.sandbox.machine import Machine, start, stop


@pytest.fixture(scope="session")
def _shared_machine() -> Iterator[Machine]:
    machine = start("--query-limit-per-minute", "0")
    yield machine
    stop(machine)


@pytest.fixture
def machine(_shared_machine: Machine) -> Iterator[Machine]:
    """A sandbox without faults, with its settings as they come but for no limit on queries."""
    yield _shared_machine
    _shared_machine.http.delete("/_sandbox/faults")
    _shared_machine.set(
        query_limit_per_minute=0,
        post_limit_per_minute=200,
        throttle_http_status=429,
        chargeback_answers_reason=False,
        refuse_duplicates=False,
        entities={"sandbox": "sandbox"},
    )
