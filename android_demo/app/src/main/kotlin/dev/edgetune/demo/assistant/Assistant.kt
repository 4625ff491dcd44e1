package dev.edgetune.demo.assistant

import java.io.Closeable
import java.io.File
import kotlinx.coroutines.flow.Flow

/** A call that the model wrote: a tool, and its arguments as text. */
data class Call(val tool: String, val arguments: Map<String, String>)

/** What the screens know of a model with its tools; what it runs on stays behind it. */
interface Assistant : Closeable {
    /** The toolsets, and the names of their tools. */
    val toolsets: Map<String, List<String>>

    /**
     * What happens to [request], as it happens; nothing does before it is collected, and leaving it
     * ends the work before the next forward pass.
     *
     * A request stands alone and takes one call at the most: adapters that were trained on single
     * requests have never seen an earlier one. [carryOut] is given the call, when its [Told.Decided]
     * has been taken in, and tells what came of it.
     */
    fun answer(request: String, carryOut: suspend (Call) -> String): Flow<Told>
}

/** One thing that happens on the way to an answer. */
sealed interface Told {
    /** A toolset was picked among several. */
    data class Routed(val toolset: String) : Told

    /** The likeliest names, with their probabilities, the likeliest first. */
    data class Picked(val tool: String, val chances: Map<String, Double>) : Told

    /** A piece of the arguments' JSON; [forced] where nothing else could stand there. */
    data class Wrote(val text: String, val forced: Boolean) : Told

    /** The step is complete; [tool] is null where none is needed. */
    data class Decided(val tool: String?, val times: Times) : Told

    /** The call was carried out, or was not; [result] says which. */
    data class Carried(val result: String) : Told

    /** A piece of the reply in words. */
    data class Said(val text: String) : Told
}

/** How long the parts of a step took, in ms, and how many tokens were read and steps decoded. */
data class Times(
    val swapMs: Double,
    val chooseMs: Double,
    val writeMs: Double,
    val prefillTokens: Int,
    val decodeSteps: Int,
)

/** Opens what lies in a bundle's folder, and measures it. */
interface Assistants {
    /** The engines that it has, the preferred one first; [engineFor] says which a bundle runs on. */
    val engines: List<String>

    /** Finds the bundle in [folder] whole and fit for its engine, or throws as [open] does. */
    fun check(folder: File)

    /** Throws `EdgetuneException` with a sentence for the user. */
    fun open(folder: File): Assistant

    /** Measures on an engine of its own; [told] is told each sample as it is taken. */
    fun measure(folder: File, told: (Sample) -> Unit): Report
}
