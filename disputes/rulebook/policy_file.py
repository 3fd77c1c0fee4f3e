"""The merchant's policy from its file, for every program that needs it."""

from pathlib import Path

from disputes.errors import ConfigurationError
from disputes.policy import Policy, parse_policy
from disputes.settings import Settings


def read_policy(settings: Settings) -> Policy:
    """The merchant's policy, or the built-in one.

    Raises:
        ConfigurationError: the file cannot be read, or what is wrong in it.
    """
    if settings.policy_file is None:
        return Policy(version="built-in")
    try:
        text = Path(settings.policy_file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"DISPUTES_POLICY_FILE cannot be read: {error}") from None
    return parse_policy(text)
