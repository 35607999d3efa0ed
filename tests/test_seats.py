"""One caller may have every place where requests wait for jobs, until there is another."""

from __future__ import annotations

from contextlib import ExitStack

from geomill.app.seats import AROUND, Seats

ANN, BEN, OTHER_ANN = ("default", "ann"), ("default", "ben"), ("acme", "ann")


def test_while_others_ask_a_caller_has_half_of_the_places() -> None:
    moment = [0.0]
    seats = Seats(4, lambda: moment[0])
    with ExitStack() as first:
        assert [first.enter_context(seats.one(ANN)) for _ in range(5)] == [True] * 4 + [False]
        with seats.one(BEN) as given:
            assert not given  # but he was there
    with ExitStack() as later:
        assert [later.enter_context(seats.one(ANN)) for _ in range(3)] == [True, True, False]
        assert [later.enter_context(seats.one(BEN)) for _ in range(2)] == [True, True]
        with seats.one(OTHER_ANN) as given:
            assert not given  # there is none
        moment[0] = AROUND
        with seats.one(ANN) as given:
            assert not given
    with ExitStack() as alone:
        moment[0] = 2 * AROUND
        assert [alone.enter_context(seats.one(ANN)) for _ in range(4)] == [True] * 4


def test_who_has_a_place_is_there_however_long_ago_he_asked() -> None:
    moment = [0.0]
    seats = Seats(4, lambda: moment[0])
    with ExitStack() as stack:
        assert stack.enter_context(seats.one(BEN))
        moment[0] = 2 * AROUND
        assert [stack.enter_context(seats.one(ANN)) for _ in range(3)] == [True, True, False]


def test_where_there_is_one_place_anybody_may_have_it() -> None:
    seats = Seats(1)
    for whose in (ANN, BEN):
        with seats.one(whose) as given:
            assert given
