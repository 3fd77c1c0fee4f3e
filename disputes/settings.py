"""What the environment decides, checked once at the start so that nothing fails later for it.

Reading the environment is the caller's: ``Settings.from_env(os.environ)``.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_core import ErrorDetails

from disputes.errors import ConfigurationError

_PREFIX = "DISPUTES_"
_DATABASES = ("sqlite:///", "postgresql://")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MERCHANT = tuple(f"{_PREFIX}GATEWAY_{part}" for part in ("URL", "ENTITY_ID", "TOKEN"))
#: Of the one account; with a file, each account has its own there.
_ACCOUNT = tuple(
    f"{_PREFIX}GATEWAY_{part}" for part in ("TEST_MODE", "QUERY_VERSION", "QUERIES_PER_MINUTE")
)
_ENTITIES = f"{_PREFIX}ENTITIES_FILE"
_WEBHOOK_KEY = re.compile(r"[0-9A-Fa-f]{64}")


def _database_url(url: str) -> str:
    if not url.startswith(_DATABASES):
        raise ValueError(f"must begin with {' or '.join(_DATABASES)}")
    return url


def _gateway_url(url: str) -> str:
    """Bearer tokens travel with each request, so plain HTTP is for this machine only."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        raise ValueError("must be an https:// address")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must have no user, password, query or fragment")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise ValueError("must be https:// (http:// is for this machine only)")
    return url.rstrip("/")


def _webhook_keys(text: object) -> object:
    """``a,b`` -> two keys; what is wrong with one is told by its place."""
    if not isinstance(text, str):
        return text
    keys = [key.strip() for key in text.split(",")]
    for place, key in enumerate(keys, start=1):
        if not _WEBHOOK_KEY.fullmatch(key):
            raise ValueError(f"key {place} must be 64 hex digits")
    if len({key.lower() for key in keys}) < len(keys):
        raise ValueError("holds one key twice")
    return tuple(keys)


_Text = Annotated[str, Field(min_length=1)]
_Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Settings(BaseModel):
    """Every ``DISPUTES_...`` setting (contract, Settings); Temporal's own are the SDK's to read.

    Attributes:
        task_queue: Temporal task queue; default ``disputes``.
        database_url: ``sqlite:///file`` or ``postgresql://...``; may hold a password, so never
            shown. Default: the file that the one-command stack uses.
        entities_file: path of the TOML file of merchants and their gateway entities; else the
            next four name the one merchant there is.
        gateway_url: base address, without a trailing slash.
        gateway_entity_id: the gateway's ``entityId``.
        gateway_token: bearer token; never shown.
        gateway_test_mode: absent for live money.
        gateway_timeout_s: seconds for one HTTP request; default 30.
        gateway_query_interval_s: seconds between two questions about one transaction, over all
            workers; default 30, for the gateway allows two a minute.
        gateway_query_version: 3 asks the newer query API, where the account has it; default 1.
        gateway_queries_per_minute: questions a minute that the account may ask in all; without
            it only those about one transaction are limited.
        gateway_settle_window_s: seconds after which a request that left can no longer be booked;
            default 120. Half of it is a request's deadline to leave, so it must be at least
            twice the timeout.
        policy_file: path of the merchant's policy; without one, the built-in policy.
        webhook_keys: comma-separated keys (64 hex digits) that notifications may be sealed with,
            the old one beside the new during a rotation; none: no webhook is taken. Never shown.
        api_keys_file: path of the TOML file of the HTTP API's keys; without one, no API.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=lambda name: _PREFIX + name.upper(),
        hide_input_in_errors=True,
    )

    task_queue: _Text = "disputes"
    database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        default="sqlite:///.disputes/disputes.sqlite3", repr=False
    )
    entities_file: _Text | None = None
    gateway_url: Annotated[str, AfterValidator(_gateway_url)] | None = None
    gateway_entity_id: _Text | None = None
    gateway_token: Annotated[SecretStr, Field(min_length=1)] | None = None
    gateway_test_mode: Literal["EXTERNAL", "INTERNAL"] | None = None
    gateway_timeout_s: _Seconds = 30.0
    gateway_query_interval_s: _Seconds = 30.0
    gateway_query_version: Literal["1", "3"] = "1"
    gateway_queries_per_minute: Annotated[int, Field(ge=1, le=6000)] | None = None
    gateway_settle_window_s: _Seconds = 120.0
    policy_file: _Text | None = None
    webhook_keys: Annotated[tuple[SecretStr, ...], BeforeValidator(_webhook_keys)] = ()
    api_keys_file: _Text | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, needs_gateway: bool = False) -> Self:
        """Read and check the settings in ``env``; other programs' variables are left alone.

        Args:
            env: variable names and values, such as ``os.environ``.
            needs_gateway: whether a start without any gateway is impossible (a worker's is).

        Raises:
            ConfigurationError: listing every bad, missing or unknown setting at once, with the
                reason and never the value.
        """
        given = {name: value for name, value in env.items() if name.startswith(_PREFIX)}
        problems = _unknown(given, cls) | _gateway_gaps(given, needs_gateway=needs_gateway)
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            problems |= {str(bad["loc"][0]): _reason(bad) for bad in error.errors()}
        else:
            problems |= _window_too_short(settings)
        if problems:
            listed = "\n".join(f"  {name}: {reason}" for name, reason in sorted(problems.items()))
            raise ConfigurationError(f"settings that stop the start:\n{listed}")
        return settings


def _unknown(given: Mapping[str, str], model: type[BaseModel]) -> dict[str, str]:
    """A misspelt name would silently leave its default in force, so every unknown one is told."""
    known = [str(field.alias) for field in model.model_fields.values()]
    problems = {}
    for name in given.keys() - set(known):
        close = get_close_matches(name, known, n=1)
        hint = f"; meant is perhaps {close[0]}" if close else ""
        problems[name] = f"no such setting{hint}"
    return problems


def _gateway_gaps(given: Mapping[str, str], *, needs_gateway: bool) -> dict[str, str]:
    named = [name for name in _MERCHANT if name in given]
    if _ENTITIES in given:
        named += [name for name in _ACCOUNT if name in given]
        return dict.fromkeys(named, f"not together with {_ENTITIES}")
    if named:
        return {
            name: f"missing (given is {', '.join(named)})"
            for name in _MERCHANT[:]
            if name not in given
        }
    if needs_gateway:
        return {_ENTITIES: f"missing: name the gateway by it, or by {', '.join(_MERCHANT)}"}
    return {}


def _window_too_short(settings: Settings) -> dict[str, str]:
    if settings.gateway_settle_window_s >= 2 * settings.gateway_timeout_s:
        return {}
    return {
        f"{_PREFIX}GATEWAY_SETTLE_WINDOW_S": "must be at least twice "
        f"{_PREFIX}GATEWAY_TIMEOUT_S, or a request in flight would be taken for lost"
    }


def _reason(bad: ErrorDetails) -> str:
    """Pydantic's reason without what was given: its own messages never quote the input's text."""
    return bad["msg"].removeprefix("Value error, ")
