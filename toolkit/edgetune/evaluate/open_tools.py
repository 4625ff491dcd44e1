"""Toolsets that nobody trained and no bundle holds, as an agent serves them: made when asked for.

Of a few toolsets everything is kept, so that records or cases with the same tools share prompts,
names and grammars. Which system calls the tools is for the options of a request to say.
"""

from collections import OrderedDict
from pathlib import Path

from edgetune_export.assets import toolset_assets
from edgetune_export.prompts.template import Template
from edgetune_runtime.agent import Agent
from edgetune_runtime.assets import ToolsetAssets
from edgetune_runtime.calls import Toolset
from edgetune_runtime.toolsets import toolset_sha256

_KEPT = 32
"""How many toolsets are kept at the most; the one used longest ago makes room."""


class OpenTools:
    """Any toolset for `agent`, which was opened over the bundle or run at `path`.

    Raises InputError where the base's tokenizer or chat template cannot be read.
    """

    def __init__(self, path: Path, agent: Agent) -> None:
        is_bundle = (path / "manifest.json").is_file()
        self._template = Template.read(path if is_bundle else path / "base")
        self._vocabulary = agent.assets.vocabulary
        self._kept: OrderedDict[str, ToolsetAssets] = OrderedDict()

    def serve(self, toolset: Toolset) -> ToolsetAssets:
        """`toolset` as an agent takes it; each grammar is compiled when its tool is called.

        Raises InputError for names that the tokenizer cannot tell apart. A grammar raises
        GrammarError where its tool's schema has none.
        """
        content = toolset_sha256(toolset)
        if content not in self._kept:
            made = toolset_assets(self._template, self._vocabulary, toolset, lazy=True)
            self._kept[content] = made
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(content)
        return self._kept[content]
