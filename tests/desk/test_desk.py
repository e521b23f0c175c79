"""The desk's HTTP side over a hotline that is only data."""

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from hotline.commands import (
    Readiness,
)
from tests.desk.paper import PaperHotline


def test_readiness_gives_its_reasons_with_503(desk: TestClient, hotline: PaperHotline) -> None:
    assert desk.get("/readyz").status_code == 200
    hotline.ready = Readiness(False, ("trunk ims is down",))
    answer = desk.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["trunk ims is down"]
    assert desk.get("/healthz").json() == {"status": "alive"}


def test_a_queue_shows_what_the_contract_names(desk: TestClient) -> None:
    body = desk.get("/api/v1/queues/12345").json()
    names = {"waiting", "offered", "answered", "abandoned", "answered_in_target"}
    assert names | {"service_level", "longest_wait_seconds"} <= set(body)
    assert body["service_level"] == {"A": 0.95, "B": 0.97, "C": 0.96, "D": 0.96, "E": 0.95}


def test_unknown_things_are_404_and_wrong_states_409(
    desk: TestClient, hotline: PaperHotline
) -> None:
    refused = desk.get("/api/v1/queues/110").json()
    assert refused == {"detail": "no queue '110'; there are: 12345", "code": "unknown"}
    assert desk.get("/api/v1/calls/x").status_code == 404
    assert desk.delete("/api/v1/calls/c1").status_code == 409
    answer = desk.put("/api/v1/agents/8001/state", json={"state": "ready"})
    assert answer.status_code == 409
    assert hotline.asked == [("8001", "ready", "")]


def test_the_supervisor_s_word_and_the_agent_s_wish_are_two_commands(
    desk: TestClient, hotline: PaperHotline
) -> None:
    body = {"state": "not_ready", "reason": "tea", "by": "8014"}
    answer = desk.post("/api/v1/agents/8001/state", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "no reason 'tea'; there are: lunch",
    )
    del body["by"]
    assert desk.post("/api/v1/agents/8001/state", json=body).status_code == 409
    assert hotline.asked == [("8001", "not_ready", "tea", "8014"), ("8001", "not_ready", "tea")]
    assert desk.post("/api/v1/agents/8001/wrap-up/extension").status_code == 409


def test_promised_callbacks_are_listed_and_taken_back(desk: TestClient) -> None:
    assert desk.get("/api/v1/callbacks").json()[0]["state"] == "due"
    assert desk.delete("/api/v1/callbacks/none").status_code == 404


def test_an_agent_proposes_and_the_supervisor_reviews(
    desk: TestClient, hotline: PaperHotline
) -> None:
    mark = {"kind": "nuisance", "by": "8001", "note": "singt"}
    assert desk.put("/api/v1/callers/13800000000/mark", json=mark).json()["review"] == "proposed"
    blocked = {"kind": "blocked", "by": "8014"}
    assert desk.put("/api/v1/callers/138/mark", json=blocked).json()["review"] == "in_force"
    review = {"keep": True, "by": "8014"}
    assert desk.post("/api/v1/callers/138/mark/review", json=review).status_code == 409
    assert desk.put("/api/v1/callers/x/mark", json=blocked).status_code == 422
    assert desk.delete("/api/v1/callers/138/mark?by=8014").status_code == 204
    assert hotline.asked == [
        ("13800000000", "nuisance", "proposed", "8001"),
        ("138", "blocked", "in_force", "8014"),
        ("138", "8014"),
    ]


def test_a_mark_has_a_priority_of_1_to_9(desk: TestClient, hotline: PaperHotline) -> None:
    mark = {"priority": 5, "keyword": "煤气"}
    assert desk.post("/api/v1/calls/c1/mark", json=mark).status_code == 200
    assert desk.post("/api/v1/calls/c1/mark", json={"priority": 0}).status_code == 422
    assert hotline.asked == [("c1", 5, "煤气")]


@pytest.mark.parametrize(
    "body", [{}, {"state": "asleep"}, {"state": "ready", "colour": 1}, {"state": 7}]
)
def test_a_wrong_body_is_422_and_reaches_nobody(
    desk: TestClient, hotline: PaperHotline, body: dict[str, Any]
) -> None:
    assert desk.put("/api/v1/agents/8001/state", json=body).status_code == 422
    assert hotline.asked == []


@pytest.mark.parametrize(
    ("asked", "status", "length", "where"),
    [
        (None, 200, 100, None),
        ("bytes=0-9", 206, 10, "bytes 0-9/100"),
        ("bytes=90-", 206, 10, "bytes 90-99/100"),
        ("bytes=-5", 206, 5, "bytes 95-99/100"),
        ("bytes=50-900", 206, 50, "bytes 50-99/100"),
        ("bytes=100-", 416, 0, "bytes */100"),
        ("bytes=9-1", 416, 0, "bytes */100"),
        ("bytes=-", 200, 100, None),
        ("bytes=0-1,4-5", 200, 100, None),
        ("furlongs=1-2", 200, 100, None),
    ],
)
def test_a_player_can_seek(
    desk: TestClient, asked: str | None, status: int, length: int, where: str | None
) -> None:
    """RFC 9110 §14.2: what cannot be satisfied is 416, what is not understood is ignored."""
    headers = {"Range": asked} if asked else {}
    answer = desk.get("/api/v1/recordings/r1/audio", headers=headers)
    assert answer.status_code == status
    assert len(answer.content) == length
    assert answer.headers.get("content-range") == where


def test_live_events_are_numbered_and_a_client_that_returns_misses_none(
    desk: TestClient, hotline: PaperHotline
) -> None:
    hotline.alert("one")
    with desk.websocket_connect("/api/v1/live?since=0") as socket:
        assert socket.receive_json()["text"] == "one"
        hotline.alert("two")
        assert socket.receive_json()["sequence"] == 2
    hotline.alert("three")
    with desk.websocket_connect("/api/v1/live?since=2") as socket:
        assert socket.receive_json()["text"] == "three"


def test_who_was_away_too_long_is_told_of_the_gap(desk: TestClient, hotline: PaperHotline) -> None:
    for text in ("1", "2", "3", "4", "5"):
        hotline.alert(text)
    with desk.websocket_connect("/api/v1/live?since=1") as socket:
        gap = socket.receive_json()
        assert (gap["event"], gap["oldest"]) == ("gap", 3)
        assert [socket.receive_json()["text"] for _ in range(3)] == ["3", "4", "5"]


def test_the_page_and_the_api_description_are_served(desk: TestClient) -> None:
    assert "12345" in desk.get("/").text
    assert "zh:" in desk.get("/static/strings.js").text
    assert "/api/v1/queues/{name}" in desk.get("/api/openapi.json").json()["paths"]


def test_the_api_can_be_tried_out_without_the_internet(desk: TestClient) -> None:
    page = desk.get("/api/docs").text
    assert "/api/openapi.json" in page
    files = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sorted(file.rpartition(".")[2] for file in files) == ["css", "js", "png"]
    for file in files:
        assert file.startswith("/api/docs/files/")
        assert desk.get(file).status_code == 200


def test_a_node_that_follows_shows_its_cluster_and_changes_nothing(
    desk: TestClient, hotline: PaperHotline
) -> None:
    hotline.leads = False
    status = desk.get("/api/v1/cluster").json()
    assert (status["role"], status["leader"], status["epoch"]) == ("following", "node-1", 3)
    refused = desk.put("/api/v1/agents/8001/state", json={"state": "ready"})
    assert (refused.status_code, refused.json()["detail"]) == (503, "node-1 leads")
    assert desk.get("/api/v1/queues").status_code == 200


def test_bans_are_listed_and_lifted(desk: TestClient, hotline: PaperHotline) -> None:
    assert [ban["source"] for ban in desk.get("/api/v1/bans").json()] == ["192.0.2.66"]
    assert desk.delete("/api/v1/bans/192.0.2.66").json()["why"] == "wrong password"
    assert desk.delete("/api/v1/bans/192.0.2.67").status_code == 404
    assert hotline.asked == [("192.0.2.66",), ("192.0.2.67",)]


def test_messages_are_traced_over_a_socket(desk: TestClient, hotline: PaperHotline) -> None:
    with desk.websocket_connect("/api/v1/trace?call=c1") as socket:
        assert socket.receive_json() == {"tracing": True}
        seen = socket.receive_json()
        assert (seen["call"], seen["remote"]) == ("c1", ["192.0.2.1", 5060])
        assert seen["data"] == "T1BUSU9OUw=="
    assert hotline.asked == [("c1", False)]
    assert hotline.traced.closed
