"""Fixtures that every package's tests share: tiny random bases and a small toolset."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from edgetune_export.cache import cache_folder
from edgetune_runtime.calls import Tool, Toolset

USERS_BASES = cache_folder("bases")
"""Where `edgetune base get` keeps what it fetched; tests have a cache of their own."""

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

CHAT_TEMPLATE = """\
{%- if tools %}
    {{- '<|im_start|>system\\n# Tools\\n<tools>' }}
    {%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
    {{- '\\n</tools><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'tool' %}
        {{- '<|im_start|>user\\n<tool_response>\\n' + message.content
            + '\\n</tool_response><|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' }}
        {%- if message.content %}{{- message.content }}{%- endif %}
        {%- for call in message.tool_calls or [] %}
            {{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
            {{- call.function.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""
"""A chat template of the Hermes kind: tools as JSON lines, calls between `<tool_call>` marks."""


@pytest.fixture(scope="session", autouse=True)
def _no_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The user's cache is left alone, and nothing is taken from one test to another: a test of the
    cache says how much it may hold."""
    os.environ["EDGETUNE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["EDGETUNE_CACHE_GB"] = "0"


@pytest.fixture(scope="session")
def real_gguf() -> Path:
    """SmolLM2-135M as `edgetune base get smollm2-135m` keeps it; tests skip where it is absent."""
    found = next(USERS_BASES.glob("smollm2-135m/*.gguf"), None)
    if found is None:
        pytest.skip("SmolLM2 is not here as GGUF: `edgetune base get smollm2-135m` fetches it")
    return found


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is not here: real evaluation data is kept outside the repo")
    return SHARED_DATA


@pytest.fixture(scope="session")
def weather_toolset() -> Toolset:
    """Three tools: one with required, ranged and enumerated parameters, one without any."""
    return Toolset(
        "home",
        "Weather and alarms.",
        (
            Tool(
                "get_weather",
                "Look up the weather forecast.",
                {
                    "type": "object",
                    "properties": {
                        "city": {"type": "string", "description": "the city"},
                        "days": {"type": "integer", "minimum": 1, "maximum": 14},
                        "unit": {"enum": ["celsius", "fahrenheit"]},
                    },
                    "required": ["city"],
                    "additionalProperties": False,
                },
            ),
            Tool(
                "set_alarm",
                "Set an alarm.",
                {
                    "type": "object",
                    "properties": {"time": {"type": "string"}, "label": {"type": "string"}},
                    "required": ["time"],
                    "additionalProperties": False,
                },
            ),
            Tool("cancel_alarms", "Cancel every alarm.", {"type": "object", "properties": {}}),
        ),
    )


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A factory of tiny random checkpoints, one directory for each family and kind of head."""
    made: dict[tuple[str, bool, int, int], Path] = {}

    def make(family: str = "qwen2", *, tied: bool = True, seed: int = 0, spare: int = 0) -> Path:
        key = (family, tied, seed, spare)
        if key not in made:
            made[key] = tmp_path_factory.mktemp(f"{family}-{'tied' if tied else 'untied'}-{seed}")
            _write_checkpoint(made[key], family, tied, seed, spare)
        return made[key]

    return make


def _write_checkpoint(directory: Path, family: str, tied: bool, seed: int, spare: int) -> None:
    """`spare` rows of the embedding have no token."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = _tiny_tokenizer()
    tokenizer.save_pretrained(directory)
    config = AutoConfig.for_model(
        family,
        vocab_size=len(tokenizer) + spare,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        intermediate_size=96,
        max_position_embeddings=1024,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Wider than the default initialisation, so that logits are not all alike.
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(directory)


def _tiny_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=384,
        special_tokens=[
            "<|endoftext|>",
            "<|im_start|>",
            "<|im_end|>",
            "<tool_call>",
            "</tool_call>",
        ],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    text = (
        '{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3, "unit": "celsius"}}\n'
        '{"name": "set_alarm", "arguments": {"time": "7:30", "label": "wake up"}}\n'
        "set an alarm for half past seven and tell me the weather in the city of Oslo\n"
    )
    tokenizer.train_from_iterator([text] * 8, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


@pytest.fixture
def tiny_gguf(tiny_checkpoint: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A factory of GGUF files of tiny checkpoints, as llama.cpp's converter writes them:
    `tiny_gguf(family, kind="Q8_0", tied=…, keys={key: value or None}, tensors={name: array})`."""

    def make(
        family: str = "llama",
        *,
        kind: str = "F32",
        tied: bool = True,
        name: str = "tiny.gguf",
        keys: dict[str, Any] | None = None,
        tensors: dict[str, Any] | None = None,
    ) -> Path:
        source = tiny_checkpoint(family, tied=tied)
        _write_gguf(tmp_path / name, source, kind, keys or {}, tensors or {})
        return tmp_path / name

    return make


def _write_gguf(
    path: Path, source: Path, kind: str, keys: dict[str, Any], tensors: dict[str, Any]
) -> None:
    """`keys` and `tensors` take the place of the model's own; None leaves one out."""
    from gguf import MODEL_ARCH, GGMLQuantizationType, GGUFWriter, get_tensor_name_map, quantize
    from safetensors.numpy import load_file

    config = json.loads((source / "config.json").read_text())
    words = json.loads((source / "tokenizer.json").read_text())
    family = config["model_type"]
    tokens = sorted(words["model"]["vocab"], key=words["model"]["vocab"].get)
    special = {each["content"]: 3 if each["special"] else 4 for each in words["added_tokens"]}
    values = {
        f"{family}.context_length": config["max_position_embeddings"],
        f"{family}.embedding_length": config["hidden_size"],
        f"{family}.block_count": config["num_hidden_layers"],
        f"{family}.feed_forward_length": config["intermediate_size"],
        f"{family}.attention.head_count": config["num_attention_heads"],
        f"{family}.attention.head_count_kv": config["num_key_value_heads"],
        f"{family}.attention.key_length": config["head_dim"],
        f"{family}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{family}.rope.freq_base": 20000.0,
        f"{family}.rope.dimension_count": config["head_dim"],
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [special.get(token, 1) for token in tokens],
        "tokenizer.ggml.merges": [" ".join(merge) for merge in words["model"]["merges"]],
        "tokenizer.ggml.eos_token_id": tokens.index("<|im_end|>"),
        "tokenizer.ggml.padding_token_id": tokens.index("<|endoftext|>"),
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }
    writer = GGUFWriter(path, family)
    adds = {str: writer.add_string, int: writer.add_uint32, float: writer.add_float32}
    adds |= {list: writer.add_array, bool: writer.add_bool}
    for key, value in (values | keys).items():
        if value is not None:
            adds[type(value)](key, value)
    names = get_tensor_name_map(MODEL_ARCH[family.upper()], config["num_hidden_layers"])
    stored: dict[str, Any] = {}
    for name, tensor in load_file(source / "model.safetensors").items():
        heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
        part = next((each for each in heads if each in name), None)
        if family == "llama" and part:  # llama.cpp interleaves the halves of each head
            pairs = tensor.reshape(config[heads[part]], 2, -1, *tensor.shape[1:])
            tensor = pairs.swapaxes(1, 2).reshape(tensor.shape)
        stored[names.get_name(name, try_suffixes=(".weight", ".bias"))] = tensor
    for name, tensor in (stored | tensors).items():
        if tensor is not None:
            type_ = GGMLQuantizationType[kind if tensor.ndim == 2 else "F32"]
            writer.add_tensor(name, quantize(tensor, type_), raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="session")
def tiny_run(tiny_checkpoint, weather_toolset, tmp_path_factory) -> Callable[..., Path]:
    """A factory of run directories as training leaves them, with random adapters:
    `tiny_run(family, seed=…, invocation=…)`, activated ones with an invocation."""
    made: dict[tuple[str, int, int, str], Path] = {}

    def make(family: str = "qwen2", *, seed: int = 0, rank: int = 4, invocation: str = "") -> Path:
        key = (family, seed, rank, invocation)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("run") / "run"
            _write_run(
                made[key], tiny_checkpoint(family, seed=seed), weather_toolset, rank, invocation
            )
        return made[key]

    return make


def _write_run(path: Path, checkpoint: Path, toolset: Any, rank: int, invocation: str) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from edgetune_export.weights.base import load_base
    from edgetune_runtime.files import write_json
    from edgetune_runtime.toolsets import dump_toolsets

    base = load_base(checkpoint, path / "base", name="tiny")
    write_json(path / "tools.json", dump_toolsets([toolset]))
    (path / "data").mkdir()
    with (path / "data" / "train.jsonl").open("w", encoding="utf-8") as file:
        for request, call in (
            ("Weather in Oslo?", {"name": "get_weather", "arguments": {"city": "Oslo"}}),
            ("Wake me at 7:30", {"name": "set_alarm", "arguments": '{"time": "7:30"}'}),
            ("No more alarms", {"name": "cancel_alarms", "arguments": {}}),
        ):
            calls = [{"type": "function", "function": call}]
            answer = {"role": "assistant", "content": None, "tool_calls": calls}
            record = {"messages": [{"role": "user", "content": request}, answer]}
            file.write(json.dumps(record) + "\n")
    served = [("selector", None), ("monolithic", None)]
    served += [("arguments", tool.name) for tool in toolset.tools if tool.has_parameters]
    adapters = []
    for seed, (role, tool) in enumerate(served):
        name = f"{toolset.name}.{role}" + (f".{tool}" if tool else "")
        torch.manual_seed(seed)
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=rank,
            lora_alpha=2 * rank,
            use_rslora=True,
            target_modules="all-linear",
            alora_invocation_tokens=base.tokenizer.encode(invocation) or None,
        )
        model = get_peft_model(base.model(), config)
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if "lora_B" in key:
                    parameter.normal_(0, 0.05)
        model.save_pretrained(path / "adapters" / name)
        adapters.append(
            {
                "name": name,
                "role": role,
                "toolset": toolset.name,
                "tool": tool,
                "directory": f"adapters/{name}",
                "rank": rank,
                "data_sha256": "0" * 64,
                "examples": 3,
                "steps": 1,
                **({"selection_temperature": 1.5} if role == "selector" else {}),
            }
        )
    about = {"name": base.name, "revision": None, "weights_sha256": base.weights_sha256}
    write_json(
        path / "run.json",
        {
            "edgetune": "0",
            "config": {
                "prompt": {"tools": "compact"},
                "adapter": {"kind": "alora" if invocation else "lora"},
            },
            "base": about,
            "adapters": adapters,
            "copied": {"get_weather": ["city"]},
            "complete": True,
        },
    )


@pytest.fixture(scope="session")
def tiny_bundle(tiny_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX bundle of a tiny run, with a zip beside it; copy it to change it."""
    from edgetune_export.bundle import write_bundle
    from edgetune_export.run import open_run

    path = tmp_path_factory.mktemp("bundles") / "home"
    write_bundle(open_run(tiny_run()), path, ["onnx"], zip=True)
    return path


@pytest.fixture(scope="session")
def nano_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded base with the built-in phone tools and no adapter, lowered to ONNX."""
    from edgetune.nano.ship import PACKAGE_BASE
    from edgetune.tools.reader import builtin_tools
    from edgetune_export.bundle import write_bundle
    from edgetune_export.run import Run
    from edgetune_export.weights.base import load_base

    path = tmp_path_factory.mktemp("nano") / "bundle"
    toolset = builtin_tools("phone_actions")
    run = Run(path, {}, load_base(PACKAGE_BASE), {toolset.name: toolset}, (), {})
    write_bundle(run, path, ["onnx"])
    return path
