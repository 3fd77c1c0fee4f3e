"""Puts the sandbox's two faces, protocol and switchboard, into one web application."""

import json

from pydantic import ValidationError
from starlette.applications import Starlette

from sandbox.bank_door import BankDoor
from sandbox.gateway import Gateway
from sandbox.protocol import Protocol
from sandbox.switchboard import Switchboard, bad_body


def application(gateway: Gateway) -> Starlette:
    """The web application over ``gateway``."""
    doors = Protocol(gateway), Switchboard(gateway), BankDoor(gateway)
    routes = [route for door in doors for route in door.routes()]
    handlers = {ValidationError: bad_body, json.JSONDecodeError: bad_body}
    return Starlette(routes=routes, exception_handlers=handlers)
