"""Captures and increases with an id of their caller's."""

import pytest

from disputes.asked import AskedFor, asked_for, key_of, without
from disputes.errors import Conflict
from disputes.requests import AuthorizationCommand, Capture, Increase, Reverse
from disputes.vocabulary import ReversalReason
from tests.core.authorizations import eur

_FIRST = Capture(requested_by="ana", amount=eur(3000), request_id="C-1")


def _known(command: AuthorizationCommand = _FIRST) -> tuple[AskedFor, ...]:
    kept = asked_for(command, "key-1")
    assert kept is not None
    return (kept,)


def test_the_same_command_became_the_same_operation() -> None:
    assert key_of(_known(), _FIRST.model_copy()) == "key-1"


@pytest.mark.parametrize(
    ("other", "fields"),
    [
        (Capture(requested_by="ana", request_id="C-1"), ["amount"]),
        (
            Capture(requested_by="ben", amount=eur(3001), request_id="C-1"),
            ["amount", "requested_by"],
        ),
        (Increase(requested_by="ana", amount=eur(3000), request_id="C-1"), ["command"]),
    ],
)
def test_other_content_is_a_conflict_that_names_it(
    other: AuthorizationCommand, fields: list[str]
) -> None:
    with pytest.raises(Conflict) as conflict:
        key_of(_known(), other)
    assert list(conflict.value.fields) == fields


@pytest.mark.parametrize(
    "other",
    [
        Capture(requested_by="ana", amount=eur(3000)),
        Capture(requested_by="ana", amount=eur(3000), request_id="c-1"),
        Reverse(requested_by="ana", reason=ReversalReason.CUSTOMER_CHANGE_OF_MIND),
    ],
)
def test_another_id_or_none_is_another_command(other: AuthorizationCommand) -> None:
    assert key_of(_known(), other) is None
    assert without(_known(), "C-2") == _known()
    assert without(_known(), "C-1") == ()
