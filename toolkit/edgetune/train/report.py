"""What a run tells people: `report.html`, self-contained, and a model card for each adapter."""

import base64
import html
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from edgetune.config import TrainConfig
from edgetune.train.summary import RunSummary, is_kept

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em;
  color: #222; background: #fff }
table { border-collapse: collapse; margin: 1em 0 }
th, td { text-align: right; padding: .25em .8em; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
img { max-width: 100% } pre { background: #f5f5f5; padding: 1em; overflow: auto }
"""

_HEAD = (
    *("adapter", "examples", "seen", "dropped", "steps", "minutes", "tokens/s", "train loss"),
    *("dev examples", "dev loss", "dev token accuracy", "dev exact match"),
)

_PLAIN = {
    "selector": "picks which tool is called next, or `respond` where none is",
    "router": "picks the toolset that serves the next step",
    "arguments": "writes the arguments of one tool",
    "monolithic": "writes whole calls: the baseline that the decoupled adapters are compared with",
}


def report_html(summary: RunSummary, config: TrainConfig, curves: bytes) -> str:
    """The report of a finished run; `curves` is a PNG. Loads nothing from elsewhere."""
    rows = [_row(name, adapter) for name, adapter in summary.adapters.items()]
    picture = base64.b64encode(curves).decode()
    recipe = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    title = f"Training run {html.escape(summary.output.name)}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>
<body><h1>{title}</h1>
<p>Base <b>{html.escape(summary.base)}</b>, weights <code>{summary.weights_sha256[:16]}</code>;
{len(summary.adapters)} adapters in {summary.seconds / 60:.1f} minutes on {summary.device}, matrix
products in {summary.precision}.{_grown(summary)}</p>
{_table(_HEAD, rows)}
<p>Dev figures are under teacher forcing: each token is predicted from the right ones before it.
Exact match is the share of examples without one wrong token. How well whole calls come out is what
<code>edgetune eval</code> measures.</p>
<h2>Curves</h2><img alt="loss and exact match by step"
src="data:image/png;base64,{picture}">
<h2>Recipe</h2><pre>{html.escape(recipe)}</pre>
</body></html>
"""


def model_card(name: str, metrics: Mapping[str, Any], base: str, config: TrainConfig) -> str:
    """`README.md` of an adapter's directory."""
    adapter = config.adapter_of(metrics["role"])
    front = yaml.safe_dump(
        {"library_name": "peft", "base_model": base, "tags": ["lora", "tool-calling"]},
        sort_keys=False,
    )
    dev = metrics["dev"]
    measured = (
        f"On {dev['examples']} dev examples, under teacher forcing: loss {dev['loss']:.4f}, token "
        f"accuracy {dev['token_accuracy']:.4f}, exact match {dev['exact_match']:.4f}."
        if dev
        else "It was not measured: the run had no dev records."
    )
    where = ", ".join(adapter.targets)
    if adapter.layers:
        where += f" of the upper {adapter.layers} layers"
    scale = "alpha / sqrt(rank), rsLoRA" if adapter.rslora else "alpha / rank"
    return f"""---
{front}---

# {name}

A LoRA that {_PLAIN[metrics["role"]]}. It belongs to the base `{base}` of this run
(`../../base`), on whose weights (dequantized, where they are int4) it was trained, and to no other.

- role: {metrics["role"]}{f", tool: {metrics['tool']}" if metrics["tool"] else ""}
- rank {adapter.rank}, alpha {adapter.alpha:g}, scale {scale}, on {where}
- {metrics["examples"]} examples, {metrics["examples_seen"]} seen in {metrics["steps"]} steps; the
  weights are those of step {metrics["kept_step"]}

{measured}

`edgetune export` turns the run into a bundle. With PEFT alone, load the base dequantized first:
`PeftModel.from_pretrained(edgetune_export.weights.base.load_base("../../base").model(), ".")`.
"""


def _grown(summary: RunSummary) -> str:
    if summary.grown_from is None:
        return ""
    kept = sum(map(is_kept, summary.adapters.values()))
    return f" {kept} of them are those of {html.escape(summary.grown_from)}, as they were."


def _row(name: str, adapter: Mapping[str, Any]) -> list[str]:
    dev = adapter["dev"] or {}
    return [
        name,
        str(adapter["examples"]),
        str(adapter["examples_seen"]),
        str(adapter["dropped"]),
        str(adapter["steps"]),
        "kept" if is_kept(adapter) else f"{adapter['seconds'] / 60:.1f}",
        f"{adapter['tokens_per_s']:.0f}",
        f"{adapter['train_loss']:.4f}",
        str(dev.get("examples", "-")),
        *(f"{dev[key]:.4f}" if dev else "-" for key in ("loss", "token_accuracy", "exact_match")),
    ]


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def line(cells: Iterable[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

    return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"
