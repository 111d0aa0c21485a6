"""Why the exchange refuses: typed errors with stable codes.

Every refusal has a code (the reason), a kind (who can do something about it) and the
HTTP status a route answers with. Nothing here depends on Flask.
"""

from typing import Any, Literal

Kind = Literal["transient", "authentication", "data", "programming", "service"]

CODES: dict[str, tuple[Kind, int, str]] = {
    "market_closed": ("transient", 409, "The market is closed"),
    "market_halted": ("service", 503, "The market is halted"),
    "artist_halted": ("transient", 409, "Trading in this artist is halted"),
    "price_changed": ("transient", 409, "The price has moved against the quote"),
    "busy": ("transient", 503, "The exchange is busy"),
    "too_many_writes": ("transient", 429, "Too many writes in a day"),
    "unknown_artist": ("data", 404, "No such artist on the exchange"),
    "artist_not_listed": ("data", 409, "This artist is not listed"),
    "unknown_player": ("data", 404, "No such player"),
    "unknown_order": ("data", 404, "No such order"),
    "unknown_league": ("data", 404, "No such league"),
    "order_not_queued": ("data", 409, "The order is no longer queued"),
    "quote_expired": ("data", 409, "The quote has expired"),
    "quote_used": ("data", 409, "The quote has been used"),
    "quote_invalid": ("programming", 400, "The quote was not made here"),
    "quote_mismatch": ("programming", 422, "The quote is for something else"),
    "insufficient_funds": ("data", 422, "Not enough cash"),
    "insufficient_shares": ("data", 422, "Not enough shares"),
    "limit_reached": ("data", 422, "A limit would be passed"),
    "reset_too_soon": ("data", 409, "The last reset is too recent"),
    "rejoin_too_soon": ("data", 409, "The account has left too recently"),
    "account_too_new": ("data", 403, "The last.fm account is too new to join"),
    "name_taken": ("data", 409, "The name is taken"),
    "name_too_soon": ("data", 409, "The last change of name is too recent"),
    "invalid_request": ("programming", 422, "The request makes no sense"),
    "idempotency_key_required": ("programming", 400, "Idempotency-Key is missing"),
    "idempotency_key_reused": (
        "programming",
        422,
        "The key was used with another request",
    ),
    "not_signed_in": ("authentication", 401, "Sign in to trade"),
    "violated": ("service", 503, "The books do not add up; a person must look"),
    "wrong_order": ("programming", 409, "A day before this one is not settled"),
    "superseded": ("service", 409, "A later run has taken over"),
}


class Refusal(Exception):
    """The exchange refuses a request. `code` is stable, `detail` is for people."""

    def __init__(self, code: str, detail: str, **facts: Any) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.facts = facts
        self.kind, self.status, self.title = CODES[code]

    def problem(self) -> dict[str, Any]:
        """The body of an RFC 9457 problem document."""
        return {
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "kind": self.kind,
            "detail": self.detail,
            **self.facts,
        }
