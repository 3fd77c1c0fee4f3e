"""The one place that makes Temporal clients, so that data converter and limits cannot differ."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfig, ClientConnectConfig

from disputes.errors import ConfigurationError, Unreachable

#: A server that does not answer is told as such instead of being waited for.
CONNECT_TIMEOUT_S = 5.0


class OneInputConverter(PydanticPayloadConverter):
    """Gives surplus payloads of a start as one that no reader takes.

    The SDK passes each on to ``run``, which would stick the case for ever; what it knows the
    number of, it decodes with type hints.
    """

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """Decode payloads; several without type hints become one ``RawValue``."""
        if type_hints is None and len(payloads) > 1:
            data = b"".join(payload.data for payload in payloads)
            return [RawValue(Payload(metadata={"encoding": b"several"}, data=data))]
        return super().from_payloads(payloads, type_hints)


#: For every client, worker and replayer.
DATA_CONVERTER = DataConverter(payload_converter_class=OneInputConverter)


def temporal_config(env: Mapping[str, str]) -> ClientConnectConfig:
    """Temporal's own settings (``TEMPORAL_ADDRESS``, ``TEMPORAL_NAMESPACE``, TLS, API key ...).

    Args:
        env: variable names and values, such as ``os.environ``.

    Raises:
        ConfigurationError: a profile or a certificate file that they name cannot be read.
    """
    try:
        return ClientConfig.load_client_connect_config(override_env_vars=dict(env))
    except OSError as error:
        raise ConfigurationError(
            f"a TEMPORAL_... setting names a file that cannot be read: {error.strerror}"
        ) from error
    except Exception as error:  # the SDK raises its bridge's own types, which it does not publish
        raise ConfigurationError(f"the TEMPORAL_... settings cannot be used: {error}") from error


async def connect(env: Mapping[str, str]) -> Client:
    """A client for the Temporal server that ``env`` names (default: this machine's port 7233).

    Args:
        env: variable names and values, such as ``os.environ``.

    Raises:
        ConfigurationError: the settings cannot be used.
        Unreachable: no server answers there within five seconds.
    """
    config = {"target_host": "localhost:7233", "namespace": "default"} | temporal_config(env)
    address = config["target_host"]
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await Client.connect(**config, data_converter=DATA_CONVERTER)
    except (TimeoutError, RuntimeError) as error:
        if any(status in str(error) for status in ("Unauthenticated", "PermissionDenied")):
            raise ConfigurationError(
                f"the Temporal server at {address} refuses us: check TEMPORAL_API_KEY,"
                " TEMPORAL_NAMESPACE and the TEMPORAL_TLS_... settings"
            ) from error
        raise Unreachable(
            f"no Temporal server answers at {address}: start one (`disputes up`), or name it"
            " with TEMPORAL_ADDRESS"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"TEMPORAL_ADDRESS is no address: {error}") from error
