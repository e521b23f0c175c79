"""Forking: the first answer wins, one failure after another is weighed."""

from callcore.call.fork import Failure, Fork


def test_the_first_answer_wins_and_the_others_are_hung_up():
    fork = Fork("L").started("a").started("b").started("c")
    fork, losers = fork.won("b")
    assert fork.winner == "b"
    assert losers == ("a", "c")


def test_a_dead_peer_leaves_the_next_to_try_and_a_busy_one_does_not():
    fork = Fork("L", waiting=("second",)).started("a")
    assert fork.failed("a", Failure(503, "", "remote")).waiting == ("second",)
    assert fork.failed("a", Failure(408, "", "timeout")).waiting == ("second",)
    assert fork.failed("a", Failure(486, "", "remote")).waiting == ()
    assert fork.heard().failed("a", Failure(503, "", "remote")).waiting == ()


def test_the_best_of_several_refusals_is_told():
    fork = Fork("L").started("a").started("b").started("c")
    for branch, status in (("a", 503), ("b", 486), ("c", 480)):
        fork = fork.failed(branch, Failure(status, "", "remote"))
    assert fork.best == Failure(480, "", "remote")
    assert fork.ringing == ()
    assert fork.started("d").failed("d", Failure(603, "", "remote")).best == Failure(
        603, "", "remote"
    )
