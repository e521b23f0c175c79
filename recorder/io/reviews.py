"""Quality assurance in the database: what was drawn, how it was scored, what was said of it."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from recorder.io.database import METADATA, Database

TASKS = sa.Table(
    "quality_tasks",
    METADATA,
    sa.Column("recording", sa.String(200), primary_key=True),
    sa.Column("rule", sa.String(64), primary_key=True),
    sa.Column("card", sa.String(64), nullable=False),
    sa.Column("seed", sa.String(64), nullable=False),
    sa.Column("reviewers", sa.Integer, nullable=False),
    sa.Column("drawn_ms", sa.BigInteger, nullable=False),
    sa.Column("drawn_by", sa.String(64), nullable=False),
)
REVIEWS = sa.Table(
    "quality_reviews",
    METADATA,
    sa.Column("review", sa.Integer, primary_key=True),
    sa.Column("recording", sa.String(200), nullable=False, index=True),
    sa.Column("reviewer", sa.String(64), nullable=False),
    sa.Column("card", sa.String(64), nullable=False),
    sa.Column("card_version", sa.Integer, nullable=False),
    sa.Column("scores", sa.JSON, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("made_ms", sa.BigInteger, nullable=False, index=True),
    info={"append_only": True},
)
COMMENTS = sa.Table(
    "quality_comments",
    METADATA,
    sa.Column("comment", sa.Integer, primary_key=True),
    sa.Column("recording", sa.String(200), nullable=False, index=True),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("made_ms", sa.BigInteger, nullable=False),
)
TRANSCRIPTS = sa.Table(
    "recording_transcripts",
    METADATA,
    sa.Column("recording", sa.String(200), primary_key=True),
    sa.Column("adapter", sa.String(64), nullable=False),
    sa.Column("made_ms", sa.BigInteger, nullable=False),
    sa.Column("utterances", sa.JSON, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Task:
    """A recording that a rule drew; `reviewers` scores are wanted."""

    recording: str
    rule: str
    card: str
    seed: str
    reviewers: int
    drawn_ms: int
    drawn_by: str


@dataclass(frozen=True, slots=True)
class Review:
    """A reviewer's word; a later one of the same reviewer takes its place, and both are kept."""

    recording: str
    reviewer: str
    card: str
    card_version: int
    scores: dict[str, float]
    score: float
    passed: bool
    note: str
    made_ms: int


@dataclass(frozen=True, slots=True)
class Comment:
    """At `at_ms` of the recording."""

    recording: str
    at_ms: int
    who: str
    text: str
    made_ms: int
    comment: int = 0


class Reviews:
    """All calls block and are for threads; all raise IndexFailed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_tasks(self, tasks: Iterable[Task]) -> int:
        """Those that are new; a recording is drawn once by a rule, whoever draws again."""
        rows = [dataclasses.asdict(task) for task in tasks]
        added = 0
        insert = self._database.insert(TASKS)
        with self._database.begin(TASKS) as connection:
            for row in rows:
                done = connection.execute(insert.values(row).on_conflict_do_nothing())
                added += max(0, done.rowcount)
        return added

    def tasks(self, reviewer: str = "", limit: int = 200) -> list[Task]:
        """Those that still want scores, oldest first; without those that `reviewer` has scored."""
        scored = (
            sa.select(sa.func.count(sa.distinct(REVIEWS.c.reviewer)))
            .where(REVIEWS.c.recording == TASKS.c.recording, REVIEWS.c.card == TASKS.c.card)
            .scalar_subquery()
        )
        select = sa.select(TASKS).where(scored < TASKS.c.reviewers)
        if reviewer:
            own = sa.select(REVIEWS.c.review).where(
                REVIEWS.c.recording == TASKS.c.recording,
                REVIEWS.c.card == TASKS.c.card,
                REVIEWS.c.reviewer == reviewer,
            )
            select = select.where(~sa.exists(own))
        order = (TASKS.c.drawn_ms, TASKS.c.recording)
        with self._database.begin(TASKS, REVIEWS) as connection:
            rows = connection.execute(select.order_by(*order).limit(limit)).all()
        return [Task(**row._mapping) for row in rows]

    def tasks_of(self, recording: str) -> list[Task]:
        select = sa.select(TASKS).where(TASKS.c.recording == recording).order_by(TASKS.c.rule)
        with self._database.begin(TASKS) as connection:
            return [Task(**row._mapping) for row in connection.execute(select)]

    def add_review(self, review: Review) -> None:
        with self._database.begin(REVIEWS) as connection:
            connection.execute(REVIEWS.insert().values(dataclasses.asdict(review)))

    def reviews(self, recording: str) -> list[Review]:
        """Each reviewer's latest word, by each card."""
        return list(self._latest(REVIEWS.c.recording == recording).values())

    def scores(self, card: str, since_ms: int, until_ms: int) -> dict[str, dict[str, Review]]:
        """{recording: {reviewer: review}} of a card and time."""
        wanted = (
            REVIEWS.c.card == card,
            REVIEWS.c.made_ms >= since_ms,
            REVIEWS.c.made_ms < until_ms,
        )
        found: dict[str, dict[str, Review]] = defaultdict(dict)
        for review in self._latest(*wanted).values():
            found[review.recording][review.reviewer] = review
        return dict(found)

    def _latest(self, *wanted: Any) -> dict[tuple[str, str, str], Review]:
        select = sa.select(REVIEWS).where(*wanted).order_by(REVIEWS.c.review)
        found: dict[tuple[str, str, str], Review] = {}
        with self._database.begin(REVIEWS) as connection:
            for row in connection.execute(select):
                values = dict(row._mapping)
                del values["review"]
                review = Review(**values)
                found[(review.recording, review.reviewer, review.card)] = review
        return found

    def add_comment(self, comment: Comment) -> Comment:
        values = dataclasses.asdict(comment)
        del values["comment"]
        with self._database.begin(COMMENTS) as connection:
            done = connection.execute(COMMENTS.insert().values(values))
            (number,) = done.inserted_primary_key or (0,)
        return dataclasses.replace(comment, comment=number)

    def comments(self, recording: str) -> list[Comment]:
        """In the order of the recording's time."""
        select = sa.select(COMMENTS).where(COMMENTS.c.recording == recording)
        with self._database.begin(COMMENTS) as connection:
            rows = connection.execute(select.order_by(COMMENTS.c.at_ms, COMMENTS.c.comment)).all()
        return [Comment(**row._mapping) for row in rows]

    def keep_transcript(
        self, recording: str, adapter: str, made_ms: int, utterances: list[dict[str, Any]]
    ) -> None:
        values = {"adapter": adapter, "made_ms": made_ms, "utterances": utterances}
        insert = self._database.insert(TRANSCRIPTS).values(recording=recording, **values)
        with self._database.begin(TRANSCRIPTS) as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["recording"], set_=values)
            )

    def forget(self, recording: str) -> None:
        """What was said and remarked in a recording that was deleted; its scores stay."""
        for table in (TRANSCRIPTS, COMMENTS):
            with self._database.begin(table) as connection:
                connection.execute(table.delete().where(table.c.recording == recording))

    def transcript(self, recording: str) -> dict[str, Any] | None:
        select = sa.select(TRANSCRIPTS).where(TRANSCRIPTS.c.recording == recording)
        with self._database.begin(TRANSCRIPTS) as connection:
            row = connection.execute(select).one_or_none()
        return None if row is None else dict(row._mapping)
