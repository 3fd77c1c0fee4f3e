"""The API's socket: who reads the address may come at once."""

import socket

import pytest

from disputes.errors import ConfigurationError
from starter.api.server import listen


def test_who_comes_before_the_first_answer_waits_and_is_not_turned_away() -> None:
    with (
        listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()) as early,
    ):
        early.sendall(b"here")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(4) == b"here"


def test_a_port_that_another_holds_is_named() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port}"):
            listen("127.0.0.1", port)
