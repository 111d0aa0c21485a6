"""From a request to a reply: routes, keys, faults, the cache and the request log.

Knows no sockets: the HTTP server and the in-process transport both ask `reply`.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import date
from html import escape
from random import Random
from typing import Any
from urllib.parse import unquote_plus, urlencode

from local_lastfm import api, auth, covers, faults, listenbrainz
from local_lastfm.api import ApiError, Call
from local_lastfm.catalogue import DAY_SECONDS
from local_lastfm.faults import Fault, Faults
from local_lastfm.render import Tree, json_bytes, xml_bytes
from local_lastfm.world import Recording, World

JSON = "application/json"
PNG = "image/png"
XML = "text/xml; charset=UTF-8"
HTML = "text/html; charset=UTF-8"
CACHE_BYTES = 48 * 1024 * 1024
CACHED_ANSWER_BYTES = 64 * 1024
LOGGED_REQUESTS = 20_000
# Parameters which say who asks, not what is asked.
WHO = ("api_key", "api_sig", "sk", "format", "method", "recording")


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send, and how badly. `cut_at`: bytes after which the line goes dead."""

    status: int
    content_type: str
    body: bytes
    location: str = ""
    retry_after: int | None = None
    cut_at: int | None = None
    drip_seconds: float = 0.0
    is_reset: bool = False
    delay_seconds: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the log; never holds a key, a session or a signature."""

    at: float
    method: str
    params: dict[str, str]
    as_of: str
    status: int
    error: int
    faults: tuple[str, ...]


@dataclass(slots=True)
class RequestLog:
    """What was asked so far: counters, and the last requests one by one."""

    total: int = 0
    methods: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[int] = field(default_factory=Counter)
    bytes_sent: int = 0
    recent: deque[Request] = field(
        default_factory=lambda: deque(maxlen=LOGGED_REQUESTS)
    )

    def __len__(self) -> int:
        return self.total

    def clear(self) -> None:
        self.total = self.bytes_sent = 0
        for counter in (self.methods, self.statuses, self.errors):
            counter.clear()
        self.recent.clear()

    def as_dict(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "bytes": self.bytes_sent,
            "methods": dict(self.methods),
            "statuses": {str(k): n for k, n in self.statuses.items()},
            "errors": {str(k): n for k, n in self.errors.items()},
        }


def parse_query(text: str) -> dict[str, str]:
    """Parameters of a query string or form body; of repeated names the last."""
    params = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if name:
            if "%" in value or "+" in value:
                value = unquote_plus(value)
            params[unquote_plus(name) if "%" in name else name] = value
    return params


class Service:
    """One world behind one address. Safe to use from many threads."""

    def __init__(
        self,
        world: World,
        rules: Faults | None = None,
        latency_ms: float = 0.0,
        secret: str = auth.SHARED_SECRET,
    ) -> None:
        self.world = world
        self.faults = rules or Faults()
        self.latency_seconds = latency_ms / 1000
        self.requests = RequestLog()
        self.accounts = auth.Accounts(world.clock, secret)
        self._lock = threading.RLock()
        self._cache: dict[tuple[object, ...], tuple[bytes, int, int]] = {}
        self._cached_bytes = 0
        self._random = Random(world.seed)
        self._recordings = world.recordings()
        self._by_name = {recording.name: recording for recording in self._recordings}

    # -- routes -------------------------------------------------------------
    def reply(self, verb: str, target: str, body: bytes = b"") -> Reply:
        """The reply to one HTTP request; `target` is path and query."""
        path, _, query = target.partition("?")
        as_of: date | None = None
        as_of_text = ""
        if path.startswith("/at/"):
            as_of_text, _, rest = path[4:].partition("/")
            try:
                as_of = date.fromisoformat(as_of_text)
            except ValueError:
                return self._plain(404, {"error": f"not a day: {as_of_text}"})
            path = "/" + rest
        if path.rstrip("/") == "/2.0":
            params = parse_query(query)
            if body:
                params |= parse_query(body.decode("utf-8", "replace"))
            return self._method(params, as_of, as_of_text)
        if account := listenbrainz.account_of(path):
            return self._listens(account, parse_query(query), as_of, as_of_text)
        return self._other(verb, path, query, body)

    def _other(self, verb: str, path: str, query: str, body: bytes) -> Reply:
        if path == "/world.json":
            return self._plain(200, self.world.describe())
        if path == "/faults":
            return self._control_faults(verb, body)
        if path == "/requests.json":
            if verb == "DELETE":
                self.requests.clear()
            return self._plain(200, self.requests.as_dict())
        if path == "/recordings.json":
            return self._plain(200, [_listing(r) for r in self._recordings])
        if path.rstrip("/") == "/api/auth":
            return self._authorise(parse_query(query))
        if (picture := covers.answered_picture(path)) is not None:
            return Reply(200, PNG, picture)
        if path == "/":
            return self._plain(200, {"api": "/2.0/", "world": "/world.json"})
        return self._plain(404, {"error": f"nothing at {path}"})

    @staticmethod
    def _plain(status: int, value: object) -> Reply:
        return Reply(status, JSON, json.dumps(value, ensure_ascii=False).encode())

    def _control_faults(self, verb: str, body: bytes) -> Reply:
        if verb == "DELETE":
            self.faults.clear()
        elif verb in ("POST", "PUT"):
            try:
                self.faults.set(faults.parse(json.loads(body or b"[]")))
            except ValueError as error:
                return self._plain(400, {"error": str(error)})
        return self._plain(200, [rule.as_dict() for rule in self.faults.rules])

    def _authorise(self, params: dict[str, str]) -> Reply:
        """The page where a user allows access; here everybody says yes at once.

        `user` (ours) chooses who is logged in, else the first listener is; with
        `choose` (ours) and no user the page asks who it shall be.
        """
        try:
            self.accounts.check_key(params)
        except ApiError as error:
            page = f"<h1>{escape(error.message)}</h1>"
            return Reply(error.status, HTML, page.encode())
        name = params.get("user") or next(iter(self.world.listeners), "somebody")
        if params.get("token"):
            if not self.accounts.authorise(params["token"], name):
                return Reply(403, HTML, b"<h1>This token has not been issued</h1>")
            done = f"<h1>Access granted</h1><p>{escape(name)} may close this page.</p>"
            return Reply(200, HTML, done.encode())
        back = params.get("cb", "")
        if not back.startswith(("http://", "https://")):
            return Reply(400, HTML, b"<h1>No callback address</h1>")
        if params.get("choose") and not params.get("user"):
            return Reply(200, HTML, self._choice(params).encode())
        token = self.accounts.issue_token(params["api_key"], name)
        joint = "&" if "?" in back else "?"
        location = f"{back}{joint}{urlencode({'token': token})}"
        return Reply(302, HTML, b"<h1>Access granted</h1>", location=location)

    def _choice(self, params: dict[str, str]) -> str:
        """The page that asks which listener of the world logs in: a link for each."""
        rows = "".join(
            f'<li><a href="?{escape(urlencode({**params, "user": name}))}">'
            f"{escape(name)}</a></li>"
            for name in self.world.listeners
        )
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            "<title>Local last.fm: who are you?</title>"
            "<style>body{font:1.1em/2.2 system-ui,sans-serif;margin:1em auto;"
            "max-width:40em;padding:0 1em;color-scheme:light dark}"
            "ul{columns:14em;padding-left:1.2em}h1{line-height:1.2}</style>"
            "<h1>Who are you?</h1><p>This is the local last.fm, with an invented world:"
            " nobody here has a password. Choose whom to log in as.</p>"
            f"<ul>{rows}</ul></html>"
        )

    # -- ListenBrainz -------------------------------------------------------
    def _listens(
        self, account: str, params: dict[str, str], as_of: date | None, as_of_text: str
    ) -> Reply:
        """A page of a listener's plays, in the words and faults of ListenBrainz."""
        asked = {"user": account, **params}
        hit = self.faults.pick(listenbrainz.METHOD, asked) if self.faults else []
        spoiled = next((f for f in hit if f.kind in ("error", "html")), None)
        if spoiled is not None and spoiled.kind == "html":
            reply = Reply(spoiled.http_status(), HTML, faults.OUTAGE_PAGE)
        elif spoiled is not None:
            status = spoiled.http_status()
            tree: Tree = {"code": status, "error": spoiled.message()}
            rest = spoiled.retry_after
            headers = listenbrainz.limits(0, rest or 1) if status == 429 else ()
            reply = Reply(status, JSON, json_bytes(tree), headers=headers)
        else:
            now = self.world.as_of(as_of)
            status, tree = listenbrainz.listens(self.world, account, params, now)
            headers = listenbrainz.limits(29, 10)
            reply = Reply(status, JSON, json_bytes(tree), headers=headers)
        reply = self._on_the_wire(reply, hit)
        self._note(listenbrainz.METHOD, asked, as_of_text, reply, 0, hit)
        return reply

    # -- methods ------------------------------------------------------------
    def _method(
        self, params: dict[str, str], as_of: date | None, as_of_text: str
    ) -> Reply:
        wanted = params.get("method", "")
        name = api.canonical(wanted) or auth.METHODS.get(wanted.lower()) or wanted
        hit = self.faults.pick(name, params) if self.faults else []
        shape = params.get("format")
        is_xml = shape is None or shape == "xml"
        error = 0
        try:
            spoiled = next((f for f in hit if f.kind in ("error", "html")), None)
            if spoiled is not None:
                reply, error = self._spoiled(spoiled, is_xml)
            else:
                status, body, error = self._answer(name, params, as_of, hit, is_xml)
                reply = Reply(status, XML if is_xml else JSON, body)
                recording = self._recorded
                if recording is not None:
                    reply = replace(reply, content_type=recording.content_type)
                    self._recorded = None
        except ApiError as no:
            error = no.code
            tree: Tree = {"message": no.message, "error": no.code, "links": []}
            body = xml_bytes(tree) if is_xml else json_bytes(tree)
            reply = Reply(no.status, XML if is_xml else JSON, body)
        reply = self._on_the_wire(reply, hit)
        self._note(name, params, as_of_text, reply, error, hit)
        return reply

    @property
    def _recorded(self) -> Recording | None:
        return getattr(_LOCAL, "recording", None)

    @_recorded.setter
    def _recorded(self, recording: Recording | None) -> None:
        _LOCAL.recording = recording

    def _note(
        self,
        name: str,
        params: dict[str, str],
        as_of: str,
        reply: Reply,
        error: int,
        hit: list[Fault],
    ) -> None:
        asked = {k: v for k, v in params.items() if k not in WHO}
        asked.pop("password", None)
        asked.pop("authToken", None)
        asked.pop("token", None)
        log = self.requests
        with self._lock:
            log.total += 1
            log.methods[name] += 1
            log.statuses[reply.status] += 1
            log.bytes_sent += len(reply.body)
            if error:
                log.errors[error] += 1
            kinds = tuple(fault.kind for fault in hit)
            log.recent.append(
                Request(
                    time.monotonic(), name, asked, as_of, reply.status, error, kinds
                )
            )

    @staticmethod
    def _spoiled(fault: Fault, is_xml: bool) -> tuple[Reply, int]:
        status = fault.http_status()
        if fault.kind == "html":
            return Reply(status, HTML, faults.OUTAGE_PAGE), 0
        tree: Tree = {"message": fault.message(), "error": fault.code, "links": []}
        if is_xml:
            return Reply(status, XML, xml_bytes(tree)), fault.code
        body = json_bytes(tree)
        return Reply(status, JSON, body, retry_after=fault.retry_after), fault.code

    def _on_the_wire(self, reply: Reply, hit: list[Fault]) -> Reply:
        delay = self.latency_seconds
        for fault in hit:
            if fault.kind == "latency":
                delay += fault.seconds
            elif fault.kind == "truncated":
                reply = replace(reply, body=_cut_text(reply.body))
            elif fault.kind == "cut":
                reply = replace(reply, cut_at=len(reply.body) // 2)
            elif fault.kind == "drip":
                reply = replace(reply, drip_seconds=fault.seconds)
            elif fault.kind == "reset":
                reply = replace(reply, is_reset=True)
        return replace(reply, delay_seconds=delay) if delay else reply

    def _answer(
        self,
        name: str,
        params: dict[str, str],
        as_of: date | None,
        hit: list[Fault],
        is_xml: bool,
    ) -> tuple[int, bytes, int]:
        """(status, body, error code inside a body that came with status 200)."""
        if not is_xml and params.get("format") != "json":
            raise ApiError(5, 400, faults.ERRORS[5][1])
        understood = api.decoded_again(name, params)
        if self._recordings:
            recording = self._find_recording(name, understood, is_xml)
            if recording is not None:
                self._recorded = recording
                return recording.status, recording.body, 0
        if name in auth.METHODS.values():
            self.accounts.check_key(params)
            tree = self.accounts.answer(name, params, self._known_name)
            return 200, xml_bytes(tree) if is_xml else json_bytes(tree), 0
        if api.canonical(name) is None:
            raise ApiError(3, 400, faults.ERRORS[3][1])
        self.accounts.check_key(params)
        now = self.world.as_of(as_of)
        session = self.accounts.session_listener(params)
        call = Call(self.world, name, understood, now, is_xml, session)
        if hit:
            return 200, self._with_faults(call, hit), 0
        return 200, self._cached(call, as_of), 0

    def _known_name(self, name: str) -> str | None:
        found = self.world.listener(name, self.world.now())
        return found.name if found else None

    def _cached(self, call: Call, as_of: date | None) -> bytes:
        """The rendered answer, kept where it cannot change any more."""
        now = call.now
        world = self.world
        moment: int | None = None
        if call.method in api.STATIC:
            moment = -1 - world.name_epoch(now)
        elif world.is_frozen or now // DAY_SECONDS < world.now() // DAY_SECONDS:
            moment = now
        if moment is None or call.session_listener:
            return self._rendered(call)
        asked = tuple(sorted((k, v) for k, v in call.params.items() if k not in WHO))
        key = (call.method, call.as_xml, moment, asked)
        found = self._cache.get(key)
        if found is not None:
            return found[0]
        body = self._rendered(call)
        if len(body) <= CACHED_ANSWER_BYTES:
            with self._lock:
                if self._cached_bytes > CACHE_BYTES:
                    self.forget()
                self._cache[key] = (body, 0, 0)
                self._cached_bytes += len(body) + 200
        return body

    def forget(self) -> None:
        """Empty the cache, as every change of the world must."""
        with self._lock:
            self._cache.clear()
            self._cached_bytes = 0

    @staticmethod
    def _rendered(call: Call) -> bytes:
        quick = api.QUICK.get(call.method)
        if quick and not call.as_xml and call.params.get("extended") != "1":
            return quick(call)
        tree = api.answer(call)
        return xml_bytes(tree) if call.as_xml else json_bytes(tree)

    # -- faults of the data -------------------------------------------------
    def _with_faults(self, call: Call, hit: list[Fault]) -> bytes:
        step_back = 0.0
        with self._lock:
            for fault in hit:
                if fault.kind in ("uts_zero", "same_second", "edit_album"):
                    self._change(call, fault)
                elif fault.kind == "wrong_user":
                    call.params = {**call.params, "user": self._other_listener(call)}
                elif fault.kind == "now_playing":
                    call.now_playing = True
                elif fault.kind == "stall":
                    call.now -= fault.days * DAY_SECONDS
                elif fault.kind == "step_back":
                    step_back = max(step_back, fault.fraction)
            if step_back:
                tree = _step_back(api.answer(call), step_back)
                body = xml_bytes(tree) if call.as_xml else json_bytes(tree)
            else:
                body = self._rendered(call)
            if any(fault.kind == "control_character" for fault in hit):
                body = _with_control_character(body, call.as_xml)
            # What moves between two pages moves after this one.
            for fault in hit:
                if fault.kind in ("arrive", "arrive_late", "delete"):
                    self._change(call, fault)
        return body

    def _other_listener(self, call: Call) -> str:
        asked = call.params.get("user", "").casefold()
        for name in self.world.listeners:
            other = self.world.listener(name, call.now)
            if name.casefold() != asked and other and not other.is_private:
                return name
        return call.params.get("user", "")

    def _change(self, call: Call, fault: Fault) -> None:
        name = call.params.get("user") or call.session_listener
        listener = self.world.listener(name, call.now)
        if listener is None:
            return
        for _ in range(fault.rows):
            self.world.disturb(listener, fault.kind, self._window(call), self._random)
        self.forget()

    @staticmethod
    def _window(call: Call) -> tuple[int, int]:
        start, end = call.uts("from") or 0, call.uts("to") or call.now
        return start, min(end, call.now)

    # -- recordings ---------------------------------------------------------
    def _find_recording(
        self, name: str, params: dict[str, str], is_xml: bool
    ) -> Recording | None:
        wanted = params.get("recording")
        if wanted is not None:
            found = self._by_name.get(wanted)
            if found is None:
                raise ApiError(7, 400, f"no recording {wanted}")
            return found
        asked = {k: v.casefold() for k, v in params.items() if k not in WHO}
        best: tuple[int, Recording] | None = None
        for recording in self._recordings:
            if recording.method.lower() != name.lower():
                continue
            if recording.content_type.startswith("text/xml") != is_xml:
                continue
            known = {k: v.casefold() for k, v in recording.params.items()}
            if any(asked.get(k, v) != v for k, v in known.items()):
                continue
            score = sum(asked.get(k) == v for k, v in known.items())
            if best is None or score > best[0]:
                best = (score, recording)
        return best[1] if best else None


_LOCAL = threading.local()


def _listing(recording: Recording) -> dict[str, object]:
    return {
        "recording": recording.name,
        "method": recording.method,
        "status": recording.status,
        "status_is_known": recording.http_status_known,
        "content_type": recording.content_type,
        "bytes": len(recording.body),
        "params": recording.params,
    }


def _with_control_character(body: bytes, is_xml: bool) -> bytes:
    """The first name begins with what XML forbids and PostgreSQL's text refuses."""
    if is_xml:
        return body.replace(b"<name>", b"<name>\x07", 1)
    return body.replace(b'"name":"', b'"name":"\\u0000', 1)


def _cut_text(body: bytes) -> bytes:
    """The first two thirds: never a whole document."""
    return body[: max(1, len(body) * 2 // 3)]


def _step_back(value: Any, fraction: float) -> Any:
    """The tree with every listeners and playcount a little lower."""
    if isinstance(value, list):
        return [_step_back(item, fraction) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {}
    for key, child in value.items():
        if key in ("listeners", "playcount") and not isinstance(child, dict | list):
            lower = int(int(child) * (1 - fraction))
            changed[key] = str(lower) if isinstance(child, str) else lower
        else:
            changed[key] = _step_back(child, fraction)
    return changed
