package dev.edgetune.demo.ask

import dev.edgetune.demo.assistant.Times

/** All that the place *Ask* shows; its views only draw it. */
data class AskState(
    val exchanges: List<Exchange> = emptyList(),
    /** What the user has to say something to before the work goes on. */
    val sheet: Sheet? = null,
    val running: Boolean = false,
    val ready: Ready = Ready.NoBundle,
)

/** Whether there is something to ask. */
sealed interface Ready {
    data object NoBundle : Ready

    /** The bundle is being opened. */
    data class Opening(val bundle: String) : Ready

    data class Open(val bundle: String, val tools: List<String>) : Ready

    /** It can't be opened, in a sentence. */
    data class Failed(val bundle: String, val problem: String) : Ready
}

/** A request, and what came of it so far. */
data class Exchange(
    val request: String,
    val toolset: String? = null,
    /** Of the likeliest names, the likeliest first. */
    val chances: List<Pair<String, Double>> = emptyList(),
    val arguments: List<Piece> = emptyList(),
    val times: Times? = null,
    /** What came of the call. */
    val result: String = "",
    /** The reply in words, where no tool was needed. */
    val reply: String = "",
    val end: End = End.RUNNING,
    /** A sentence, where it [End.FAILED]. */
    val problem: String = "",
)

/** A piece of the arguments; [forced] where nothing else could stand there. */
data class Piece(val text: String, val forced: Boolean)

/** How an exchange ended. */
enum class End { RUNNING, DONE, STOPPED, FAILED }

/** What is put before the user while a call waits. */
sealed interface Sheet {
    /** The call in words; nothing happens before it is agreed to. */
    data class Confirm(val tool: String, val words: String) : Sheet

    /** [said] could not be understood. */
    data class Ask(val tool: String, val question: String, val said: String) : Sheet
}
