"""What targets require of a base is told from its configuration, before anything is made."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgetune_export.bundle import write_bundle
from edgetune_export.lowering.targets import TARGETS, refusals
from edgetune_export.run import open_run
from edgetune_runtime.errors import InputError


def described(rope="default", act="silu", rows=4096):
    config = SimpleNamespace(
        rope_parameters=rope and {"rope_type": rope}, hidden_act=act, vocab_size=rows
    )
    return SimpleNamespace(directory=Path("base"), config=config)


@pytest.mark.parametrize("rope", ["default", "llama3", None])
def test_every_target_takes_the_bases_that_it_computes_faithfully(rope):
    assert refusals(described(rope)) == {}


@pytest.mark.parametrize("rope", ["yarn", "longrope", "dynamic", "linear", "made-up"])
def test_rotary_embeddings_that_no_target_takes_are_refused_by_name(rope):
    with pytest.raises(
        InputError, match=rf"^base/config\.json: no target takes this base: rope_type '{rope}'"
    ):
        refusals(described(rope))


def test_what_only_some_targets_refuse_is_told_target_by_target():
    assert list(refusals(described(rows=4097))) == ["vulkan"]
    assert list(refusals(described(act="gelu"))) == ["executorch", "qnn", "coreml", "vulkan"]
    assert refusals(described(act="swish")) == {}
    with pytest.raises(InputError, match=r"no target takes this base: hidden_act 'quick_gelu'"):
        refusals(described(act="quick_gelu"))
    with pytest.raises(InputError, match=r"config\.json: hidden_act 'gelu' cannot be lowered"):
        TARGETS["qnn"].accept(described(act="gelu"))


def test_nothing_heavy_is_imported_to_tell():
    program = (
        "import sys; from pathlib import Path; from types import SimpleNamespace as N\n"
        "from edgetune_export.lowering.targets import refusals\n"
        "c = N(rope_parameters=None, hidden_act='silu', vocab_size=7)\n"
        "assert list(refusals(N(directory=Path(), config=c))) == ['vulkan']\n"
        "assert not {'torch', 'onnx', 'executorch', 'transformers'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_export_refuses_by_the_same_table_before_anything_is_made(tiny_run, tmp_path, monkeypatch):
    never = replace(TARGETS["onnx"], requires=(lambda config: "not today",))
    monkeypatch.setitem(TARGETS, "onnx", never)
    monkeypatch.setattr("edgetune_export.bundle.run_assets", None)
    with pytest.raises(InputError, match=r"config\.json: not today; choose another base or anoth"):
        write_bundle(open_run(tiny_run()), tmp_path / "bundle", ["onnx"])
    assert not list(tmp_path.iterdir())
