"""`/api/v1/recordings`: search, sound by range and by signed link, waveforms, exports."""

import base64
import binascii
import datetime
import secrets
import time
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from desk.accounts import Person, needs
from desk.links import Purpose
from desk.listening import DONE, AtDoor, Door, Exporting, Visiting, Visitor, source_of
from desk.ranges import partial
from hotline.commands import NotAllowed, RecordingEntry
from hotline.recording_commands import Cursor, Transcript
from hotline.recording_commands import Query as Wanted

router = APIRouter()
WHOLE_PAGE = 10_000
MOST_DIGITS = 16  # of milliseconds since the epoch
MAY_SEARCH = Depends(needs("search"))
MAY_LISTEN = Depends(needs("listen"))
Reason = Annotated[str, Field(max_length=500)]


class Search(BaseModel):
    """What is looked for; all given must fit."""

    model_config = ConfigDict(extra="forbid")
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    number: str = Field(default="", max_length=32)
    caller: str = Field(default="", max_length=32)
    called: str = Field(default="", max_length=32)
    agent: str = Field(default="", max_length=64)
    queue: str = Field(default="", max_length=64)
    order: str = Field(default="", max_length=64)
    result: str = Field(default="", max_length=16)
    call_id: str = Field(default="", max_length=255)
    state: str = Field(default="", max_length=16)
    min_seconds: float | None = Field(default=None, ge=0, le=1e7)
    max_seconds: float | None = Field(default=None, ge=0, le=1e7)

    def wanted(self, person: Person, limit: int, after: Cursor | None = None) -> Wanted:
        """The same for the archive; an agent finds the own seat's alone."""
        if any("\0" in one for one in self.model_dump().values() if isinstance(one, str)):
            raise NotAllowed("a character that nothing has (NUL) is looked for")
        if person.seat and self.agent not in ("", person.seat):
            raise NotAllowed(f"{person.name} may search recordings of seat {person.seat} alone")
        return Wanted(
            since_ms=milliseconds(self.since),
            until_ms=milliseconds(self.until),
            number=self.number,
            caller=self.caller,
            called=self.called,
            agent=person.seat or self.agent,
            queue=self.queue,
            order=self.order,
            result=self.result,
            call_id=self.call_id,
            state=self.state,
            min_ms=None if self.min_seconds is None else int(self.min_seconds * 1000),
            max_ms=None if self.max_seconds is None else int(self.max_seconds * 1000),
            limit=limit,
            after=after,
        )


class SearchPage(Search):
    """A page of it."""

    limit: int = Field(default=100, ge=1, le=WHOLE_PAGE)
    after: str = Field(default="", max_length=400, description="the page before's Next-Cursor")
    reveal: bool = Field(default=False, description="whole numbers; audited")
    reason: Reason = ""


class LinkWanted(BaseModel):
    """For what the link is."""

    model_config = ConfigDict(extra="forbid")
    purpose: Literal["listen", "download"] = "listen"
    format: Literal["flac", "wav"] = "flac"
    reason: Reason = ""


class Link(BaseModel):
    """Where the sound is, and until when."""

    url: str
    expires: str


class ExportWanted(Search):
    """Named recordings, or what a search finds."""

    recordings: list[str] = Field(default=[], max_length=100_000)
    reason: Reason = ""


def milliseconds(at: datetime.datetime | None) -> int | None:
    """Since the epoch; a time without a zone is the server's. NotAllowed for the year 1."""
    try:
        return None if at is None else int(at.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise NotAllowed(f"{at} is no time that can be searched for") from None


def cursor_text(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(f"{cursor[0]} {cursor[1]}".encode()).decode("ascii")


def cursor_of(text: str) -> Cursor | None:
    """NotAllowed for what is no cursor of ours."""
    if not text:
        return None
    try:
        at_ms, _, recording = base64.urlsafe_b64decode(text).decode().partition(" ")
        if not at_ms.isascii() or len(at_ms) > MOST_DIGITS:
            raise ValueError
        return int(at_ms), recording
    except (ValueError, binascii.Error):
        raise NotAllowed(f"after={text!r} is no cursor: take Next-Cursor of a page") from None


@router.get("/recordings", dependencies=[MAY_SEARCH])
async def search(
    page: Annotated[SearchPage, Query()], at: AtDoor, visiting: Visiting, response: Response
) -> list[RecordingEntry]:
    """Recordings, newest first; `Next-Cursor` leads to the next page."""
    person = visiting.person
    wanted = page.wanted(person, page.limit, cursor_of(page.after))
    if page.reveal:
        person.must("reveal")
        reason = at.must_say_why(page.reason)
    found = await at.archive.find(wanted)
    if page.reveal and found.entries:
        names = [entry.recording for entry in found.entries]
        await at.archive.note([visiting.access("revealed", one, reason) for one in names])
    if found.after is not None:
        response.headers["Next-Cursor"] = cursor_text(found.after)
    return at.shown(found.entries, reveal=page.reveal)


@router.get("/recordings/{recording}", dependencies=[MAY_SEARCH])
async def entry(
    recording: str, at: AtDoor, visiting: Visiting, reveal: bool = False, reason: str = ""
) -> RecordingEntry:
    """One recording's entry in the index; with `reveal`, its whole numbers (audited)."""
    found = await at.reach(visiting.person, recording)
    if reveal:
        visiting.person.must("reveal")
        await at.note(visiting, "revealed", recording, reason=at.must_say_why(reason))
    return at.shown([found], reveal=reveal)[0]


@router.post("/recordings/{recording}/links", status_code=201)
async def link(recording: str, wanted: LinkWanted, at: AtDoor, visiting: Visiting) -> Link:
    """A short-lived link to the sound, for players (403: without the purpose's right)."""
    visiting.person.must(wanted.purpose)
    await at.reach(visiting.person, recording)
    reason = at.must_say_why(wanted.reason)
    claim = at.link(visiting.person, recording, wanted.purpose, reason)
    await at.note(visiting, "linked", recording, reason=reason, detail=wanted.purpose)
    url = f"/api/v1/recordings/{recording}/audio?format={wanted.format}&link={at.signed(claim)}"
    expires = datetime.datetime.fromtimestamp(claim.expires).astimezone().isoformat()
    return Link(url=url, expires=expires)


@router.get("/recordings/{recording}/audio", response_class=Response)
async def audio(
    recording: str,
    request: Request,
    at: AtDoor,
    kind: Annotated[Literal["flac", "wav"], Query(alias="format")] = "flac",
    link: Annotated[str, Query(max_length=2000)] = "",
    download: bool = False,
    reason: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """The sound, caller left and agent right; answers ranges so that a player can seek.

    By a signed link, or by the account's own credentials; each access is in the audit log. 403: a
    link that is forged or another's; 410: its time is over.
    """
    purpose: Purpose = "download" if download else "listen"
    if link:
        claim, person = at.opened(link, recording, request.state.person)
        purpose, reason, nonce = claim.purpose, claim.reason, claim.nonce
    else:
        person, nonce = request.state.person, ""
        person.must(purpose)
        reason = at.must_say_why(reason)
    await at.reach(person, recording)
    sound = await at.archive.audio(recording, kind, at.marking(person))
    asked = Visitor(person, source_of(request))
    use = f"{nonce} {asked.source}"  # who was given the link by somebody else hears it, too
    if not nonce or use not in at.uses:
        detail = request.headers.get("range", "")[:64]
        await at.note(asked, DONE[purpose], recording, reason=reason, detail=detail)
        at.uses.add(use)
    place = "attachment" if purpose == "download" else "inline"
    headers = {
        "Content-Disposition": f'{place}; filename="{sound.file_name}"',
        "Cache-Control": "private, no-store",
    }
    return partial(sound, request.headers.get("range"), headers)


Points = Annotated[int, Query(ge=10, le=10_000)]


@router.get("/recordings/{recording}/waveform", dependencies=[MAY_LISTEN])
async def waveform(
    recording: str, at: AtDoor, visiting: Visiting, points: Points = 1000
) -> dict[str, Any]:
    """Peaks of both sides (0..255), and how much each spoke."""
    await at.reach(visiting.person, recording)
    found = await at.archive.waveform(recording, points)
    peaks = {"caller": found.caller, "agent": found.agent}
    return {
        "recording": recording,
        "duration_ms": found.duration_ms,
        **peaks,
        "talk": asdict(found.talk),
    }


@router.get(
    "/recordings/{recording}/waveform.svg", dependencies=[MAY_LISTEN], response_class=Response
)
async def waveform_image(
    recording: str, at: AtDoor, visiting: Visiting, points: Points = 500
) -> Response:
    """The same as an image."""
    await at.reach(visiting.person, recording)
    found = await at.archive.waveform(recording, points)
    headers = {"Cache-Control": "private, no-store"}
    return Response(found.svg, media_type="image/svg+xml", headers=headers)


@router.get("/recordings/{recording}/transcript", dependencies=[MAY_LISTEN])
async def transcript(recording: str, at: AtDoor, visiting: Visiting) -> Transcript:
    """What was said, as it was made before (404: it was not)."""
    return await _transcript(recording, at, visiting, make=False)


@router.post("/recordings/{recording}/transcript", dependencies=[MAY_LISTEN], status_code=201)
async def make_transcript(recording: str, at: AtDoor, visiting: Visiting) -> Transcript:
    """Make it by the adapter of [transcription] (503: there is none)."""
    return await _transcript(recording, at, visiting, make=True)


async def _transcript(recording: str, at: Door, visiting: Visitor, *, make: bool) -> Transcript:
    await at.reach(visiting.person, recording)
    found = await at.archive.transcript(recording, make=make)
    await at.note(visiting, "transcribed" if make else "read", recording)
    return found


@router.post("/recordings/export", dependencies=[Depends(needs("export"))], response_class=Response)
async def export(wanted: ExportWanted, at: AtDoor, visiting: Visiting) -> Response:
    """A zip of many, with manifest.json and SHA256SUMS, streamed (422: too many, or too large)."""
    person = visiting.person
    reason = at.must_say_why(wanted.reason)
    names = list(dict.fromkeys(wanted.recordings))
    if len(names) > at.limits.recordings:  # before each of them is looked up
        most = at.limits.recordings
        raise NotAllowed(f"{len(names)} recordings: one export holds {most}; narrow the search")
    if not names:
        page = await at.archive.find(wanted.wanted(person, at.limits.recordings + 1))
        names = [entry.recording for entry in page.entries]
    for name in names if person.seat else []:
        await at.reach(person, name)
    if not names:
        raise NotAllowed("no recording fits: there is nothing to export")
    number = secrets.token_hex(6)
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    about = {"export": number, "by": person.name, "reason": reason, "made": now}
    made = await at.archive.export(names, at.limits, about)
    detail = f"export {number}"
    await at.archive.note([visiting.access("exported", name, reason, detail) for name in names])
    at.remember(Exporting(number, person.name, int(time.time() * 1000), made))
    headers = {
        "Content-Disposition": f'attachment; filename="recordings-{number}.zip"',
        "Cache-Control": "private, no-store",
        "Export": number,
        "Export-Recordings": str(made.progress.recordings),
        "Export-Bytes": str(made.progress.size),
    }
    return StreamingResponse(made.chunks, media_type="application/zip", headers=headers)


@router.get("/recording-exports", dependencies=[Depends(needs("export"))])
async def exports(at: AtDoor) -> list[dict[str, Any]]:
    """The latest exports of this node, and how far each is."""
    return [
        {
            "export": one.export,
            "who": one.who,
            "began": datetime.datetime.fromtimestamp(one.began_ms / 1000).astimezone().isoformat(),
            **asdict(one.made.progress),
        }
        for one in reversed(at.exports)
    ]
