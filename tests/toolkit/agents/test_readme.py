"""The README's lines for Python functions run as they stand there."""

import os
import re
import runpy
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[3] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def phone(tiny_bundle, tmp_path, monkeypatch):
    """A folder in which `bundles/phone` is a bundle."""
    (tmp_path / "bundles").mkdir()
    os.symlink(tiny_bundle, tmp_path / "bundles" / "phone")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("block", BLOCKS, ids=["sync", "async"])
def test_the_lines_run(phone, capsys, block):
    assert len(block.strip().splitlines()) <= 12
    (phone / "lines.py").write_text(block)
    ran = runpy.run_path("lines.py")
    answered = ran["answered"]
    assert answered.ended.turns[0].text == "what is 70 degrees Fahrenheit in Celsius?"
    assert answered.ended.because in ("replied", "repeated", "too many steps")
    for proposed, observed in answered.calls:
        assert proposed.untrained
        assert proposed.step.toolset == "functions"
        assert observed.how in ("ok", "error")
    assert capsys.readouterr().out == f"{answered.text}\n"
