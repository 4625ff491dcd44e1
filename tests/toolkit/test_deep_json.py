"""A file of 100,000 opening brackets is refused by its name, wherever JSON is read."""

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from typer.testing import CliRunner

from edgetune.cli import app
from edgetune.config import read_config
from edgetune.data.snips import import_snips
from edgetune.evaluate.bfcl import read_cases
from edgetune_export.prompts.template import Template
from edgetune_export.weights.checkpoint import read_json
from edgetune_runtime.bundle import manifest_digest, read_manifest
from edgetune_runtime.errors import BundleError, InputError

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("config.json", lambda path: read_json(path)),
        ("recipe.yaml", lambda path: read_config(path)),
        ("irrelevance.json", lambda path: read_cases(path)),
        ("tokenizer_config.json", lambda path: Template.read(path.parent)),
    ],
)
def test_a_file_that_nests_too_deeply_is_one_sentence(tmp_path, name, read):
    path = tmp_path / name
    path.write_text(DEEP)
    Tokenizer(WordLevel({"a": 0}, "a")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        read(path)


def test_a_snips_file_that_nests_too_deeply_is_one_sentence(tmp_path):
    folder = tmp_path / "AddToPlaylist"
    folder.mkdir()
    for name in ("train_AddToPlaylist_full.json", "validate_AddToPlaylist.json"):
        (folder / name).write_text(DEEP)
    with pytest.raises(InputError, match=r"_AddToPlaylist"):
        import_snips(tmp_path, tmp_path / "out")


def test_a_manifest_that_nests_too_deeply_is_one_sentence(tmp_path):
    (tmp_path / "manifest.json").write_text(DEEP)
    (tmp_path / "manifest.sha256").write_bytes(manifest_digest(DEEP.encode()))
    with pytest.raises(BundleError, match="is no manifest"):
        read_manifest(tmp_path)


def test_the_command_line_says_it_and_writes_nothing(tmp_path):
    (tmp_path / "tools.json").write_text(DEEP)
    command = ["data", "generate", "--tools", str(tmp_path / "tools.json")]
    done = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "out")])
    assert isinstance(done.exception, InputError)
    assert not (tmp_path / "out").exists()
