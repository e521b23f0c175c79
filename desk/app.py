"""The desk's HTTP side: health, metrics, the API and the live status page (docs/http-api.md)."""

import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from desk import api, callers, calls, floor, live, trace
from desk.idempotency import Replays
from desk.masking import serve_unit
from desk.phone_page import add_phone, is_phone
from desk.token import token_given
from hotline.commands import HotlineCommands, NotAllowed, Unavailable, UnknownThing, WrongState

STATIC = Path(__file__).parent / "static"
OPEN_PATHS = ("/healthz", "/readyz")


def create_app(hotline: HotlineCommands, *, token: str = "", unit_token: str = "") -> FastAPI:
    """The application; with `token`, all but the health checks demand it.

    Who brings `unit_token` sees masked numbers, and of the API what units need (masking.py).

    The token comes as `Authorization: Bearer` or, for players and sockets of the page,
    as the cookie that `/?token=` sets.
    """
    app = FastAPI(
        title="callcore",
        openapi_url="/api/openapi.json",
        docs_url="/api/docs",
        redoc_url=None,
    )
    app.state.hotline = hotline
    app.state.token = token
    app.state.replays = Replays()
    add_errors(app)
    if token:
        app.middleware("http")(demand(token, unit_token))
    add_health(app, hotline)
    app.include_router(api.router, prefix="/api/v1")
    app.include_router(callers.router, prefix="/api/v1")
    app.include_router(calls.router, prefix="/api/v1")
    app.include_router(floor.router, prefix="/api/v1")
    app.include_router(live.router, prefix="/api/v1")
    app.include_router(trace.router, prefix="/api/v1")
    add_phone(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    return app


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
        }
        return JSONResponse(body, 200 if readiness.ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(hotline.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


def add_errors(app: FastAPI) -> None:
    """The hotline's refusals as HTTP statuses, each naming the thing."""
    statuses = {UnknownThing: 404, WrongState: 409, NotAllowed: 422, Unavailable: 503}
    for kind, status in statuses.items():

        async def answer(_: Request, error: Exception, status: int = status) -> JSONResponse:
            return JSONResponse({"detail": str(error)}, status)

        app.add_exception_handler(kind, answer)


def demand(
    token: str, unit_token: str = ""
) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    """The check in front of everything but health."""

    async def check(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        path = request.url.path
        is_open = path in OPEN_PATHS or is_phone(path)
        if is_open or token_given(request.headers, request.cookies, token):
            return await go_on(request)
        if unit_token and token_given(request.headers, request.cookies, unit_token):
            return await serve_unit(request, go_on)
        asked = request.query_params.get("token", "")
        if request.url.path == "/" and hmac.compare_digest(asked.encode(), token.encode()):
            response = await go_on(request)
            response.set_cookie("callcore_token", token, httponly=True, samesite="strict")
            return response
        return JSONResponse(
            {"detail": "a token is needed: send 'Authorization: Bearer <[http] token>'"},
            401,
            headers={"WWW-Authenticate": "Bearer"},
        )

    return check
