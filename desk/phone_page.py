"""The browser seat's page: its files, and what it must know to register (docs/browser-seats.md).

Open to everybody, token or not: it holds no secret, and a seat's password is what SIP asks for.
"""

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles

from hotline.commands import HotlineCommands, PhoneSettings

FOLDER = Path(__file__).parent / "phone"
PREFIX = "/phone"

router = APIRouter()


@router.get(f"{PREFIX}/settings.json", include_in_schema=False)
async def settings(request: Request) -> PhoneSettings:
    """Domain and WebSockets."""
    hotline: HotlineCommands = request.app.state.hotline
    return hotline.phone()


@router.get(PREFIX, include_in_schema=False)
async def moved() -> RedirectResponse:
    """The page's own address has a slash."""
    return RedirectResponse(f"{PREFIX}/")


def add_phone(app: FastAPI) -> None:
    """Routes and files."""
    app.include_router(router)
    app.mount(PREFIX, StaticFiles(directory=FOLDER, html=True), name="phone")


def is_phone(path: str) -> bool:
    """Whether a path is the page's."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")
