"""What descriptions say of a parameter's values."""

import pytest

from edgetune.generate.described import described, form_like, form_of, unit_in


@pytest.mark.parametrize(
    ("text", "examples"),
    [
        ("Kind of cancer (e.g., lung, skin, blood cell)", ("lung", "skin", "blood cell")),
        ("Zone name (e.g., 'Asia/Tokyo', 'Europe/Rome'). Use 'X' else.",
         ("Asia/Tokyo", "Europe/Rome")),
        ("A tree such as oak, elm or ash.", ("oak", "elm", "ash")),
        ("A tree, for example 'oak'.", ("oak",)),
        ("Colour, like 'red' or 'dark blue'", ("red", "dark blue")),
        ("Example: oak", ("oak",)),
        ("What the user would like to eat", ()),
        ("The user's name, not the owner's", ()),
    ],
)  # fmt: skip
def test_examples_are_read_as_people_list_them(text, examples):
    assert described(text).examples == examples
    assert not described(text).listed


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("One of 'asc', 'desc'", ("asc", "desc")),
        ("Must be one of: low, medium, high", ("low", "medium", "high")),
        ("Unit (celsius or fahrenheit)", ("celsius", "fahrenheit")),
        ("Whether local ones ('local'), or all of them('all').", ("local", "all")),
    ],
)
def test_a_list_of_all_values_is_told_from_examples(text, values):
    says = described(text)
    assert (says.examples, says.listed) == (values, True)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Time in 24-hour format (HH:MM)", "%H:%M"),
        ("Day (YYYY-MM-DD)", "%Y-%m-%d"),
        ("Day as DD.MM.YYYY", "%d.%m.%Y"),
        ("Start, YYYY-MM-DDTHH:MM:SS", "%Y-%m-%dT%H:%M:%S"),
        ("ISO 8601 date", "%Y-%m-%d"),
        ("An ISO 8601 timestamp", "%Y-%m-%dT%H:%M:%S"),
        ("When it starts", ""),
    ],
)
def test_forms_of_dates_and_times_are_read(text, form):
    assert form_of(text) == form


def test_an_example_tells_the_form_and_is_none_more():
    says = described("Day of the visit (e.g., 2022-12-31)")
    assert (says.form, says.examples) == ("%Y-%m-%d", ())
    assert form_like("09:00 AM") == "%I:%M %p"


def test_units_and_what_is_counted_are_read():
    assert described("Duration of the operation in seconds").unit == "seconds"
    assert described("Weight (kg)").unit == "kg"
    assert described("Number of steps in the operation").counted == "steps"
    assert described("Maximum number of result pages to return").counted == "result pages"
    assert (unit_in("timeout seconds"), unit_in("delay ms"), unit_in("seconds")) == (
        "seconds",
        "milliseconds",
        "",
    )
