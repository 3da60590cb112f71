"""The explorer on this machine alone: one address, one token, nobody else."""

import hashlib
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from cohorts.errors import TrialsimError
from trialsim.errors import DesignError
from trialsim.explorer.app import build_app
from trialsim.explorer.contents import Contents
from trialsim.study.writing.viewing import build_viewer

HOST: Final = "127.0.0.1"
_ASKED: Final = ("favicon.ico", "font.css")
"""What browsers ask for besides, and is not there."""


class TokenGate:
    """Lets through whoever brings the token, in the address once, then in a cookie."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self.token = app, token
        # of its own: browsers send one machine's cookies to all its ports, so that a second
        # explorer would take the first one's place
        self._cookie = f"trialsim_{hashlib.sha256(token.encode()).hexdigest()[:12]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        given = asked.query_params.get("token")
        if given is not None and scope["type"] == "http" and self._matches(given):
            # two slashes would name another host
            answer = RedirectResponse(f"/{asked.url.path.lstrip('/')}", status_code=303)
            answer.set_cookie(self._cookie, self.token, httponly=True, samesite="strict")
            await answer(scope, receive, send)
        elif self._matches(asked.cookies.get(self._cookie, "")) and _is_own(asked):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403})
        else:
            refusal = PlainTextResponse("Open the address that trialsim printed.", status_code=403)
            await refusal(scope, receive, send)

    def _matches(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())


def _is_own(asked: HTTPConnection) -> bool:
    """Whether a page of ours asks: browsers name the origin of every socket."""
    origin = asked.headers.get("origin")
    return origin is None or origin == f"http://{asked.headers.get('host')}"


def build_server(contents: Contents | None, token: str) -> Starlette:
    """Return the application behind its gate."""
    app = build_app(contents)
    return Starlette(
        routes=[
            *(Route(f"/{name}", _answer_nothing) for name in _ASKED),
            *([] if contents is None else [Route("/view/{place}", _view(contents))]),
            Mount("/", app),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]),
            Middleware(TokenGate, token=token),
        ],
    )


def _view(contents: Contents) -> Callable[[Request], Response]:
    """Return what answers with the scans of the person at a place of `contents.people`."""

    def answer(asked: Request) -> Response:
        places = {str(place): place for place in range(len(contents.people))}
        place = places.get(asked.path_params["place"])
        if place is None:
            return PlainTextResponse("There is no such person.", status_code=404)
        row = contents.people.iloc[place]
        try:
            page = build_viewer(contents.result, str(row.name), shown_as=str(row["person"]))
        except TrialsimError as error:
            return PlainTextResponse(" ".join(error.problems), status_code=404)
        return HTMLResponse(page)

    return answer


async def _answer_nothing(_asked: Request) -> Response:
    return Response(status_code=200, media_type="text/css")


def take_port(port: int) -> socket.socket:
    """Return a socket that listens on this machine alone; any free port for 0.

    Raises
    ------
    DesignError
        Where the port is in use, or may not be used.
    """
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((HOST, port))
        # whoever comes before the server is ready waits for it, in place of being refused
        taken.listen()
    except OSError as error:
        taken.close()
        raise DesignError(
            f"Port {port} cannot be used ({error.strerror}): give another, or 0 for any free one."
        ) from error
    return taken


def serve(contents: Contents | None, taken: socket.socket, token: str) -> None:
    """Serve until the process is interrupted, which is how it ends."""
    config = uvicorn.Config(
        build_server(contents, token), log_level="warning", access_log=False, lifespan="on"
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[taken])
