"""The environment of a bench: what the caller has set does not change what is measured."""

import os
from pathlib import Path

_POLICY = Path(__file__).parent.parent / "examples" / "policy.toml"
_OURS = ("DISPUTES_", "TEMPORAL_")


def bench_environment(*kept: str) -> dict[str, str]:
    """The caller's environment without any setting but ``kept``, and with the example policy."""
    names = {*kept, "TEMPORAL_CLI"}
    left = {
        name: value
        for name, value in os.environ.items()
        if name in names or not name.startswith(_OURS)
    }
    return {**left, "DISPUTES_POLICY_FILE": str(_POLICY)}
