"""Quality assurance (质检) as the desk sees it: draws, reviews, calibration, transcripts."""

import asyncio
import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any, TypeVar

from config.quality import SamplingRule, ScoreCard, score_cards
from config.schema import Config
from hotline.clock import Clock, iso
from hotline.commands import NotAllowed, Unavailable, UnknownThing
from hotline.recording_commands import (
    Calibration,
    Card,
    Comment,
    Draw,
    Query,
    Review,
    Scored,
    ScoreError,
    Task,
    Transcript,
)
from recorder.agreement import agreement
from recorder.io import figures
from recorder.io.index import Entry
from recorder.io.keeper import Keeper, KeeperError
from recorder.io.reviews import Reviews
from recorder.sampling import Candidate, Rule, draw
from recorder.scoring import Item, total
from recorder.seal import RATE
from recorder.speech import Transcriber, Utterance

T = TypeVar("T")
PAGE = 1000
SIDES = ("caller", "agent")


class Quality(ABC):
    """Half of hotline.archive.Archive."""

    def __init__(self, keeper: Keeper, clock: Clock, config: Config) -> None:
        """KeeperError for an adapter that cannot be made."""
        self._keeper = keeper
        self._clock = clock
        self._reviews = Reviews(keeper.vault.index.database)
        self._rules = {rule.name: rule for rule in config.sampling_rules}
        self._cards = {card.name: card_of(card) for card in score_cards(config.score_cards)}
        self._transcriber = make_transcriber(config.transcription.adapter)
        self._transcribing = asyncio.Lock()

    @abstractmethod
    async def row(self, recording: str) -> Entry:
        """The index's row."""

    @abstractmethod
    async def there(self, recording: str) -> Entry:
        """The same, of a recording that can be heard; Gone for what was deleted."""

    @abstractmethod
    async def ask(self, work: Callable[..., T], *arguments: Any) -> T:
        """In a thread."""

    def cards(self) -> list[Card]:
        """All score cards; the first is the usual one."""
        return list(self._cards.values())

    def _card(self, name: str) -> Card:
        if name and name not in self._cards:
            raise UnknownThing(f"no score card {name!r}; there are: {', '.join(self._cards)}")
        return self._cards[name] if name else next(iter(self._cards.values()))

    async def draw(self, rule: str, seed: str, query: Query, who: str) -> Draw:
        """Tasks of what a rule draws among the recordings that the query finds."""
        if rule not in self._rules:
            known = ", ".join(self._rules) or "none ([[sampling_rules]])"
            raise UnknownThing(f"no sampling rule {rule!r}; there are: {known}")
        wanted = self._rules[rule]
        card = self._card(wanted.card)
        candidates = await self.ask(self._candidates, query)
        drawn = draw(rule_of(wanted), candidates, seed)
        now_ms = self._clock.wall_ms()
        tasks = [Task(one, rule, card.name, seed, wanted.reviewers, now_ms, who) for one in drawn]
        added = await self.ask(self._reviews.add_tasks, tasks)
        return Draw(rule, seed, len(candidates), drawn, added)

    def _candidates(self, query: Query) -> list[Candidate]:
        """Stored ones; blocks."""
        found: list[Candidate] = []
        after = None
        while True:
            page = self._keeper.vault.index.find(
                replace(query, state="stored", limit=PAGE, after=after)
            )
            found += [
                Candidate(one.recording, one.queue, one.agent, one.result, one.duration_ms)
                for one in page
            ]
            if len(page) < PAGE:
                return found
            after = (page[-1].started_ms, page[-1].recording)

    async def tasks(self, reviewer: str) -> list[Task]:
        """What still wants this reviewer's score."""
        return await self.ask(self._reviews.tasks, reviewer)

    async def score(self, scored: Scored) -> Review:
        """Keep a review; NotAllowed when the scores do not fit the card."""
        await self.row(scored.recording)
        card = self._card(scored.card)
        try:
            comes_to = total(card, scored.scores)
        except ScoreError as error:
            raise NotAllowed(str(error)) from error
        review = Review(
            scored.recording,
            scored.reviewer,
            card.name,
            card.version,
            dict(scored.scores),
            comes_to.score,
            comes_to.passed,
            scored.note,
            self._clock.wall_ms(),
        )
        await self.ask(self._reviews.add_review, review)
        return review

    async def reviews(self, recording: str, viewer: str) -> list[Review]:
        """In a calibration nobody sees the others' scores before giving one's own."""
        await self.row(recording)
        found = await self.ask(self._reviews.reviews, recording)
        blind = await self._is_blind(recording, viewer)
        return [one for one in found if not blind or one.reviewer == viewer]

    async def _is_blind(self, recording: str, viewer: str) -> bool:
        """Whether the viewer's own score is still wanted, by a card that several score blind."""
        tasks = await self.ask(self._reviews.tasks_of, recording)
        cards = {task.card for task in tasks if task.reviewers > 1}
        given = await self.ask(self._reviews.reviews, recording)
        return not cards <= {review.card for review in given if review.reviewer == viewer}

    async def comment(self, recording: str, at_ms: int, who: str, text: str) -> Comment:
        """Something said of a moment of the recording."""
        entry = await self.row(recording)
        if entry.duration_ms and at_ms > entry.duration_ms:
            raise NotAllowed(f"recording {recording} ends at {entry.duration_ms} ms, not {at_ms}")
        made = Comment(recording, at_ms, who, text, self._clock.wall_ms())
        return await self.ask(self._reviews.add_comment, made)

    async def comments(self, recording: str, viewer: str) -> list[Comment]:
        """In the order of the recording's time; in a calibration as blind as the scores."""
        await self.row(recording)
        found = await self.ask(self._reviews.comments, recording)
        blind = await self._is_blind(recording, viewer)
        return [one for one in found if not blind or one.who == viewer]

    async def calibration(self, card: str, since_ms: int, until_ms: int) -> Calibration:
        """Over all recordings that two and more have scored by this card."""
        which = self._card(card)
        found = await self.ask(self._reviews.scores, which.name, since_ms, until_ms)
        whole = of_each(found, lambda review: review.score)
        items = {
            item.key: agreement(of_each(found, partial(item_score, item.key)))
            for item in which.items
        }
        return Calibration(which.name, agreement(whole), items)

    async def transcript(self, recording: str, *, make: bool) -> Transcript:
        """What was said; made anew with `make`, by the adapter.

        UnknownThing when there is none, Gone when its recording was deleted.
        """
        await self.there(recording)
        if make:
            await self._transcribe(recording)
        found = await self.ask(self._reviews.transcript, recording)
        if found is None:
            raise UnknownThing(f"recording {recording} has no transcript")
        return Transcript(recording, found["adapter"], iso(found["made_ms"]), found["utterances"])

    async def _transcribe(self, recording: str) -> None:
        adapter = self._transcriber
        if adapter is None:
            raise Unavailable("speech to text is off: set [transcription] adapter")
        async with self._transcribing:  # an adapter takes all cores that there are
            found = await self.ask(self._utterances, adapter, recording)
            kept = [asdict(one) for one in found]
            made_ms = self._clock.wall_ms()
            await self.ask(self._reviews.keep_transcript, recording, adapter.name, made_ms, kept)

    def _utterances(self, adapter: Transcriber, recording: str) -> list[Utterance]:
        """Blocks; each channel alone, so that who speaks is known."""
        found: list[Utterance] = []
        for at, side in enumerate(SIDES):
            sound = figures.pieces(self._keeper.vault, recording)
            if sound is None:
                raise Unavailable(f"recording {recording} cannot be read now: try again later")
            heard = adapter.transcribe(figures.side(sound, at), RATE)
            found += [Utterance(side, start, end, text) for start, end, text in heard]
        return sorted(found, key=lambda one: (one.start_ms, one.side))


def item_score(key: str, review: Review) -> float | None:
    """None where the review was by a card without that item."""
    return review.scores.get(key)


def of_each(
    found: Mapping[str, Mapping[str, Review]], value: Callable[[Review], float | None]
) -> dict[str, dict[str, float]]:
    """{recording: {reviewer: value}}, without those that a review does not have."""
    return {
        recording: {
            who: score for who, review in by.items() if (score := value(review)) is not None
        }
        for recording, by in found.items()
    }


def card_of(card: ScoreCard) -> Card:
    """The configuration's card as the recorder knows it."""
    items = tuple(Item(one.key, one.zh, one.en, one.points, one.critical) for one in card.items)
    return Card(card.name, card.zh, card.en, items, card.passes, card.version)


def rule_of(rule: SamplingRule) -> Rule:
    """The configuration's rule as the recorder knows it."""
    return Rule(
        rule.name,
        rule.percent,
        rule.queue,
        rule.agent,
        rule.result,
        rule.min_seconds,
        rule.max_seconds or None,
        rule.least_per_agent,
        rule.most,
    )


def make_transcriber(adapter: str) -> Transcriber | None:
    """What `module:callable` makes; KeeperError says what is wrong with it."""
    if not adapter:
        return None
    module, _, name = adapter.partition(":")
    try:
        made: Transcriber = getattr(importlib.import_module(module), name)()
    except Exception as error:
        raise KeeperError(f"[transcription] adapter {adapter!r} cannot be made: {error}") from error
    return made
