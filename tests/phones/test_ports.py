"""Ports for phones and servers that start at the same time."""

import socket

from phones.sipp import free_media_port, free_port


def test_no_port_is_given_to_two_who_have_not_bound_it_yet() -> None:
    """Of 500 in a row, some would meet if they were drawn: that is what birthdays do."""
    media = [free_media_port() for _ in range(500)]
    sip = [free_port() for _ in range(500)]
    assert len({*media, *sip}) == 1000
    assert all(port % 4 == 0 for port in media)  # SIPp takes the next even one too


def test_a_port_that_is_bound_on_any_address_of_ours_is_passed_over() -> None:
    first = free_media_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.7.7", first + 6))  # the second one of the next pair
        assert free_media_port() != first + 4
