"""People see a line a rung, with the detail that tells most; programs see every check."""

from edgetune_export.verify.checks import Check, Verification

CHECKS = [
    Check("files", None, True, "3 files"),
    Check("blob", "a", True, "rank 4"),
    Check("blob", "b", True, "rank 4"),
    Check("scale", "a", True, "7 slots"),
    Check("onnx: logits", "a", True, "within 1 %", strain=0.3),
    Check("onnx: logits", "b", True, "within 3 %", strain=0.9),
    Check("scale", "b", True, "14 slots"),
]


def test_checks_of_one_kind_are_one_rung():
    found = Verification(CHECKS)
    assert [(rung.name, len(rung.checks)) for rung in found.rungs] == [
        *(("files", 1), ("blob", 2), ("scale", 2), ("onnx: logits", 2))
    ]
    assert found.ok


def test_a_rung_tells_what_all_say_or_the_check_that_came_nearest_to_failing():
    assert [rung.detail for rung in Verification(CHECKS).rungs] == [
        *("3 files", "rank 4", "for example, a: 7 slots", "at worst, b: within 3 %")
    ]


def test_programs_get_every_check_by_name():
    failed = Check("blob", "c", False, "c.safetensors: is of another base")
    found = Verification([*CHECKS, failed])
    assert not found.ok
    assert [rung.failed for rung in found.rungs] == [[], [failed], [], []]
    result = found.as_json()
    assert not result["ok"]
    assert [check["name"] for check in result["checks"]][3:6] == [
        *("scale: a", "onnx: logits: a", "onnx: logits: b")
    ]
    assert result["checks"][-1] == {
        "name": "blob: c",
        "ok": False,
        "detail": "c.safetensors: is of another base",
    }
