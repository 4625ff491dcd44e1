"""The ONNX graph holds the canonical codes, computes what PEFT computes and runs in stock genai."""

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from transformers import AutoModelForCausalLM, AutoTokenizer

from edgetune_export.lowering.onnx import export_onnx, write_onnx_adapter
from edgetune_export.slots import read_peft
from edgetune_export.weights.base import Base, load_base
from edgetune_runtime.errors import InputError
from edgetune_runtime.onnx_engine import OnnxEngine

IDS = [5, 60, 61, 7, 200, 3, 9, 120, 17, 80]
FAMILIES = ["llama", "qwen2", "qwen3"]


@pytest.fixture(scope="module")
def exported(tiny_base, tmp_path_factory):
    """A factory of exported graphs: `exported(base, slots=…)` gives their directory."""
    made = {}

    def make(base: Base, *, slots: bool = True, accuracy_level: int = 0):
        key = (base.directory, slots, accuracy_level)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("graph") / "onnx"
            export_onnx(base, made[key], slots=slots, accuracy_level=accuracy_level)
        return made[key]

    return make


def open_engine(base: Base, directory) -> OnnxEngine:
    shape = base.shape
    return OnnxEngine(
        directory / "model.onnx",
        context_length=64,
        kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        layers=shape.layers,
        vocab_size=shape.vocab_size,
        threads=1,
    )


def greedy(engine: OnnxEngine, count: int) -> list[int]:
    engine.rewind(0)
    tokens = [int(engine.forward(IDS).argmax())]
    while len(tokens) < count:
        tokens.append(int(engine.forward(tokens[-1:]).argmax()))
    return tokens


def stored_codes(directory) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Codes `[out, in]` and scales `[out, in/32]` of every quantized node, by the node's name."""
    model = onnx.load(directory / "model.onnx")
    arrays = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type not in ("MatMulNBits", "GatherBlockQuantized"):
            continue
        place = 1 if node.op_type == "MatMulNBits" else 0
        packed = numpy_helper.to_array(arrays[node.input[place]])
        packed = packed.reshape(len(packed), -1).astype(np.int8)
        codes = np.stack((packed & 15, (packed >> 4) & 15), axis=-1).reshape(len(packed), -1) - 8
        found[node.name] = (codes, numpy_helper.to_array(arrays[node.input[2]]))
    return found


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_matrix_in_the_graph_is_the_canonical_codes(tiny_base, exported, family, tied):
    base = tiny_base(family, tied=tied)
    found = stored_codes(exported(base))
    expected = {
        f"/model/{slot.name.replace('.', '/').replace('layers/', 'layers.')}/MatMul": module
        for slot in base.slots()
        for module in (base.slot_modules[slot.name],)
    }
    expected["/model/embed_tokens/Gather"] = "model.embed_tokens"
    expected["/lm_head/MatMul"] = "model.embed_tokens" if tied else "lm_head"
    assert set(found) == set(expected)
    weights = base.quantized()
    for node, module in expected.items():
        codes, scales = found[node]
        assert np.array_equal(codes, weights[f"{module}.weight"].codes.numpy()), node
        assert np.array_equal(scales, weights[f"{module}.weight"].scales.numpy()), node


@pytest.mark.parametrize("tied", [True, False])
def test_tables_of_bytes_compute_what_transformers_does(tiny_base, exported, tied):
    base = tiny_base("llama", tied=tied, embedding_bits=8)
    directory = exported(base)
    bits = {
        node.name: {a.name: a.i for a in node.attribute}["bits"]
        for node in onnx.load(directory / "model.onnx").graph.node
        if node.op_type in ("MatMulNBits", "GatherBlockQuantized")
    }
    wide = {name for name, value in bits.items() if value == 8}
    assert wide == {"/model/embed_tokens/Gather", "/lm_head/MatMul"}
    with torch.inference_mode():
        wanted = base.model()(torch.tensor([IDS])).logits[0, -1].numpy()
    np.testing.assert_allclose(open_engine(base, directory).forward(IDS), wanted, atol=2e-5)


def test_a_tied_table_lies_in_the_data_file_once(tiny_base, exported):
    sizes = {}
    for tied in (True, False):
        directory = exported(tiny_base("qwen2", tied=tied))
        sizes[tied] = (directory / "model.onnx.data").stat().st_size
    table = 350 * 64 // 2
    assert sizes[False] - sizes[True] >= table


def test_nothing_large_is_left_in_float(tiny_base, exported):
    model = onnx.load(exported(tiny_base("qwen2")) / "model.onnx")
    readers = {}
    for node in model.graph.node:
        readers.update(dict.fromkeys(node.input, node.op_type))
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1:
            kinds = {"MatMulNBits", "GatherBlockQuantized", "GroupQueryAttention"}
            assert readers[tensor.name] in kinds or 0 in tensor.dims, tensor.name


@pytest.mark.parametrize("accuracy_level", [0, 4])
@pytest.mark.parametrize("family", FAMILIES)
def test_slots_without_an_adapter_change_no_bit(tiny_base, exported, family, accuracy_level):
    base = tiny_base(family)
    logits = []
    for slots in (True, False):
        directory = exported(base, slots=slots, accuracy_level=accuracy_level)
        engine = open_engine(base, directory)
        logits.append([engine.forward(IDS), *(engine.forward([token]) for token in IDS)])
    for with_slots, without in zip(*logits, strict=True):
        assert with_slots.tobytes() == without.tobytes()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_pefts_on_the_dequantized_base(
    tiny_base, exported, random_adapter, peft_logits, family, tied
):
    base = tiny_base(family, tied=tied)
    engine = open_engine(base, exported(base))
    adapters = [
        None,
        random_adapter(base, "wide", seed=1, r=8, use_rslora=True),
        random_adapter(base, "narrow", seed=2, r=2, target_modules=["q_proj", "down_proj"]),
    ]
    for path in adapters:
        engine.rewind(0)
        engine.activate(path and engine.prepare(read_peft(path, base).tensors))
        expected = peft_logits(base, path, IDS).numpy()
        np.testing.assert_allclose(engine.forward(IDS[:6]), expected[5], atol=1e-5)
        np.testing.assert_allclose(engine.forward(IDS[6:9]), expected[8], atol=1e-5)
        np.testing.assert_allclose(engine.forward(IDS[9:]), expected[9], atol=1e-5)


def test_biases_of_every_projection_are_carried_over(tiny_checkpoint, tmp_path, peft_logits):
    source = tmp_path / "biased"
    model = AutoModelForCausalLM.from_pretrained(
        tiny_checkpoint("llama"), attention_bias=True, mlp_bias=True, dtype=torch.float32
    )
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(source)
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (source / file).write_bytes((tiny_checkpoint("llama") / file).read_bytes())
    base = load_base(source, tmp_path / "base")
    assert sum(name.endswith("bias") for name in base.unquantized()) == 14
    logits = []
    for slots in (True, False):
        export_onnx(base, tmp_path / "onnx", slots=slots, accuracy_level=0)
        logits.append(open_engine(base, tmp_path / "onnx").forward(IDS))
    assert logits[0].tobytes() == logits[1].tobytes()
    np.testing.assert_allclose(logits[0], peft_logits(base, None, IDS)[-1], atol=1e-5)


def with_rope(tiny_checkpoint, tmp_path, rope) -> Base:
    """The tiny Llama with other rotary embeddings."""
    shutil.copytree(tiny_checkpoint("llama"), tmp_path / "source")
    path = tmp_path / "source/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rope_parameters": rope}))
    return load_base(tmp_path / "source", tmp_path / "base")


def test_rotary_embeddings_of_llama_3_are_drawn_faithfully(tiny_checkpoint, tmp_path, peft_logits):
    rope = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    }
    base = with_rope(tiny_checkpoint, tmp_path, rope)
    export_onnx(base, tmp_path / "onnx")
    ids = IDS * 6
    found = open_engine(base, tmp_path / "onnx").forward(ids)
    np.testing.assert_allclose(found, peft_logits(base, None, ids)[-1], atol=1e-5)


def test_rotary_embeddings_that_would_be_drawn_wrongly_are_refused(tiny_checkpoint, tmp_path):
    rope = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}
    base = with_rope(tiny_checkpoint, tmp_path, rope)
    with pytest.raises(InputError, match=r"config\.json: rope_type 'linear' cannot be lowered"):
        export_onnx(base, tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_int8_activations_stay_within_a_tenth_of_the_logits_spread(
    tiny_base, exported, peft_logits
):
    base = tiny_base("qwen2")
    expected = peft_logits(base, None, IDS)[-1].numpy()
    found = open_engine(base, exported(base, accuracy_level=4)).forward(IDS)
    assert np.abs(found - expected).max() < 0.1 * expected.std()


@pytest.mark.parametrize("accuracy_level", [0, 4])
@pytest.mark.parametrize("family", FAMILIES)
def test_stock_genai_gives_the_same_greedy_tokens(
    tiny_base, exported, random_adapter, tmp_path, family, accuracy_level
):
    import onnxruntime_genai as genai

    base = tiny_base(family)
    directory = exported(base, accuracy_level=accuracy_level)
    engine = open_engine(base, directory)
    model = genai.Model(str(directory))
    adapters = genai.Adapters(model)
    runs = {}
    for name in (None, "one", "two"):
        handle = None
        if name:
            path = random_adapter(base, name, seed=len(runs), r=2 ** len(runs))
            tensors = read_peft(path, base).tensors
            write_onnx_adapter(tensors, tmp_path / f"{name}.onnx_adapter")
            adapters.load(str(tmp_path / f"{name}.onnx_adapter"), name)
            handle = engine.prepare(tensors)
        engine.activate(handle)
        runs[name] = greedy(engine, 24)
    assert len({tuple(tokens) for tokens in runs.values()}) == 3
    for name in (None, "one", "two", None):
        parameters = genai.GeneratorParams(model)
        parameters.set_search_options(max_length=64)
        generator = genai.Generator(model, parameters)
        if name:
            generator.set_active_adapter(adapters, name)
        generator.append_tokens(IDS)
        for _ in range(24):
            if generator.is_done():
                break
            generator.generate_next_token()
        found = list(generator.get_sequence(0))[len(IDS) :]
        assert found == runs[name][: len(found)]
        assert len(found) == 24 or found[-1] in base.end_tokens


def test_stock_genai_reads_the_tokenizer_and_its_limits(tiny_checkpoint, exported, tmp_path):
    import onnxruntime_genai as genai

    checkpoint = shutil.copytree(tiny_checkpoint("qwen2"), tmp_path / "checkpoint")
    # With Qwen2's class, by whose name genai knows how text is split.
    AutoTokenizer.from_pretrained(checkpoint).save_pretrained(checkpoint)
    base = load_base(checkpoint, tmp_path / "base")
    directory = exported(base)
    tokenizer = genai.Tokenizer(genai.Model(str(directory)))
    text = '<|im_start|>user\nset an alarm for 7:30<|im_end|>\n<tool_call>\n{"name": "set_alarm"'
    assert list(tokenizer.encode(text)) == base.tokenizer.encode(text)
    config = json.loads((directory / "genai_config.json").read_text())
    assert config["search"]["max_length"] == 1024
    assert config["model"]["eos_token_id"] == base.end_tokens[0]


def test_exporting_twice_gives_the_same_bytes(tiny_base, exported, tmp_path):
    base = tiny_base("qwen2")
    options = export_onnx(base, tmp_path / "onnx", accuracy_level=0)
    assert options["slots"] is True
    for file in exported(base).iterdir():
        assert file.read_bytes() == (tmp_path / "onnx" / file.name).read_bytes(), file.name
    assert [path.name for path in tmp_path.iterdir()] == ["onnx"]
    # Nor do they tell of the commit that happens to be checked out.
    model = onnx.load(tmp_path / "onnx" / "model.onnx", load_external_data=False)
    assert "+" not in model.producer_version


def test_the_builder_takes_no_file_beside_a_script_for_its_own(tmp_path):
    (tmp_path / "quantization.py").write_text("")
    script = tmp_path / "mine.py"
    script.write_text(
        "from edgetune_export.lowering.onnx import _builder\n_builder().create_model\n"
    )
    subprocess.run([sys.executable, script], check=True)
