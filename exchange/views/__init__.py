"""What the exchange shows: one answer or page is one function on one snapshot.

A view takes a connection with an open read transaction and returns frozen rows; routes
and pages call the same views. Amounts are in units, rates in parts per million, days
are UTC days, times UTC without a zone. A view raises `Refusal` for what is not there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from sqlalchemy import Connection

from exchange.clock import iso
from exchange.market import read_state

Given = ParamSpec("Given")
Data = TypeVar("Data")


@dataclass(frozen=True)
class Answer(Generic[Data]):
    """What a view found, with the prices' version and day, both of one snapshot."""

    version: str | None
    as_of: date | None
    data: Data


def stamped(
    view: Callable[Concatenate[Connection, Given], Data],
) -> Callable[Concatenate[Connection, Given], Answer[Data]]:
    """The view with the version and day its prices are of."""

    @wraps(view)
    def answer(
        connection: Connection, /, *given: Given.args, **named: Given.kwargs
    ) -> Answer[Data]:
        data = view(connection, *given, **named)
        state = read_state(connection)
        return Answer(state.version, state.last_settled_date, data)

    return answer


def plain(value: Any) -> Any:
    """Rows as JSON has them: objects, lists, days and times as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in fields(value)
        }
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    return value
