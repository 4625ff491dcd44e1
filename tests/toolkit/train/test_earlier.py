"""What a run cannot grow from: one sentence, nothing written, and the earlier run as it was."""

import json
import re
import shutil

import pytest

from edgetune.cli import main
from edgetune.train.run import train
from edgetune_runtime.files import sha256_file


@pytest.fixture(scope="module")
def first(things, tmp_path_factory):
    path = tmp_path_factory.mktemp("earlier") / "run"
    train(things(["alarm"]), path)
    return path


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"path": "nowhere"}, "nowhere is no training run"),
        ({"complete": False}, "is not finished; run its"),
        ({"config": {"mode": "x"}}, "none of this edgetune's"),
        ({"name": "garden"}, r"has none of the adapters garden\.selector, .* its name there"),
        ({"start": True}, r"'train\.start' and --from contradict"),
        ({"weights": None}, "adapter_model.safetensors is missing; put it back"),
        ({"output": "same"}, "is --output, too"),
        ({"base": 3}, r"was trained on a base of the float checkpoint .* give a run on the same"),
        ({"quantization": "rtn"}, r"'base\.quantization' is rtn, but .* made with mse"),
    ],
)
def test_what_it_cannot_grow_from_is_one_sentence(
    things, first, tmp_path, tiny_checkpoint, monkeypatch, capsys, spoil, said
):
    run = tmp_path / "spoilt"
    shutil.copytree(first, run)
    extra = ""
    if "start" in spoil:
        extra = f"arguments: {{train: {{start: {run}}}}}\n"
    elif "weights" in spoil:
        (run / "adapters" / "home.selector" / "adapter_model.safetensors").unlink()
    else:
        about = json.loads((run / "run.json").read_text())
        about |= {key: spoil[key] for key in ("complete", "config") if key in spoil}
        (run / "run.json").write_text(json.dumps(about))
    base = tiny_checkpoint("qwen2", seed=spoil["base"]) if "base" in spoil else None
    if "quantization" in spoil:
        base = f"{tiny_checkpoint('qwen2')}, quantization: {spoil['quantization']}"
    config = things(["alarm", "fan"], extra, name=spoil.get("name", "home"), base=base)
    source = tmp_path / spoil["path"] if "path" in spoil else run
    output = run if "output" in spoil else tmp_path / "run"
    before = files(run)
    command = ("train", config.source, "--from", source, "--output", output)
    monkeypatch.setattr("sys.argv", ["edgetune", *map(str, command)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    printed = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(said, printed), printed
    assert not (tmp_path / "run").exists()
    assert files(run) == before


def files(folder):
    return {path: sha256_file(path) for path in folder.rglob("*") if path.is_file()}
