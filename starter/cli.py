"""The ``disputes`` command: parses, calls the desk, prints; no rule of the business is here."""

import os
import sys
from typing import NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError

from disputes.errors import ConfigurationError, Refusal, Unreachable
from starter import (
    cli_api,
    cli_bank,
    cli_case,
    cli_intake,
    cli_ledger,
    cli_look,
    cli_money,
    cli_orders,
    cli_preauth,
    cli_stack,
)
from starter.render import plain

REFUSED = 1
USAGE = 2
UNREACHABLE = 4
_INTERRUPTED = 130

app = typer.Typer(
    name="disputes",
    help="Disputes and chargebacks, from the bank's notice to their end.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for part in (
    cli_stack,
    cli_intake,
    cli_look,
    cli_case,
    cli_money,
    cli_preauth,
    cli_orders,
    cli_bank,
    cli_ledger,
    cli_api,
):
    part.register(app)


def main() -> NoReturn:
    """Run a command; its exit code says what became of it (contract, Command line).

    0 done, 1 refused or not found, 2 wrong usage or setting, 3 some lines rejected, 4 a service
    cannot be reached; the reason is on stderr.
    """
    try:
        app()
    except SystemExit as done:
        _end(done.code if isinstance(done.code, int) else 0)
    except Refusal as refusal:
        _end(REFUSED, refusal.message)
    except ConfigurationError as error:
        _end(USAGE, str(error))
    except Unreachable as error:
        _end(UNREACHABLE, str(error))
    except OSError as error:
        named = f" {error.filename}" if error.filename else ""
        _end(USAGE, f"the file or folder{named} cannot be used: {error.strerror}")
    except SQLAlchemyError as error:
        # Its text may hold the statement's values.
        _end(UNREACHABLE, f"the database failed ({type(error).__name__}): is it running?")
    except KeyboardInterrupt:
        _end(_INTERRUPTED, "interrupted")
    _end(0)


def _end(code: int, reason: str | None = None) -> NoReturn:
    if reason:
        sys.stderr.write(f"disputes: {plain(reason)}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    # The SDK's threads abort about one interpreter in ten that finalizes: the code would be theirs.
    os._exit(code)


if __name__ == "__main__":
    main()
