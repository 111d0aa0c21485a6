"""Faults a test can ask for: what goes wrong, for which calls, how often.

Kinds of the wire (`error`, `html`, `truncated`, `cut`, `drip`, `reset`, `latency`)
spoil an answer; kinds of the data change what the world shows. Chance is seeded.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any

# Code -> (status, message); the first status is the usual one.
ERRORS: dict[int, tuple[tuple[int, ...], str]] = {
    2: ((400,), "Invalid service - This service does not exist"),
    3: ((400,), "Invalid Method - No method with that name in this package"),
    4: ((403,), "Unauthorized Token - This token has not been issued"),
    5: ((400,), "Invalid format - This service doesn't exist in that format"),
    6: ((200, 400, 404), "The artist you supplied could not be found"),
    7: ((400,), "Invalid resource specified"),
    8: ((500, 503), "Operation failed - Most likely the backend service failed."),
    9: ((403,), "Invalid session key - Please re-authenticate"),
    10: ((403,), "Invalid API key - You must be granted a valid key by last.fm"),
    11: ((503,), "Service Offline - This service is temporarily offline."),
    13: ((403,), "Invalid method signature supplied"),
    14: ((403,), "Unauthorized Token - This token has not been authorized"),
    15: ((403,), "This token has expired"),
    16: ((503,), "There was a temporary error processing your request."),
    17: ((403, 400), "Login: User required to be logged in"),
    26: ((403,), "API Key Suspended"),
    27: ((410, 400), "Deprecated - This type of request is no longer supported"),
    29: ((429,), "Rate Limit Exceeded - Your IP has made too many requests"),
}
WIRE_KINDS = ("error", "html", "truncated", "cut", "drip", "reset", "latency")
ANSWER_KINDS = ("wrong_user", "now_playing", "stall", "step_back", "control_character")
WORLD_KINDS = (
    "arrive",
    "arrive_late",
    "delete",
    "edit_album",
    "uts_zero",
    "same_second",
)
KINDS = (*WIRE_KINDS, *ANSWER_KINDS, *WORLD_KINDS)
OUTAGE_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Last.fm is temporarily unavailable</title>"
    b"</head><body><h1>Hang tight!</h1><p>We are working on it.</p></body></html>\n"
)


@dataclass(slots=True)
class Fault:
    """One rule. The first `after` matching calls pass, then `count` are hit.

    kind: one of KINDS. method: a pattern such as `user.*`. params: patterns the
    request's parameters must match. count: None for ever. probability: of a matching
    call being hit. code, status: for `error` (status 200 puts an error body into a
    good answer) and `html`. seconds: how long `drip`, `latency` take. days: how old a
    `stall` answers. fraction: how much `step_back` takes off. rows: how many plays a
    change of the world concerns. retry_after: the header `Retry-After` of an `error`,
    in seconds.
    """

    kind: str
    method: str = "*"
    params: dict[str, str] = field(default_factory=dict)
    count: int | None = None
    after: int = 0
    probability: float = 1.0
    code: int = 8
    status: int | None = None
    seconds: float = 1.0
    days: int = 1
    fraction: float = 0.001
    rows: int = 1
    retry_after: int | None = None
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(
                f'no fault of kind "{self.kind}"; there are {", ".join(KINDS)}'
            )
        if self.kind == "error" and self.code not in ERRORS:
            known = ", ".join(str(code) for code in ERRORS)
            raise ValueError(f"no error code {self.code}; there are {known}")
        if self.count is None and self.kind in WORLD_KINDS:
            self.count = 1

    def matches(self, method: str, params: dict[str, str]) -> bool:
        if not fnmatchcase(method.lower(), self.method.lower()):
            return False
        return all(
            key in params and fnmatchcase(params[key].lower(), str(wanted).lower())
            for key, wanted in self.params.items()
        )

    def http_status(self) -> int:
        if self.status is not None:
            return self.status
        if self.kind == "error":
            return ERRORS[self.code][0][0]
        return 503 if self.kind == "html" else 200

    def message(self) -> str:
        return ERRORS[self.code][1]

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Faults:
    """The rules in force; may be changed while the server answers."""

    def __init__(self, rules: list[Fault] | None = None, seed: int = 1) -> None:
        self._lock = threading.Lock()
        self.set(rules or [], seed)

    def set(self, rules: list[Fault], seed: int = 1) -> None:
        with self._lock:
            self.rules = list(rules)
            self._random = Random(seed)

    def clear(self) -> None:
        self.set([])

    def __bool__(self) -> bool:
        return bool(self.rules)

    def pick(self, method: str, params: dict[str, str]) -> list[Fault]:
        """The rules that hit this call, each counted. At most one spoils the wire."""
        if not self.rules:
            return []
        hit = []
        with self._lock:
            has_wire = False
            for rule in self.rules:
                if rule.count == 0 or not rule.matches(method, params):
                    continue
                if has_wire and rule.kind in WIRE_KINDS and rule.kind != "latency":
                    continue
                if rule.after > 0:
                    rule.after -= 1
                    continue
                if rule.probability < 1.0 and self._random.random() >= rule.probability:
                    continue
                if rule.count is not None:
                    rule.count -= 1
                rule.hits += 1
                has_wire = has_wire or (
                    rule.kind in WIRE_KINDS and rule.kind != "latency"
                )
                hit.append(rule)
        return hit


def _flaky() -> list[Fault]:
    """About one call in eight fails in a way that a retry mends."""
    return [
        Fault("error", code=8, probability=0.03),
        Fault("error", code=16, status=200, probability=0.02),
        Fault("error", code=11, probability=0.01),
        Fault("html", probability=0.02),
        Fault("html", status=200, probability=0.01),
        Fault("truncated", probability=0.02),
        Fault("cut", probability=0.01),
        Fault("reset", probability=0.01),
        Fault("wrong_user", method="user.getRecentTracks", probability=0.02),
    ]


def _outage() -> list[Fault]:
    return [Fault("html", status=502)]


def _rate_limit() -> list[Fault]:
    return [Fault("error", code=29, after=20, count=3)]


def _trouble() -> list[Fault]:
    """The history moves under the feet of whoever reads it."""
    pages = "user.getRecentTracks"
    return [
        Fault("now_playing", method=pages),
        Fault("arrive_late", method=pages, after=1, count=2),
        Fault("delete", method=pages, after=2, count=2),
        Fault("wrong_user", method=pages, after=3, count=1),
        Fault("error", code=8, method=pages, after=2, count=2),
    ]


PRESETS = {
    "none": list[Fault],
    "flaky": _flaky,
    "outage": _outage,
    "rate-limit": _rate_limit,
    "trouble": _trouble,
}


def parse(rules: object) -> list[Fault]:
    """Rules from JSON: a list of mappings with the fields of `Fault`."""
    if isinstance(rules, dict):
        rules = [rules]
    if not isinstance(rules, list):
        raise ValueError("faults are a list of rules")
    parsed = []
    for rule in rules:
        if isinstance(rule, Fault):
            parsed.append(rule)
            continue
        if isinstance(rule, str) and rule in PRESETS:
            parsed.extend(PRESETS[rule]())
            continue
        if not isinstance(rule, dict):
            raise ValueError(f"not a fault: {rule!r}")
        try:
            parsed.append(Fault(**rule))
        except TypeError as error:
            raise ValueError(f"not a fault: {rule!r} ({error})") from None
    return parsed


def load(name_or_file: str) -> list[Fault]:
    """A preset by name, or the rules of a JSON file."""
    if name_or_file in PRESETS:
        return PRESETS[name_or_file]()
    path = Path(name_or_file)
    if not path.is_file():
        raise ValueError(
            f'no faults "{name_or_file}": neither a file nor one of '
            f"{', '.join(PRESETS)}"
        )
    return parse(json.loads(path.read_text()))
