package dev.edgetune.core

import java.io.Closeable
import java.io.File
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock
import kotlinx.coroutines.flow.Flow
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** One step of the loop; [tool] is `respond` where no tool is needed. */
public class Step internal constructor(
    public val toolset: String,
    /** By its public name: as its server calls it. */
    public val tool: String,
    public val arguments: JsonObject,
    /**
     * Of the tool (or of the one that was abstained from), among all names of the toolset; times that
     * of the toolset, where it was picked.
     */
    public val probability: Double,
    /** Of the names whose probability is known (all with [Options.exact]), the largest first. */
    public val probabilities: Map<String, Double>,
    public val timing: Timing,
    /** The likeliest tool, where it was less probable than the options ask for. */
    public val abstainedFrom: String? = null,
    /** The token budget cut the arguments short. */
    public val truncated: Boolean = false,
    /** The JSON text of [arguments] as the model wrote it. */
    public val text: String = NO_ARGUMENTS,
) {
    /** The value of an argument that is a text, a number or a truth value; null where it is absent. */
    public fun argument(name: String): String? = (arguments[name] as? JsonPrimitive)?.content

    override fun toString(): String = "$toolset.$tool$text"
}

/** What a step took. */
public data class Timing(
    /** In all, of which the next four. */
    val ms: Double,
    val routeMs: Double,
    val selectMs: Double,
    val swapMs: Double,
    /** Without swaps. */
    val argumentsMs: Double,
    /** Tokens fed before the call, without what a snapshot gave. */
    val prefillTokens: Int,
    /** Forward passes that a decision waited for. */
    val decodeSteps: Int,
    /** Tokens of the call that needed no decision. */
    val forcedTokens: Int,
)

/** A function behind a tool: executes the call of a step and gives what the tool answered, as text. */
public fun interface ToolFunction {
    public suspend fun call(step: Step): String
}

/**
 * The two-stage loop on one bundle: select a tool, swap the adapter, write its arguments.
 *
 *     Agent.open(File("bundles/phone"), OnnxEngines).use { agent ->
 *         agent.register("set_alarm") { step -> alarms.set(step.argument("time")) }
 *         println(agent.run("wake me at seven").text)
 *     }
 *
 * It lives as long as the process: what differs from request to request are the [Options] of each
 * call. Where no toolset is named and there are several, each step picks one. Calls from several
 * threads wait for each other. Closing it waits for the forward pass that is running, if any, and
 * frees every native byte, its engine's included; a step that is under way then ends with an error.
 *
 * Every method throws [InputException] for an unknown toolset, for a system whose adapters the bundle
 * lacks, and ([ContextException]) where the prompt does not fit the context.
 */
public class Agent(
    public val bundle: Bundle,
    /** Its own from now on. */
    public val engine: Engine,
    /** The most adapters that stay in memory; null is all of them. */
    maxResident: Int? = null,
) : Closeable {
    private val assets = bundle.assets
    private val lock = ReentrantLock()
    private val functions = HashMap<Pair<String?, String>, ToolFunction>()
    private val watched = WatchedEngine(engine)
    private var closed = false

    /** The adapters in memory, with their sizes and swap times. */
    public val adapters: AdapterPool = AdapterPool(engine, assets.adapters, maxResident)

    private val steps = Stages(assets, watched, adapters)

    /**
     * Let [function] execute the calls of [tool], of the toolset of this name or of any.
     *
     * Throws [InputException] for a tool that the bundle does not know.
     */
    public fun register(tool: String, toolset: String? = null, function: ToolFunction) {
        val known = bundle.toolsets.filter { toolset == null || it.name == toolset }
        if (known.none { tool in it }) {
            throw InputException(
                "tool '$tool': not in this bundle, which has " +
                    "${known.flatMap { each -> each.tools.map { it.publicName } }}; choose one of these.",
            )
        }
        functions[toolset to tool] = function
    }

    /**
     * Answer [request] to the end: each call executed by its registered function, then a reply.
     *
     * Cancelling ends it before the next forward pass. Throws [InputException] where the model calls a
     * tool that no function is registered for, and whatever a function throws.
     */
    public suspend fun run(
        request: String,
        options: Options = Options(),
        toolset: String? = null,
        maxSteps: Int = MAX_STEPS,
        words: Boolean = true,
    ): Answer = answer(events(listOf(Turn.User(request)), options, toolset, maxSteps, words))

    /**
     * What happens after [turns], event by event; nothing happens before it is collected.
     *
     * The reply is the bare base's, left out without [words]; after [maxSteps] calls it ends without
     * one. Leaving the flow early is safe: a call is executed only when its [Event.Decided] has been
     * taken in whole.
     */
    public fun events(
        turns: List<Turn>,
        options: Options = Options(),
        toolset: String? = null,
        maxSteps: Int = MAX_STEPS,
        words: Boolean = true,
    ): Flow<Event> = converse(this, turns, options, toolset, maxSteps, words, ::execute)

    /** Select a tool for the next step after [turns] and write its arguments; executes nothing. */
    public fun step(
        turns: List<Turn>,
        toolset: String? = null,
        options: Options = Options(),
    ): Step = alone { steps.step(turns, toolset, options) }

    /** The stage before the first alone: which toolset serves the next step. */
    public fun route(turns: List<Turn>, options: Options = Options()): Selection =
        alone { steps.route(turns, options) }

    /** The first stage alone: which tool comes next, `respond` where none is probable enough. */
    public fun select(
        turns: List<Turn>,
        toolset: String? = null,
        options: Options = Options(),
    ): Selection = alone { steps.select(turns, steps.toolset(toolset), options) }

    /** What the bare base says after [turns], in words; [said] is told each piece as it appears. */
    public fun reply(
        turns: List<Turn>,
        options: Options = Options(),
        said: (String) -> Unit = {},
    ): String = alone {
        buildString {
            steps.reply(turns, options) {
                append(it)
                said(it)
            }
        }
    }

    /** [work] on the engine, alone, told what happens by [watch]. */
    internal fun <T> watched(watch: Watch, work: (Stages) -> T): T = alone {
        watched.watch = watch
        steps.watch = watch
        try {
            work(steps)
        } finally {
            watched.watch = Watch.NONE
            steps.watch = Watch.NONE
        }
    }

    private fun <T> alone(work: () -> T): T = lock.withLock {
        if (closed) throw InputException("agent: it is closed; open another one.")
        work()
    }

    private suspend fun execute(step: Step): String {
        val function = functions[step.toolset to step.tool] ?: functions[null to step.tool]
            ?: throw InputException(
                "tool '${step.tool}': the model calls it and no function is registered for it; " +
                    "register one.",
            )
        return function.call(step)
    }

    override fun close() {
        watched.closing = true
        lock.withLock {
            if (closed) return
            closed = true
            adapters.close()
            engine.close()
        }
    }

    public companion object {
        /** An agent on the bundle in [folder], checked first, by an engine of [factory]. */
        public fun open(
            folder: File,
            factory: EngineFactory,
            threads: Int? = null,
            contextLength: Int? = null,
            maxResident: Int? = null,
        ): Agent {
            val bundle = openBundle(folder)
            val engine = bundle.openEngine(factory, threads, contextLength)
            try {
                return Agent(bundle, engine, maxResident)
            } catch (error: EdgetuneException) {
                engine.close()
                throw error
            }
        }
    }
}

private operator fun Toolset.contains(name: String): Boolean = this[name] != null
