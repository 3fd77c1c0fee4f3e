"""One request and its answer, noted in the request log without anything secret."""

import re
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox import answers, codes
from sandbox.faults import Fault
from sandbox.gateway import Gateway
from sandbox.transactions import Transaction

_REGISTRATION = re.compile(r"/registrations/[^/]+/")
_MEDIA_TYPE = "application/json;charset=UTF-8"


class Exchange:
    """Builds the answer to one request and fills its line of the log as it becomes known."""

    def __init__(self, gateway: Gateway, request: Request) -> None:
        self._settings = gateway.settings
        self.entity_id = ""
        self._fault: Fault | None = None
        self._line: dict[str, object] = {
            "method": request.method,
            # A shopper's token is nobody else's to read.
            "path": _REGISTRATION.sub("/registrations/.../", request.url.path),
            "payment_type": None,
            "merchant_transaction_id": None,
            "fault": None,
            "result_code": None,
            "http_status": None,
        }
        gateway.requests.append(self._line)

    def about(self, entity_id: str, payment_type: str | None, named: str | None) -> None:
        """Note whom and what the request is about."""
        self.entity_id = entity_id
        self._line |= {"payment_type": payment_type, "merchant_transaction_id": named}

    def struck_by(self, fault: Fault) -> None:
        """Note the fault, whose HTTP status wins over the usual one."""
        self._fault = fault
        self._line["fault"] = fault.kind.value

    def single(self, entry: Transaction, code: str | None = None) -> Response:
        """Answer with one transaction, under ``code`` instead of its own result if given."""
        return self._json(answers.single(entry, code), code or entry.result_code)

    def several(self, entries: Sequence[Transaction]) -> Response:
        """Answer with the list form of the API that was asked."""
        paged = str(self._line["path"]).startswith("/v3/")
        listed = answers.several(entries, self.entity_id, paged=paged)
        return self._json(listed, codes.QUERY_DONE)

    def bare(self, code: str, parameter_errors: Sequence[dict[str, str]] = ()) -> Response:
        """Answer about no transaction."""
        return self._json(answers.bare(code, self.entity_id, parameter_errors), code)

    def silent(self, status: int) -> Response:
        """Answer as a proxy would that has nothing to say: HTML, no result code."""
        self._line["http_status"] = status
        return Response("<html><body>error</body></html>", status, media_type="text/html")

    def _json(self, content: answers.Json, code: str) -> Response:
        status = codes.http_status(code, self._settings.throttle_http_status)
        if self._fault and self._fault.http_status:
            status = self._fault.http_status
        self._line |= {"result_code": code, "http_status": status}
        return JSONResponse(content, status, media_type=_MEDIA_TYPE)
