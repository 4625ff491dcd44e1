"""Silence ends with its block, for the process as for its threads."""

import logging
import os
import threading
import warnings

from edgetune_runtime.quiet import quiet, silent


def test_native_words_are_lost_within_and_heard_after(capfd):
    with silent():
        os.write(2, b"lost")
        warnings.warn("lost too", stacklevel=1)
        logging.getLogger("any").warning("lost as well")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_threads_take_turns(capfd):
    entered, left = threading.Event(), threading.Event()

    def first():
        with silent():
            entered.set()
            left.wait(0.2)

    def second():
        entered.wait()
        with silent():
            left.set()

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
    assert logging.root.manager.disable == logging.NOTSET


def test_a_closed_standard_error_is_silent_already(monkeypatch):
    def closed(_):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(os, "dup", closed)
    with silent(), quiet():
        pass
