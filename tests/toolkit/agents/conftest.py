"""What the tests of agents share: a tokenizer with marks, and agents of scripted models."""

import pytest
from scripted import NOTES, Notes, Scripted
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from edgetune.agents.guarded import Marks
from edgetune.agents.loop import ToolAgent
from edgetune.agents.served import Served
from edgetune_runtime.assets import Assets, ToolsetAssets
from edgetune_runtime.prompt import Pieces


@pytest.fixture(scope="session")
def marked() -> Assets:
    """Assets of the notes: `<|im_start|>`, `<tool_call>` are tokens, `<tool_response>` is none."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(m, special=True) for m in ("<|im_start|>", "<|im_end|>")],
        show_progress=False,
    )
    tokenizer.train_from_iterator(["a note"], trainer)
    tokenizer.add_tokens([AddedToken("<tool_call>", special=False, normalized=False)])
    pieces = Pieces(
        user=("<|im_start|>user\n", "<|im_end|>\n"),
        assistant=("<|im_start|>assistant\n", "<|im_end|>\n"),
        result=("<|im_start|>user\n<tool_response>\n", "\n</tool_response><|im_end|>\n"),
        call_open='<tool_call>\n{"name": "',
        call_middle='", "arguments": ',
        call_close="}\n</tool_call>",
    )
    toolsets = {"notes": ToolsetAssets(NOTES, None, None, {})}
    return Assets(tokenizer, None, pieces, "", toolsets, {}, ())


@pytest.fixture
def tool_agent(marked):
    """A factory: `tool_agent(*steps, source=…, **options)` gives an agent and its model."""

    def make(*steps, source=None, words=("Done", "."), **options):
        model = Scripted(*steps, words=words)
        source = source or Notes()
        served = Served(marked, {"notes": source}, frozenset())
        return ToolAgent(model, served, **options), model

    return make


@pytest.fixture
def marks(marked):
    return Marks(marked)
