"""What Kotlin's ExecuTorch engine is held to is what Python's does."""

from executorch_steps import TABLE, as_text


def test_table_is_in_step_with_the_python_engine():
    assert TABLE.read_text() == as_text(), "run: python tests/android/executorch_steps.py"


def test_table_has_snapshots_that_run_again_in_whole_in_part_and_not_at_all():
    lines = [line.split("\t") for line in TABLE.read_text().splitlines()]
    again = {int(outcome) for step, _, outcome, _ in lines if step == "restore"}
    assert again >= {0, 1, 2, 5}
    assert any(outcome == "refused" for _, _, outcome, _ in lines)
