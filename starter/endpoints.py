"""Where commands find the stack: a setting, else what runs in this folder, else the defaults."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from disputes.errors import ConfigurationError
from starter.stack import Endpoints

#: Where the one-command stack keeps its files.
STACK_FOLDER = Path(".disputes")
#: Written in place of a password, so that no file has it.
_HIDDEN = ":***@"


def with_running_stack(env: Mapping[str, str], folder: Path = STACK_FOLDER) -> dict[str, str]:
    """``env``, and what it leaves open as the stack running in ``folder`` has it.

    Raises:
        ConfigurationError: the stack's file cannot be read, or hides the database's password.
    """
    found = _endpoints(folder / "endpoints.json")
    if found is None:
        return dict(env)
    running = {} if "TEMPORAL_ADDRESS" in env else {"TEMPORAL_ADDRESS": found.temporal}
    if "TEMPORAL_ADDRESS" not in env:
        running["TEMPORAL_NAMESPACE"] = env.get("TEMPORAL_NAMESPACE", found.namespace)
    if "DISPUTES_DATABASE_URL" not in env:
        if _HIDDEN in found.database:
            raise ConfigurationError(
                "the running stack's database has a password: name it with DISPUTES_DATABASE_URL"
            )
        running["DISPUTES_DATABASE_URL"] = found.database
    return {**env, **running}


def _endpoints(file: Path) -> Endpoints | None:
    try:
        return Endpoints.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError):
        pass
    raise ConfigurationError(f"{file} cannot be read: stop the stack and remove it")
