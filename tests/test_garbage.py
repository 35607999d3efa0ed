"""The search for garbage is put off, and goes on again, whoever puts it off beside others."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from geomill.app import garbage


def test_it_goes_on_afterwards_and_after_an_error() -> None:
    with garbage.put_off():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), garbage.put_off():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_it_goes_on_when_the_last_is_done() -> None:
    begun, first_is_done = Event(), Event()

    def second() -> bool:
        with garbage.put_off():
            begun.set()
            first_is_done.wait(10)
            return gc.isenabled()

    with ThreadPoolExecutor(1) as pool:
        with garbage.put_off():
            went_on = pool.submit(second)
            assert begun.wait(10)
        first_is_done.set()
        assert went_on.result() is False
    assert gc.isenabled()


def test_who_had_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with garbage.put_off():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
