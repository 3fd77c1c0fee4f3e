"""The named options of the steps, where they compute something."""

from datetime import timedelta

from workflows import options


def test_a_case_that_is_held_for_years_waits_its_longest_and_no_longer() -> None:
    waits = [options.hold(times) for times in (1, 2, 3, 40, 2_000)]
    assert waits[:3] == sorted(waits[:3])
    assert waits[:2] == [timedelta(minutes=20), timedelta(minutes=40)]
    assert waits[3:] == [options.HOLD_MAX] * 2
