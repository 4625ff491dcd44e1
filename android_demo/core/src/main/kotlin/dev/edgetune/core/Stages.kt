package dev.edgetune.core

/**
 * The stages of one step, in the order in which [step] goes through them: which toolset, which tool,
 * which arguments; and the reply in words.
 *
 * It executes no calls, keeps no conversation and knows no threads: the caller passes the turns so far
 * and comes alone.
 */
internal class Stages(
    private val assets: Assets,
    private val engine: Engine,
    pool: AdapterPool,
) {
    private val prefill = Prefill(assets, engine, pool)
    private val writer = WordWriter(engine, assets.vocabulary, assets.endTokens)
    private val routes = assets.router != null && assets.toolsets.size > 1

    /** Is told what happens. */
    var watch: Watch = Watch.NONE

    fun step(turns: List<Turn>, named: String?, options: Options): Step {
        prefill.swapMs = 0.0
        prefill.tokens = 0
        val begin = System.nanoTime()
        val route = if (named == null && routes) route(turns, options).also(watch::routed) else null
        val chosen = toolset(route?.name ?: named)
        val routeMs = millisSince(begin) - prefill.swapMs
        val selection = select(turns, chosen, options, route?.probability ?: 1.0)
        watch.selected(chosen.toolset.name, publicly(chosen, selection))
        val selectMs = millisSince(begin) - routeMs - prefill.swapMs
        var decoded = NOTHING_DECODED
        if (options.system == Options.System.DECOUPLED) {
            decoded = arguments(turns, chosen, selection.name, options)
        } else if (selection.name in chosen.automata) {
            // Both stages have one context: the K/V of the prompt stay, those of the name go.
            engine.rewind(prefill.promptEnd)
            decoded = decode(chosen, selection.name, turns, IntArray(0), options)
        }
        val total = millisSince(begin)
        val told = publicly(chosen, selection)
        return Step(
            chosen.toolset.name,
            told.name,
            decoded.arguments,
            told.probability,
            told.probabilities,
            Timing(
                total,
                routeMs,
                selectMs,
                prefill.swapMs,
                total - routeMs - selectMs - prefill.swapMs,
                prefill.tokens,
                (route?.decodeSteps ?: 0) + selection.decodeSteps + decoded.decodeSteps,
                (route?.forcedTokens ?: 0) + selection.forcedTokens + decoded.forcedTokens,
            ),
            told.abstainedFrom,
            decoded.truncated,
            decoded.text,
        )
    }

    /** The toolset of this name; the name may be left out where there is only one. */
    fun toolset(name: String?): ToolsetAssets =
        assets.toolsets[name ?: assets.toolsets.keys.singleOrNull()] ?: throw InputException(
            "toolset: found $name, expected one of ${assets.toolsets.keys.sorted()}; say which one.",
        )

    fun route(turns: List<Turn>, options: Options): Selection {
        val router = assets.router.takeIf { routes } ?: throw InputException(
            "toolset: nothing here picks one of ${assets.toolsets.keys.sorted()}; say which one.",
        )
        val trained = router.adapter.takeIf { options.system == Options.System.DECOUPLED }
        val prefix = if (trained == null) router.prompts.base else router.prompts.adapter
        val adapter = if (options.system == Options.System.SKILL) skill() else trained
        return pick(router, null, adapter, prefix, turns, options)
    }

    /**
     * The first stage, names as prompts have them; [sure] is how probable the toolset is, where it was
     * picked: probabilities are told times that.
     */
    fun select(
        turns: List<Turn>,
        chosen: ToolsetAssets,
        options: Options,
        sure: Double = 1.0,
    ): Selection {
        val adapter = selector(chosen, options)
        val picked = pick(chosen, chosen, adapter, selectorPrefix(chosen, options), turns, options)
        val found = picked.copy(
            probability = sure * picked.probability,
            probabilities = picked.probabilities.mapValues { sure * it.value },
        )
        val isUnsure = found.name != RESPOND && found.probability < options.abstainBelow
        return if (isUnsure) found.copy(name = RESPOND, abstainedFrom = found.name) else found
    }

    /** The second stage: the arguments of [tool], whatever the first stage would say. */
    private fun arguments(
        turns: List<Turn>,
        chosen: ToolsetAssets,
        tool: String,
        options: Options,
    ): Decoded {
        val automaton = chosen.automata[tool] ?: return NOTHING_DECODED
        // A tool that no adapter was trained for is written by the base, with the skill where there is
        // one: still by its grammar.
        val trained = chosen.arguments[tool]
        val adapter = trained ?: assets.skill
        val isOpen = trained == null && adapter != null
        val prefix = if (isOpen) chosen.prompts.base else chosen.prompts.arguments.getValue(tool)
        val prompt = prefill.begin(adapter, prefix, shown(turns, chosen), automaton.openingIds)
        return decode(chosen, tool, turns, prompt, options)
    }

    /** What the bare base says after [turns]; [said] is told each piece. */
    fun reply(turns: List<Turn>, options: Options, said: (String) -> Unit) {
        val prompt = prefill.begin(null, assets.reply, shown(turns, null), words = true)
        writer.write(prompt, options.maxReplyTokens, Sampler(options.temperature, options.seed)) {
            watch.said(it)
            said(it)
        }
    }

    /** The name in the trie of [among] that [adapter] finds likeliest. */
    private fun pick(
        among: Choice,
        toolset: ToolsetAssets?,
        adapter: String?,
        prefix: String,
        turns: List<Turn>,
        options: Options,
    ): Selection {
        val prompt = prefill.begin(adapter, prefix, shown(turns, toolset), among.trie.openingIds)
        val calibrated = adapter?.let { assets.adapters.getValue(it).selectionTemperature } ?: 1.0
        return select(engine, among.trie, prompt, options.exact, calibrated)
    }

    /** [turns] in which earlier calls have the names that prompts have for their tools. */
    private fun shown(turns: List<Turn>, among: ToolsetAssets?): List<Turn> {
        // The chosen toolset comes last, since its names count where two differ.
        val toolsets = assets.toolsets.values.map { it.toolset } + listOfNotNull(among?.toolset)
        val names = HashMap<String, String>()
        for (tool in toolsets.flatMap { it.tools }) if (tool.original != null) names[tool.original] = tool.name
        return turns.map { if (it is Turn.Called) it.copy(tool = names[it.tool] ?: it.tool) else it }
    }

    private fun decode(
        toolset: ToolsetAssets,
        tool: String,
        turns: List<Turn>,
        prompt: IntArray,
        options: Options,
    ): Decoded = ArgumentsDecoder(
        engine,
        toolset.automata.getValue(tool),
        assets.vocabulary,
        Spans(turns, toolset.copied[tool].orEmpty()),
        options.maxTokens,
        Sampler(options.temperature, options.seed),
        watch::wrote,
    ).decode(prompt)

    private fun selectorPrefix(toolset: ToolsetAssets, options: Options): String =
        if (options.system in OPEN) toolset.prompts.base else toolset.prompts.selector

    /** The adapter that selects among the tools of [toolset], null for the bare base. */
    private fun selector(toolset: ToolsetAssets, options: Options): String? = when (options.system) {
        Options.System.BASE -> null
        Options.System.DECOUPLED -> toolset.selector ?: throw lacks(toolset, options)
        Options.System.MONOLITHIC -> toolset.monolithic ?: throw lacks(toolset, options)
        Options.System.SKILL -> skill()
    }

    /** The adapter that serves any tools. */
    private fun skill(): String = assets.skill ?: throw InputException(
        "system skill: there is no tool skill here; give the recipe one ('skill'), train and export " +
            "again, or choose another system.",
    )

    private fun lacks(toolset: ToolsetAssets, options: Options) = InputException(
        "system ${options.system.name.lowercase()}: toolset '${toolset.toolset.name}' has no such " +
            "adapter; train it or choose another system.",
    )
}

/** The systems that serve tools which nobody trained. */
private val OPEN = setOf(Options.System.BASE, Options.System.SKILL)

/** [selection] with the names that its tools' server has for them. */
private fun publicly(toolset: ToolsetAssets, selection: Selection): Selection = selection.copy(
    name = toolset.toolset.publicName(selection.name),
    probabilities = selection.probabilities.mapKeys { toolset.toolset.publicName(it.key) },
    abstainedFrom = selection.abstainedFrom?.let(toolset.toolset::publicName),
)
