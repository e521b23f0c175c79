"""The desk's HTTP side: health, metrics, the API and the live status page (docs/http-api.md)."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline

from config.access import Account, RecordingAccess
from desk import api, audit, callers, calls, custody, floor, live, quality, recordings, trace
from desk.accounts import Accounts, Forbidden, Person, may_use
from desk.idempotency import Replays
from desk.links import LinkExpired, LinkForged
from desk.listening import Door, ReasonNeeded, source_of
from desk.masking import REVEALS, SHOWS, serve_unit, without_numbers
from desk.origins import is_foreign
from desk.passwords import SESSION, basic
from desk.phone_page import add_phone, is_phone
from desk.tries import TooManyTries
from hotline.commands import (
    HotlineCommands,
    NotAllowed,
    Unavailable,
    UnknownThing,
    WrongPerson,
    WrongState,
)
from hotline.recording_commands import Gone, RecordingCommands

STATIC = Path(__file__).parent / "static"
OPEN_PATHS = ("/healthz", "/readyz")
PAGES = {"/": "index.html", "/recordings": "recordings.html"}
ROUTERS = (api, callers, calls, custody, floor, live, trace, recordings, audit, quality)

# What the hotline refuses, as HTTP says it; the code is for screens with words of their own.
ERRORS: dict[type[Exception], tuple[int, str]] = {
    UnknownThing: (404, "unknown"),
    WrongState: (409, "wrong_state"),
    NotAllowed: (422, "not_allowed"),
    ReasonNeeded: (422, "reason_needed"),
    Unavailable: (503, "unavailable"),
    Forbidden: (403, "forbidden"),
    WrongPerson: (403, "wrong_person"),
    LinkForged: (403, "link_forged"),
    LinkExpired: (410, "link_expired"),
    Gone: (410, "gone"),
    TooManyTries: (429, "too_many_tries"),
}
READS = ("GET", "HEAD", "OPTIONS")


def create_app(
    hotline: HotlineCommands,
    archive: RecordingCommands,
    *,
    token: str = "",
    accounts: tuple[Account, ...] = (),
    access: RecordingAccess | None = None,
) -> FastAPI:
    """The application; with `token` or `accounts`, all but the health checks demand one.

    A member unit's sees masked numbers, and of the API what units need (masking.py).

    A token comes as `Authorization: Bearer` or, for players and sockets of the page,
    as the cookie that `/?token=` sets; a password as `Authorization: Basic`, or as its cookie.
    """
    # FastAPI's own page loads its script from a public address, which a closed network has not.
    app = FastAPIOffline(
        title="callcore",
        openapi_url="/api/openapi.json",
        docs_url="/api/docs",
        redoc_url=None,
        static_url="/api/docs/files",
    )
    known = Accounts(token, accounts)
    app.state.hotline = hotline
    app.state.token = token
    app.state.accounts = known
    door = app.state.door = Door(archive, known, access or RecordingAccess())
    known.passwords.refused = door.refused
    app.state.replays = Replays()
    add_errors(app)
    app.middleware("http")(demand(known))
    add_health(app, hotline)
    for one in ROUTERS:
        app.include_router(one.router, prefix="/api/v1")
    add_phone(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for path, name in PAGES.items():
        add_page(app, path, STATIC / name)
    return app


def add_page(app: FastAPI, path: str, file: Path) -> None:
    """One of the desk's pages."""

    @app.get(path, include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(file)


def add_health(app: FastAPI, hotline: HotlineCommands) -> None:
    """Alive, ready, and the numbers for Prometheus."""

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        readiness = hotline.readiness()
        body = {
            "ready": readiness.ready,
            "role": readiness.role,
            "reasons": list(readiness.reasons),
            "warnings": list(readiness.warnings),
            "reason_codes": [asdict(one) for one in readiness.reason_codes],
            "warning_codes": [asdict(one) for one in readiness.warning_codes],
        }
        return JSONResponse(body, 200 if readiness.ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(hotline.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


def add_errors(app: FastAPI) -> None:
    """The hotline's refusals as HTTP statuses, each naming the thing."""
    for kind, (status, code) in ERRORS.items():

        async def answer(
            _: Request, error: Exception, status: int = status, code: str = code
        ) -> JSONResponse:
            headers = getattr(error, "headers", None)
            return JSONResponse({"detail": str(error), "code": code}, status, headers)

        app.add_exception_handler(kind, answer)


def demand(
    accounts: Accounts,
) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    """The check in front of everything but health."""

    async def check(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        path = request.url.path
        if path in OPEN_PATHS or is_phone(path):
            return await go_on(request)
        try:
            person = await accounts.log_in(request.headers, request.cookies, source_of(request))
        except TooManyTries as error:
            told = {"detail": str(error), "code": "too_many_tries"}
            return JSONResponse(told, 429, error.headers)
        request.state.person = person
        if person is not None and request.method not in READS and is_foreign(request.headers):
            return another_site()
        if person is not None and person.is_unit:
            return await serve_unit(request, go_on)
        if person is None and path in PAGES:
            return await let_in(request, go_on)
        if person is None and not is_link(request):
            return no_token()
        if person is not None and not may_use(person, path):
            return recordings_alone(person)
        response = await go_on(request)
        if person is not None and hides(person, path):
            response = await without_numbers(response)
        session = accounts.passwords.session(person.name) if person is not None else ""
        if session and basic(request.headers)[0] and request.cookies.get(SESSION) != session:
            response.set_cookie(SESSION, session, httponly=True, samesite="strict")
        return response

    async def let_in(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        """A page opened with `?token=`: remembered from then on."""
        token = request.query_params.get("token", "")
        person = request.state.person = accounts.by_token(token)
        if person is None:
            return no_token(asks_password=bool(accounts.passwords))
        if person.is_unit:
            response = await serve_unit(request, go_on)
        elif may_use(person, request.url.path):
            response = await go_on(request)
        else:
            return recordings_alone(person)
        response.set_cookie("callcore_token", token, httponly=True, samesite="strict")
        return response

    return check


def hides(person: Person, path: str) -> bool:
    """Whether what is shown there is shown to this person with masked numbers."""
    return "reveal" not in person.rights and bool(SHOWS(path)) and not REVEALS(path)


def another_site() -> JSONResponse:
    """403: a page of another site makes a browser ask, with what it knows of ours."""
    told = "another site's page may change nothing here"
    return JSONResponse({"detail": told, "code": "another_site"}, 403)


def is_link(request: Request) -> bool:
    """The sound by a signed link, which is its own proof."""
    return request.url.path.endswith("/audio") and bool(request.query_params.get("link"))


def recordings_alone(person: Person) -> JSONResponse:
    """403."""
    told = f"{person.name} may use recordings alone"
    return JSONResponse({"detail": told, "code": "forbidden"}, 403)


def no_token(*, asks_password: bool = False) -> JSONResponse:
    """401; a browser that opens a page asks for name and password then (RFC 7617)."""
    scheme = 'Basic realm="callcore", charset="UTF-8"' if asks_password else "Bearer"
    return JSONResponse(
        {
            "detail": "a token is needed: send 'Authorization: Bearer <[http] token>'",
            "code": "token_needed",
        },
        401,
        headers={"WWW-Authenticate": scheme},
    )
