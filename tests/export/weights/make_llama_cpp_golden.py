"""Writes llama_cpp_golden.json: what llama.cpp makes tokens of, for the tests of GGUF tokenizers.

    npm install node-llama-cpp          # in a folder of its own; brings a built llama.cpp
    python tests/export/weights/make_llama_cpp_golden.py FOLDER SmolLM2-135M-Instruct.Q4_1.gguf

A small vocabulary is learnt from the texts themselves without cutting them into words: its merges
go across words, so that each rule of cutting gives other tokens.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from gguf import GGUFWriter
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

RULES = ("gpt-2", "default", "smollm", "qwen2", "llama-bpe")
CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
DEFINED = ("<tool_call>", "</tool_call>")
TEXTS = (
    "",
    " ",
    "Hello world",
    "  two  spaces   three    four ",
    "I'll say it's what they've done; we're I'm he'd don't",
    "I'LL SAY IT'S WHAT THEY'VE DONE; WE'RE I'M HE'D DON'T",
    "It\u2019s \u201cquoted\u201d \u2014 and\u2026",
    "1 12 123 1234 12345 1234567890",
    "pay $6.70 by 2026-11-30 at 07:30, +47 22 33 44 55",
    "x² ½ Ⅷ ٣٤٥ ४५ １２ ①",
    "3.14e-10 0x1F 1_000 v2.0.1-rc.3",
    "\n",
    "\n\n\n",
    "a\nb\n\nc\n \nd",
    "a\r\nb\r\n\r\nc\r",
    "\ttab\t\ttabs \t mixed\t\n",
    "trailing spaces   \nand   ",
    "def f(x):\n    if x == 1:\n        return {'a': [1, 2]}  # ok?\n\n\treturn None\n",
    "for(i=0;i<n;++i){a[i]+=b[i]*c;} // !!! ??? ... ---",
    'const re = /^[a-z]+\\d*$/gi; let s = "\\n";',
    '{"name": "get_x", "arguments": {"city": "New York", "days": [1, 20], "far": true}}',
    "<p class=\"x\">A &amp; B</p>",
    "https://example.com/a?b=c&d=%20#e user@example.org",
    "SELECT * FROM t WHERE a<>'b' AND c|=d^e~f;",
    "café naïve Ærøskøbing Łódź ß ﬁ",
    "cafe\u0301 n\u0303 a\u0308\u0332 Z\u0351\u036b\u0343",
    "Привет, мир! Ελληνικά",
    "日本語のテキスト、漢字。中文文本！한국어 텍스트",
    "שלום עולם مرحبا بالعالم ١٢٣",
    "हिन्दी में पाठ தமிழ் ไทยภาษา",
    "emoji 😀😃 👨‍👩‍👧‍👦 🇳🇴 👍🏽 ❤️ ☺",
    "a\u00a0b\u2003c\u3000d\u2028e\u0085f\u200bg\ufeffh",
    "  \u00a0 \u3000 x",
    "soft\u00adhyphen zero\u200djoin \u202eRTL\u202c",
    "𝒜𝓁𝓅𝒽𝒶 𝟙𝟚𝟛 𐍈 \U0001f9ff",
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
    "text<|im_end|>text <|im_end|> text<|im_en|>",
    "<tool_call>\n{\"a\": 1}\n</tool_call>",
    "< tool_call > <|endoftext|><|endoftext|>",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa !!!!!!!!!!!!!!!! ================",
    "ThisIsCamelCase snake_case_name kebab-case-name SCREAMING_CASE",
    "'s 't 'S '' ' 'llama 're1 'D",
    "¿Qué? ¡Sí! «où» №5 €10 £3 ¥7 ™ © ° ± × ÷",
    "\x00\x01\x1b[0m\x7f",
    " leading space and newline \n  then indented\n",
)  # fmt: skip
ASK = """
import {getLlama} from "node-llama-cpp";
import fs from "fs";
const llama = await getLlama({gpu: false, logLevel: "disabled", build: "never"});
const asked = JSON.parse(fs.readFileSync(process.argv[2]));
const ids = [];
for (const modelPath of asked.files) {
    const model = await llama.loadModel({modelPath, vocabOnly: true});
    ids.push(asked.texts.map((text) => Array.from(model.tokenize(text, true))));
    await model.dispose();
}
fs.writeFileSync(process.argv[3], JSON.stringify({release: llama.llamaCppRelease.release, ids}));
process.exit(0);
"""


def small_vocabulary() -> tuple[list[str], list[str]]:
    """Tokens by id, and merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=1100,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=6,
        show_progress=False,
    )
    tokenizer.train_from_iterator([text for text in TEXTS for _ in range(3)], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = [*sorted(model["vocab"], key=model["vocab"].get), *CONTROL, *DEFINED]
    return tokens, [" ".join(merge) for merge in model["merges"]]


def write_vocabulary(path: Path, rule: str, tokens: list[str], merges: list[str]) -> None:
    """A GGUF file without weights, whose text is cut into words by `rule`."""
    writer = GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(rule)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if t in CONTROL else 4 if t in DEFINED else 1 for t in tokens])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_bos_token_id(tokens.index("<|im_start|>"))
    writer.add_add_bos_token(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def main(folder: Path, real: Path) -> None:
    """Ask llama.cpp, and write the file beside this one."""
    tokens, merges = small_vocabulary()
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place) / f"{rule}.gguf" for rule in RULES]
        for rule, file in zip(RULES, files, strict=True):
            write_vocabulary(file, rule, tokens, merges)
        asked = {"files": [*map(str, files), str(real.resolve())], "texts": TEXTS}
        (Path(place) / "asked.json").write_text(json.dumps(asked))
        script = folder / "ask_llama_cpp.mjs"
        script.write_text(ASK)
        command = ["node", script.name, f"{place}/asked.json", f"{place}/told.json"]
        subprocess.run(command, cwd=folder, check=True)
        told = json.loads((Path(place) / "told.json").read_text())
    golden = {
        "llama_cpp": told["release"],
        "texts": TEXTS,
        "tokens": tokens,
        "merges": merges,
        "ids": dict(zip([*RULES, "smollm2-135m"], told["ids"], strict=True)),
    }
    target = Path(__file__).with_name("llama_cpp_golden.json")
    target.write_text(json.dumps(golden, ensure_ascii=True) + "\n")
    print(target, len(TEXTS), "texts")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
