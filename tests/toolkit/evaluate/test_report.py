"""The report: it holds what it was given, nothing remote, and is well-formed."""

import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from edgetune.evaluate.evaluate import evaluate
from edgetune.evaluate.report import write_report
from edgetune.evaluate.table import result_view, systems_view

PROFILE = {
    "base": {"load_ms": 210.0, "rss_bytes": 96_000_000, "kv_bytes": 4_200_000},
    "adapters": [
        {
            "name": "home.selector",
            "rank": 16,
            "blob_bytes": 412_345,
            "cold_swap_ms": 1.234,
            "warm_swap_ms": 0.087,
            "resident_bytes": 412_000,
        }
    ],
    "prefill_tokens_per_s": 2345.6,
    "decode_tokens_per_s": {"base": 321.0, "adapter": 298.0},
    "call": {"prefill_tokens": 41, "decode_steps": 12, "forced_tokens": 17, "ms": 55.0},
}
VOID = {"meta", "img"}


class Nesting(HTMLParser):
    """Fails where a tag is closed that is not the innermost open one."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def result(agent, examples):
    return evaluate(agent, "home", examples, progress=False)


@pytest.fixture
def page(result, tmp_path):
    curves = tmp_path / "curves.png"
    curves.write_bytes(b"\x89PNG fake")
    write_report(
        tmp_path / "report.html",
        [result, result],
        sizes={"base": 11_500_000, "home.selector": 412_345},
        profile=PROFILE,
        curves=curves,
    )
    return (tmp_path / "report.html").read_text()


def test_report_holds_the_numbers(page):
    text = re.sub(r"<[^>]+>", " ", page)
    for number in (
        "0.750",
        "0.667",
        "0.500",
        "2 of 4 wrong",
        "1 of 3 wrong",
        "75.0%",
        "11.50 MB",
        "412.3 kB",
    ):
        assert number in text, number
    for number in ("1.23", "0.087", "2346 tokens/s", "298 with one"):
        assert number in text, number


def test_report_shows_calls_in_full_with_what_is_wrong_marked(page):
    assert "get_weather {&quot;city&quot;: &quot;Oslo&quot;}" in page
    assert "<mark>&quot;city&quot;: &quot;Roma&quot;</mark>" in page
    assert "<mark>get_weather</mark>" in page


def test_report_shows_the_calls_that_it_is_given(result, tmp_path):
    call = {"request": "ring", "tool": "set_alarm", "arguments": {"time": "7"}, "probability": 0.98}
    write_report(tmp_path / "report.html", [result], calls=[call])
    page = (tmp_path / "report.html").read_text()
    assert "set_alarm {&quot;time&quot;: &quot;7&quot;}</code> <small>0.980</small>" in page


def test_report_loads_nothing_from_elsewhere(page):
    assert "http" not in page
    assert "<script" not in page
    assert all(
        source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]*)', page)
    )


def test_report_is_well_formed_and_escapes_what_people_wrote(page):
    parser = Nesting()
    parser.feed(page)
    assert parser.open == []
    assert "hello &lt;you&gt;" in page


def test_report_shows_each_interval_and_how_far_probabilities_can_be_believed(page, result):
    low, high = result.score.intervals["selection_accuracy"]
    assert f"75.0%</b><span>right tool ({low:.1%} to {high:.1%})" in page
    assert "told 0.900, right 0.750 (" in page
    assert "is 0.150." in page
    text = re.sub(r"<[^>]+>", " ", page)
    assert re.search(r"0\.8 +1\.000 +0\.750", text)
    assert re.search(r"0\.95 +0\.000", text)


def test_report_shows_the_kinds_of_errors_of_each_tool(page):
    text = re.sub(r"<[^>]+>", " ", page)
    assert "missing  extra  wrong value  wrong type  truncated" in text
    assert re.search(r"get_weather +1 +in all +0 +0 +1 +0 +0", text)


def test_confusion_matrix_shows_each_mistake(page):
    assert "set_alarm answered with get_weather: 1 (100.0%)" in page
    assert "respond answered with respond: 1 (100.0%)" in page


def test_report_leaves_out_what_it_is_not_given(agent, examples, tmp_path):
    result = evaluate(agent, "home", examples, stage="selection", progress=False)
    write_report(tmp_path / "report.html", [result])
    page = (tmp_path / "report.html").read_text()
    assert "0.750" in page
    for absent in ("Sizes", "Swaps", "Training", "Calls in full", "arguments</h2>", "None"):
        assert absent not in page, absent


def test_tables_show_each_system_with_its_wrong_calls(result):
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(systems_view([result, result]))
    console.print(result_view(result))
    text = console.export_text()
    low, high = result.score.intervals["call_exact_match"]
    call = rf"0\.500 \({low:.2f}–{high:.2f}\)"
    row = rf"decoupled +0\.750 \(.*\) +0\.150 +0\.667 \(.*\) +{call} +2 +1\.000 +12"
    assert len(re.findall(row, text)) == 3
    assert "get_weather (1)" in text
    assert "1 wrong value" in text
