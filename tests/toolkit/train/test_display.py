"""What a run says of itself while it trains, in a log."""

import io
import re

from edgetune.train.display import Display
from edgetune_export import progress
from edgetune_export.console import StreamConsole


def test_a_log_tells_adapter_step_loss_speed_and_time_left(monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(progress, "console", StreamConsole(file=log))
    monkeypatch.setattr(progress, "SOON", 0.0)
    monkeypatch.setattr(progress, "TICK", 3600.0)
    with Display(tokens=1000) as display:
        display.begin("home.selector", steps=10, index=1, count=3)
        display.resumed(steps=4, tokens=400)
        display.step(tokens=100, loss=2.5)
        display._lines.look()
    first, last = log.getvalue().splitlines()
    assert re.fullmatch(
        r"1/3 home\.selector: 5 of 10, loss 2\.5000, [\d,]+ tokens/s, 0:\d\d left", first
    )
    assert last.startswith("1/3 home.selector: 5 of 10, took 0:")
