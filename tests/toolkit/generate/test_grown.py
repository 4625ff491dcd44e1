"""Generated records of a toolset that has changed."""

from dataclasses import replace

from edgetune.data.records import as_source
from edgetune.generate.grown import grown_records
from edgetune_runtime.calls import RESPOND_CALL, Call, Tool, Toolset

ALARM, LIGHT = Tool("set_alarm", "Set an alarm."), Tool("set_light", "Set the light.")
BEFORE = Toolset("home", "", (ALARM, LIGHT))
HELLO = as_source("hello", RESPOND_CALL)
WAKE = as_source("wake me", Call("set_alarm"))
DIM = as_source("dim it", Call("set_light"))
BOTH = {"messages": [*WAKE["messages"], *DIM["messages"]]}


def test_nothing_changes_where_no_tool_does():
    made = [as_source("ring", Call("set_alarm"))]
    assert grown_records(BEFORE, [HELLO, WAKE, BOTH], BEFORE, made) == [HELLO, WAKE, BOTH]


def test_of_what_is_made_only_requests_for_new_tools_are_taken():
    after = Toolset("home", "", (ALARM, LIGHT, Tool("rate_book", "Rate a book.")))
    rate, again = (as_source(text, Call("rate_book")) for text in ("five stars", "Wake me!"))
    made = [as_source("ring", Call("set_alarm")), rate, again, as_source("ok", RESPOND_CALL)]
    assert grown_records(BEFORE, [HELLO, WAKE], after, made) == [HELLO, WAKE, rate]


def test_a_request_that_no_tool_served_is_dropped_where_a_new_one_might():
    after = Toolset("home", "", (ALARM, LIGHT, Tool("rate_book", "Rate a book.")))
    book = as_source("what is this book worth", RESPOND_CALL)
    assert grown_records(BEFORE, [book, HELLO], after, []) == [HELLO]


def test_records_of_changed_and_removed_tools_make_room():
    changed = replace(LIGHT, description="Set a lamp.")
    dimmed = as_source("lamp off", Call("set_light"))
    after = Toolset("home", "", (changed,))
    assert grown_records(BEFORE, [HELLO, WAKE, DIM, BOTH], after, [dimmed]) == [HELLO, dimmed]
