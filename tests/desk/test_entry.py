"""Who may come in: tokens, passwords, pages of other sites."""

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from config.access import Account
from config.passwords import password_hash
from tests.desk.paper import PaperHotline, app_of


def test_a_page_of_another_site_may_not_listen(desk: TestClient) -> None:
    with (
        desk.websocket_connect("/api/v1/live", headers={"origin": "http://evil.test"}) as socket,
        pytest.raises(WebSocketDisconnect) as refused,
    ):
        socket.receive_json()
    assert refused.value.code == 4403


def test_with_a_token_everything_but_health_demands_it(hotline: PaperHotline) -> None:
    with TestClient(app_of(hotline, token="s3cret")) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/api/v1/queues").status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Bearer no"}).status_code == 401
        good = {"Authorization": "Bearer s3cret"}
        assert client.get("/metrics", headers=good).status_code == 200
        assert client.get("/?token=wrong").status_code == 401
        # A seat has its own password, and no right to the rest.
        assert client.get("/phone/").status_code == 200
        assert client.get("/phone/settings.json").json() == {
            "domain": "hotline.local",
            "sockets": ["ws://127.0.0.1:5066"],
        }
        assert client.get("/phone/../api/v1/calls").status_code == 401
        assert client.get("/phone/%2e%2e/api.py").status_code == 404
        assert client.get("/phones").status_code == 401
        assert client.get("/?token=s3cret").status_code == 200
        assert client.get("/api/v1/queues").status_code == 200  # by the cookie
        client.cookies.clear()
        with client.websocket_connect("/api/v1/live") as socket:
            with pytest.raises(WebSocketDisconnect) as refused:
                socket.receive_json()
            assert refused.value.code == 4401


def account(name: str, role: str) -> Account:
    """With a password that is its name, ten times."""
    hashed = password_hash(name * 10, b"0123456789abcdef")
    return Account(name=name, role=role, password_hash=hashed)  # type: ignore[arg-type]


def test_an_account_with_a_password_logs_in_by_it(hotline: PaperHotline) -> None:
    """RFC 7617; then by the cookie, which sockets need."""
    accounts = (account("li", "supervisor"), account("wang", "agent"))
    with TestClient(app_of(hotline, accounts=accounts)) as client:
        refused = client.get("/")
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == 'Basic realm="callcore", charset="UTF-8"'
        assert client.get("/api/v1/queues").headers["WWW-Authenticate"] == "Bearer"
        for wrong in (("li", "wang" * 10), ("nobody", "x" * 10), ("li", "")):
            assert client.get("/", auth=wrong).status_code == 401
        assert client.get("/", headers={"Authorization": "Basic !"}).status_code == 401
        assert client.get("/", auth=("li", "li" * 10)).status_code == 200
        assert client.get("/api/v1/queues").status_code == 200  # by the cookie
        assert client.get("/api/v1/me").json()["name"] == "li"
        with client.websocket_connect("/api/v1/live?since=0"):
            pass
        client.cookies.clear()
        assert client.get("/api/v1/queues").status_code == 401
        assert client.get("/", auth=("wang", "wang" * 10)).status_code == 403
        assert client.get("/api/v1/me", auth=("wang", "wang" * 10)).json()["name"] == "wang"


def test_a_password_that_a_browser_adds_to_another_site_s_request_opens_nothing(
    hotline: PaperHotline,
) -> None:
    with TestClient(app_of(hotline, accounts=(account("li", "admin"),))) as client:
        asked = {"auth": ("li", "li" * 10), "headers": {"Origin": "https://evil.example"}}
        assert client.delete("/api/v1/calls/c1", **asked).status_code == 401
        asked["headers"] = {"Origin": "http://testserver"}
        assert client.delete("/api/v1/calls/c1", **asked).status_code != 401


@pytest.mark.parametrize("origin", ["https://evil.example", "http://testserver.evil.example"])
def test_another_site_s_page_may_not_trace(desk: TestClient, origin: str) -> None:
    with (
        desk.websocket_connect("/api/v1/trace", headers={"origin": origin}) as socket,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        socket.receive_json()
    assert closed.value.code == 4403


def test_numbers_are_revealed_only_with_the_token(hotline: PaperHotline) -> None:
    """Without a token in the configuration nobody can prove that they may see them."""
    with (
        TestClient(app_of(hotline)) as client,
        client.websocket_connect("/api/v1/trace?reveal=1") as socket,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        socket.receive_json()
    assert closed.value.code == 4403
    with TestClient(app_of(hotline, token="t")) as client:
        with (
            client.websocket_connect("/api/v1/trace?reveal=1") as socket,
            pytest.raises(WebSocketDisconnect) as closed,
        ):
            socket.receive_json()
        assert closed.value.code == 4401
        given = {"authorization": "Bearer t"}
        with client.websocket_connect("/api/v1/trace?reveal=1", headers=given) as socket:
            assert socket.receive_json() == {"tracing": True}
    assert hotline.asked == [("", True)]
