package dev.edgetune.core

import java.io.File
import java.util.zip.CRC32
import kotlin.math.abs
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long

/** How far a probability may be: told to six digits, computed from equal logits. */
private const val TOLERANCE = 2e-6

/** Holds this runtime to golden vectors (docs/bundle.md), and counts what it has seen. */
public class Parity(private val bundle: Bundle) {
    private val assets = bundle.assets
    private val counts = linkedMapOf("tokens" to 0, "prompts" to 0, "masks" to 0, "selections" to 0, "runs" to 0)

    /** A sentence for each vector that this runtime does otherwise. */
    public val differences: MutableList<String> = ArrayList()

    /** The fields of `parity.json`. */
    public fun report(): String = (counts + ("differences" to differences.size)).entries
        .joinToString(", ", "{", "}\n") { "\"${it.key}\": ${it.value}" }

    private fun count(kind: String) {
        counts[kind] = counts.getValue(kind) + 1
    }

    private fun differ(kind: String, entry: JsonObject, found: Any?) {
        differences.add("$kind: found $found for ${entry.toString().take(400)}")
    }

    /** Texts and their ids, by the bundle's tokenizer or by the one in [file]. */
    public fun tokens(entries: List<JsonObject>, file: File? = null) {
        val tokenizer = if (file == null) assets.tokenizer else Tokenizer.read(file)
        for (entry in entries) {
            count("tokens")
            val found = tokenizer.encode(entry.text("text")).toList()
            if (found != entry.ids("ids")) differ("tokens", entry, found)
        }
    }

    /** Conversations and the ids that each stage reads. */
    public fun prompts(entries: List<JsonObject>) {
        for (entry in entries) {
            count("prompts")
            val stage = entry.text("stage")
            val prefix = prefix(entry.textOrNull("toolset"), stage)
            val text = renderPrompt(assets.pieces, prefix, turns(entry), stage == "reply")
            val found = assets.tokenizer.encode(text).toList()
            if (found != entry.ids("ids")) differ("prompts", entry, found)
        }
    }

    private fun prefix(toolset: String?, stage: String): String {
        if (toolset == null) {
            val router = assets.router!!.prompts
            return if (stage == "base") router.base else router.adapter
        }
        val prompts = assets.toolsets.getValue(toolset).prompts
        return when {
            stage == "reply" -> assets.reply
            stage == "base" -> prompts.base
            stage == "selector" -> prompts.selector
            else -> prompts.arguments.getValue(stage.removePrefix("arguments."))
        }
    }

    /** Whole calls, token by token: what may come next, and what is forced. */
    public fun masks(entries: List<JsonObject>) {
        for (entry in entries) {
            count("masks")
            val automaton = assets.toolsets.getValue(entry.text("toolset")).automata.getValue(entry.text("tool"))
            var state = automaton.start
            val steps = entry.getValue("walk").jsonArray.map { it.jsonObject }
            val wrong = steps.firstOrNull { step ->
                val isSame = state == step.int("state") && isMask(automaton, state, step)
                state = automaton.walk(state, assets.vocabulary[step.int("next")])
                !isSame
            }
            if (wrong != null || !automaton.isDone(state)) differ("masks", wrong ?: entry, state)
            if (automaton.openingIds.toList() != entry.ids("opening_ids")) differ("masks", entry, "an opening")
        }
    }

    private fun isMask(automaton: Automaton, state: Int, step: JsonObject): Boolean {
        val reached = assets.vocabulary.advance(automaton, state)
        val allowed = assets.vocabulary.textIds.filter { reached[it] != DEAD }
        val crc = CRC32().apply { update(little(4 * allowed.size) { allowed.forEach { putInt(it) } }) }
        return allowed.size == step.int("allowed") &&
            crc.value == step.getValue("crc32").jsonPrimitive.long &&
            automaton.forced(state).toList() == step.ids("forced")
    }

    /** What follows depends on an engine, which is closed afterwards. */
    public fun withEngine(engine: Engine, check: OfEngine.() -> Unit) {
        Agent(bundle, engine).use { OfEngine(it).check() }
    }

    /** The vectors that depend on an engine. */
    public inner class OfEngine internal constructor(private val agent: Agent) {
        /** Probabilities of every name. */
        public fun selections(entries: List<JsonObject>) {
            for (entry in entries) {
                count("selections")
                val options = Options(system = system(entry), exact = true)
                val toolset = entry.textOrNull("toolset")
                val found = if (toolset == null) {
                    agent.route(turns(entry), options)
                } else {
                    agent.select(turns(entry), toolset, options)
                }
                val wanted = entry.getValue("probabilities").jsonObject
                val isSame = found.probabilities.keys == wanted.keys && found.probabilities.all { (name, share) ->
                    abs(share - wanted.getValue(name).jsonPrimitive.double) <= TOLERANCE
                }
                if (!isSame) differ("selections", entry, found.probabilities)
            }
        }

        /** Complete greedy steps. */
        public fun runs(entries: List<JsonObject>) {
            for (entry in entries) {
                count("runs")
                val options = Options(system = system(entry), maxTokens = entry.int("max_tokens"))
                val step = agent.step(turns(entry), entry.textOrNull("toolset"), options)
                val wanted = entry.getValue("step").jsonObject
                val found = listOf(step.toolset, step.tool, step.text)
                if (found != listOf("toolset", "tool", "arguments").map(wanted::text)) differ("runs", entry, found)
            }
        }

        /** What the bare base says; counted among the runs. */
        public fun replies(entries: List<JsonObject>) {
            for (entry in entries) {
                count("runs")
                val found = agent.reply(turns(entry), Options(maxReplyTokens = entry.int("max_tokens")))
                if (found != entry.text("text")) differ("replies", entry, found)
            }
        }
    }
}

private fun system(entry: JsonObject) = Options.System.valueOf(entry.text("system").uppercase())

private fun turns(entry: JsonObject): List<Turn> = entry.getValue("turns").jsonArray.map { turn ->
    val (kind, value) = turn.jsonObject.entries.single()
    when (kind) {
        "user" -> Turn.User(value.jsonPrimitive.content)
        "assistant" -> Turn.Assistant(value.jsonPrimitive.content)
        "result" -> Turn.Result(value.jsonPrimitive.content)
        else -> Turn.Called(value.jsonObject.text("tool"), value.jsonObject.text("arguments"))
    }
}

private fun JsonObject.text(key: String): String = getValue(key).jsonPrimitive.content

private fun JsonObject.textOrNull(key: String): String? = get(key)?.takeIf { it != JsonNull }?.jsonPrimitive?.content

private fun JsonObject.int(key: String): Int = getValue(key).jsonPrimitive.int

private fun JsonObject.ids(key: String): List<Int> = getValue(key).jsonArray.map { it.jsonPrimitive.int }
