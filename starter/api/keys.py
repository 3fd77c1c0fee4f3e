"""API keys: who may knock, as what, for which merchants, how often.

Keys are 256 bits of chance, so a plain SHA-256 keeps them as well as any slow hash would, and costs
nothing at each request.
"""

import secrets
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from hmac import compare_digest
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from disputes.decode import sha256
from disputes.errors import ConfigurationError
from disputes.fields import Identifier

SETTING = "DISPUTES_API_KEYS_FILE"
_PREFIX = "dk_"


class Role(StrEnum):
    """What a key may do (contract, HTTP); ``admin`` may do everything."""

    INTAKE = "intake"
    BANK = "bank"
    ANALYST = "analyst"
    APPROVER = "approver"
    VIEWER = "viewer"
    ADMIN = "admin"


#: Who works on cases sees them.
_SEE = frozenset({Role.VIEWER, Role.ANALYST, Role.APPROVER})


class ApiKey(BaseModel):
    """One key of the file.

    Attributes:
        name: of its holder, unlike every other; it signs what the key does.
        roles: what it may do.
        merchants: the only ones that it sees and touches; none: all.
        sha256: hex digest of the key.
        per_minute: requests that it may make a minute, at each replica.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Identifier
    roles: Annotated[frozenset[Role], Field(min_length=1)]
    merchants: tuple[Identifier, ...] | None = None
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 600

    @property
    def is_admin(self) -> bool:
        """Whether it may do everything."""
        return Role.ADMIN in self.roles

    def may(self, role: Role) -> bool:
        """Whether it has a role, or one that includes it."""
        return self.is_admin or role in self.roles or (role is Role.VIEWER and self._sees_cases)

    def sees(self, merchant_id: str | None) -> bool:
        """Whether a merchant is one of its own."""
        return self.merchants is None or merchant_id in self.merchants

    @property
    def _sees_cases(self) -> bool:
        return bool(self.roles & _SEE)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keys: Annotated[tuple[ApiKey, ...], Field(min_length=1)]


class KeyRing:
    """The keys of a file."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys = tuple(keys)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a file of keys (TOML, one table ``[[keys]]`` for each).

        Raises:
            ConfigurationError: it cannot be read; names the key's place and field, never a value.
        """
        problem = ""
        try:
            found = _File.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
        except OSError as error:
            problem = error.strerror or type(error).__name__
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            problem = "is no TOML file"
        except ValidationError as error:
            problem = "; ".join(
                f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
                for item in error.errors(include_input=False, include_url=False)
            )
        else:
            for what in ("name", "sha256"):
                values = [str(getattr(key, what)).casefold() for key in found.keys]
                if len(set(values)) < len(values):
                    problem = f"two keys have the same {what}"
        if problem:
            raise ConfigurationError(f"the file of {SETTING} cannot be used: {problem}")
        return cls(found.keys)

    def find(self, secret: str) -> ApiKey | None:
        """The key that a request brings; ``None`` for one that is not in the file."""
        digest = sha256(secret)
        # Every key is compared, each in the same time: nothing is learned from how long it takes.
        matches = [key for key in self._keys if compare_digest(key.sha256, digest)]
        return matches[0] if matches else None


def new_secret() -> str:
    """A new key: 256 bits of chance."""
    return _PREFIX + secrets.token_urlsafe(32)


def entry_of(key: ApiKey) -> str:
    """The lines of a key for the file; TOML."""
    lines = ["[[keys]]", f'name = "{key.name}"']
    lines.append(f"roles = [{_listed(sorted(key.roles))}]")
    if key.merchants is not None:
        lines.append(f"merchants = [{_listed(key.merchants)}]")
    lines += [f'sha256 = "{key.sha256}"', f"per_minute = {key.per_minute}"]
    return "\n".join(lines) + "\n"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)
