"""Which gateway account a merchant's money runs through: a TOML file, or one account for all."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Self

import httpx
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from disputes.errors import ConfigurationError, NotFound
from disputes.gateway.calls import Entity, QueryVersion, TestMode

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
#: The platform's live hosts, where testMode makes payments fail (protocol, section 1).
_LIVE_HOSTS: Final = frozenset({"eu-prod.oppwa.com", "oppwa.com"})
_MERCHANT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _address(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise ValueError("must be an address like https://eu-test.oppwa.com") from None
    if not url.host or url.userinfo or url.query or url.fragment:
        raise ValueError("must have a host, and no user, password, query or fragment")
    if url.scheme != "https" and not (url.scheme == "http" and url.host in _LOOPBACK):
        raise ValueError("must be https (http only for this machine)")
    return text.rstrip("/")


def _header_safe(token: SecretStr) -> SecretStr:
    """A token travels in a header: no spaces, no line breaks."""
    if not re.fullmatch(r"[!-~]+", token.get_secret_value()):
        raise ValueError("must be printable characters without spaces")
    return token


class _Account(BaseModel):
    """One merchant's table in the file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    entity_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    url: Annotated[str, AfterValidator(_address)]
    token: Annotated[SecretStr, AfterValidator(_header_safe)] | None = None
    token_env: str | None = None
    acquirer: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "default"
    test_mode: TestMode | None = None
    query_version: QueryVersion = 1
    queries_per_minute: Annotated[int, Field(ge=1, le=6000)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.token is None) == (self.token_env is None):
            raise ValueError("needs either token or token_env")
        if self.test_mode and httpx.URL(self.url).host in _LIVE_HOSTS:
            raise ValueError("test_mode is not allowed on a live host")
        return self

    def entity(self, environ: Mapping[str, str]) -> Entity:
        """The entity; ``ValueError`` when ``token_env`` names a variable without a token."""
        token = self.token
        if token is None:
            token = _header_safe(SecretStr(environ.get(self.token_env or "", "")))
        return Entity(
            self.entity_id,
            token,
            self.url,
            self.test_mode,
            self.acquirer,
            self.query_version,
            self.queries_per_minute,
        )


@dataclass(frozen=True)
class Entities:
    """Every configured entity, by merchant; ``fallback`` serves all others."""

    by_merchant: Mapping[str, Entity]
    fallback: Entity | None = None

    def of(self, merchant_id: str) -> Entity:
        """The merchant's entity; ``NotFound`` when none is configured."""
        entity = self.by_merchant.get(merchant_id, self.fallback)
        if entity is None:
            raise NotFound("no gateway entity is configured for this merchant")
        return entity

    def acquirer_of(self, merchant_id: str) -> str:
        """Name of the merchant's acquirer; "default" where no entity is configured."""
        entity = self.by_merchant.get(merchant_id, self.fallback)
        return entity.acquirer if entity else "default"

    @property
    def all(self) -> tuple[Entity, ...]:
        """Each entity once: whoever must prove an absence asks all of them."""
        listed = [*self.by_merchant.values(), *([self.fallback] if self.fallback else [])]
        return tuple({(entity.base_url, entity.id): entity for entity in listed}.values())


def load_entities(path: Path, environ: Mapping[str, str]) -> Entities:
    """Entities of a file with one ``[merchants."M-1"]`` table each.

    Keys: ``entity_id``, ``url``, ``token`` or ``token_env`` (the name of a variable in
    ``environ``), ``acquirer`` ("default"), ``test_mode`` (INTERNAL or EXTERNAL), ``query_version``
    (1 or 3; 1), ``queries_per_minute`` (of the account in all; no limit). Raises
    ``ConfigurationError`` that names every wrong key, and never repeats a value.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"DISPUTES_ENTITIES_FILE: {error.strerror}") from None
    except ValueError:
        # The parser's own message may quote a line, and a line may hold a token.
        raise ConfigurationError("DISPUTES_ENTITIES_FILE: is not valid TOML in UTF-8") from None
    merchants = content.get("merchants")
    if not isinstance(merchants, dict) or not merchants or len(content) > 1:
        raise ConfigurationError('DISPUTES_ENTITIES_FILE: needs [merchants."..."] tables only')
    entities: dict[str, Entity] = {}
    problems: list[str] = []
    for merchant_id, table in merchants.items():
        if not _MERCHANT_ID.fullmatch(merchant_id):
            problems.append("merchants: a table's name is not a merchant id")
            continue
        try:
            entities[merchant_id] = _Account.model_validate(table).entity(environ)
        except ValidationError as error:
            problems += _named(f"merchants.{merchant_id}", error)
        except ValueError as error:
            problems.append(f"merchants.{merchant_id}.token_env: the variable {error}")
    if problems:
        raise ConfigurationError("DISPUTES_ENTITIES_FILE: " + "; ".join(problems))
    return Entities(entities)


def one_entity(
    url: str,
    entity_id: str,
    token: str,
    test_mode: str | None = None,
    query_version: int = 1,
    queries_per_minute: int | None = None,
) -> Entities:
    """One entity for every merchant, from the ``DISPUTES_GATEWAY_...`` settings.

    Raises ``ConfigurationError`` that names every wrong setting, never its value.
    """
    given = {
        "url": url,
        "entity_id": entity_id,
        "token": token,
        "test_mode": test_mode,
        "query_version": query_version,
        "queries_per_minute": queries_per_minute,
    }
    try:
        account = _Account.model_validate(given)
    except ValidationError as error:
        raise ConfigurationError("; ".join(_named("DISPUTES_GATEWAY", error))) from None
    return Entities({}, account.entity({}))


def _named(prefix: str, error: ValidationError) -> list[str]:
    join = "_" if prefix.isupper() else "."
    return [
        f"{_place(prefix, join, problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _place(prefix: str, join: str, loc: tuple[int | str, ...]) -> str:
    names = [str(part) for part in loc]
    return join.join([prefix, *(name.upper() if join == "_" else name for name in names)])
