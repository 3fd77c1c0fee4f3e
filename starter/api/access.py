"""Who is at the door: the key of a request, its role, and whether it comes too often."""

import math
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from starter.api.keys import ApiKey, Role
from starter.api.office import office_of
from starter.api.problems import HttpRefusal, unauthenticated

_bearer = HTTPBearer(auto_error=False, description="An API key (`disputes api-key`).")
_Given = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def needs(role: Role) -> Callable[..., Awaitable[ApiKey]]:
    """A dependency that gives the request's key, if it has the role."""

    async def key_of(request: Request, given: _Given) -> ApiKey:
        office = office_of(request)
        key = office.keys.find(given.credentials) if given else None
        if key is None:
            raise unauthenticated()
        wait = office.rates.wait_s(key)
        if wait:
            again = {"Retry-After": str(math.ceil(wait))}
            raise HttpRefusal(429, "TooManyRequests", "the key's requests are used up", again)
        if not key.may(role):
            raise HttpRefusal(403, "Forbidden", f"the key needs the role {role.value}")
        return key

    return key_of


#: The key of a request that needs a role.
Viewer = Annotated[ApiKey, Security(needs(Role.VIEWER))]
Analyst = Annotated[ApiKey, Security(needs(Role.ANALYST))]
Approver = Annotated[ApiKey, Security(needs(Role.APPROVER))]
Bank = Annotated[ApiKey, Security(needs(Role.BANK))]
IntakeKey = Annotated[ApiKey, Security(needs(Role.INTAKE))]
Admin = Annotated[ApiKey, Security(needs(Role.ADMIN))]
