"""Requests for one host, sent to another root: pylast knows last.fm's address only."""

from __future__ import annotations

import httpx2


class OtherRoot(httpx2.BaseTransport):
    """Sends every request to one root of the API, whatever host and path it names."""

    def __init__(self, root: str) -> None:
        self._root = httpx2.URL(root)
        self._transport = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        root = self._root
        request.url = request.url.copy_with(
            scheme=root.scheme, host=root.host, port=root.port, path=root.path
        )
        request.headers["Host"] = root.netloc.decode()
        return self._transport.handle_request(request)

    def close(self) -> None:
        self._transport.close()
