"""What the engine needs of a Temporal namespace, and how ``disputes setup`` gives it."""

from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from disputes.errors import ConfigurationError
from workflows import search_attributes

#: How long Temporal remembers a closed case; the register keeps it for good (contract, setup).
RETENTION = timedelta(days=30)

_NOT_OURS = frozenset(
    {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.INVALID_ARGUMENT}
)


async def missing_search_attributes(client: Client) -> list[str]:
    """Names that the namespace lacks, in the contract's order.

    Raises:
        ConfigurationError: one exists with another type, which no set-up can mend.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    listed = await client.operator_service.list_search_attributes(request)
    wrong = [
        key.name
        for key in search_attributes.ALL
        if listed.custom_attributes.get(key.name, key.indexed_value_type) != key.indexed_value_type
    ]
    if wrong:
        raise ConfigurationError(
            f"search attributes of namespace {client.namespace} have another type than the"
            f" engine's: {', '.join(wrong)}; use a namespace of its own"
        )
    return [key.name for key in search_attributes.ALL if key.name not in listed.custom_attributes]


async def require_search_attributes(client: Client) -> None:
    """Refuse to go on without them: setting an unknown one would fail a case's task for ever.

    Raises:
        ConfigurationError: naming those that are missing and the command that adds them.
    """
    missing = await missing_search_attributes(client)
    if missing:
        raise ConfigurationError(
            f"namespace {client.namespace} lacks the search attributes {', '.join(missing)}:"
            " run `disputes setup`"
        )


async def prepare_namespace(client: Client) -> None:
    """Register what is missing and set the retention where that is allowed; safe to repeat.

    Raises:
        ConfigurationError: a search attribute exists with another type.
        RPCError: the server refuses to register search attributes.
    """
    missing = await missing_search_attributes(client)
    if missing:
        types = {
            key.name: IndexedValueType.ValueType(key.indexed_value_type)
            for key in search_attributes.ALL
            if key.name in missing
        }
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=types)
        )
    await _set_retention(client)


async def _set_retention(client: Client) -> None:
    request = UpdateNamespaceRequest(namespace=client.namespace)
    request.config.workflow_execution_retention_ttl.FromTimedelta(RETENTION)
    try:
        await client.workflow_service.update_namespace(request)
    except RPCError as error:
        if error.status not in _NOT_OURS:
            raise
