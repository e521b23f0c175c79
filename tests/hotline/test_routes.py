"""Called numbers find their queue."""

from hotline.routes import Routes

ROUTES = Routes([("12345", "hotline"), ("0551*", "city"), ("05511*", "district"), ("110", "x")])


def test_an_exact_number_wins() -> None:
    assert ROUTES.find("12345") == "hotline"


def test_the_longest_prefix_wins() -> None:
    assert ROUTES.find("055112345") == "district"
    assert ROUTES.find("055122") == "city"


def test_a_number_that_nobody_answers_is_none() -> None:
    assert ROUTES.find("123456") is None
    assert ROUTES.find("") is None
    assert Routes([("*", "all")]).find("") == "all"
