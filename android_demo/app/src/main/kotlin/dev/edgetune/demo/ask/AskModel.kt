package dev.edgetune.demo.ask

import dev.edgetune.core.EdgetuneException
import dev.edgetune.demo.assistant.Assistant
import dev.edgetune.demo.assistant.Call
import dev.edgetune.demo.assistant.Told
import dev.edgetune.demo.tools.Hand
import dev.edgetune.demo.tools.Plan
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch

/** The sentences that the model of *Ask* says itself, in the phone's language. */
interface AskWords {
    val refused: String
    val unexpected: String
}

/**
 * Drives one conversation: asks the assistant, puts each call before the user, carries it out.
 *
 * It outlives the screen, so that turning the phone stops nothing. All of it happens on one thread,
 * that of [scope]. Knows no views.
 */
class AskModel(
    private val scope: CoroutineScope,
    private val words: AskWords,
    private val plan: (Call) -> Plan,
    /** What carries out a deed: waits where no activity is in front. */
    private val hand: suspend () -> Hand,
) {
    private val mutable = MutableStateFlow(AskState())
    private var assistant: Assistant? = null
    private var work: Job? = null
    private var said: CompletableDeferred<String?>? = null

    val state: StateFlow<AskState> = mutable

    /** From now on [assistant] answers; null while none can, and [ready] says why. */
    fun use(assistant: Assistant?, ready: Ready) {
        stop()
        this.assistant = assistant
        mutable.update { it.copy(ready = ready) }
    }

    fun restore(exchanges: List<Exchange>) {
        if (state.value.exchanges.isEmpty()) mutable.update { it.copy(exchanges = exchanges) }
    }

    fun clear() {
        stop()
        mutable.update { it.copy(exchanges = emptyList()) }
    }

    /** Asks [request], unless it is empty, or another one is being answered. */
    fun ask(request: String) {
        val assistant = assistant ?: return
        if (state.value.running || request.isBlank()) return
        mutable.update { it.copy(exchanges = it.exchanges + Exchange(request.trim()), running = true) }
        work = scope.launch {
            val (end, problem) = try {
                assistant.answer(request.trim(), ::carryOut).collect(::take)
                End.DONE to ""
            } catch (stopped: CancellationException) {
                throw stopped // by stop(), which has told what there is to tell
            } catch (error: EdgetuneException) {
                End.FAILED to error.message
            } catch (error: RuntimeException) {
                End.FAILED to "${words.unexpected} ($error)"
            }
            last { copy(end = end, problem = problem) }
            mutable.update { it.copy(running = false, sheet = null) }
        }
    }

    /** Ends what is running before the model's next token; what the phone did stays done. */
    fun stop() {
        work?.cancel()
        work = null
        said = null
        if (!state.value.running) return
        last { copy(end = End.STOPPED) }
        mutable.update { it.copy(running = false, sheet = null) }
    }

    /** The user's word on the sheet: agreed to, or an answer to its question. */
    fun agree(text: String = "") {
        said?.complete(text)
    }

    fun refuse() {
        said?.complete(null)
    }

    private suspend fun carryOut(call: Call): String {
        var asked = call
        while (true) {
            when (val plan = plan(asked)) {
                is Plan.Cannot -> return plan.why
                is Plan.Asks -> {
                    val answer = hear(Sheet.Ask(call.tool, plan.question, plan.said)) ?: return words.refused
                    asked = asked.copy(arguments = asked.arguments + (plan.argument to answer))
                }
                is Plan.Ready -> {
                    hear(Sheet.Confirm(call.tool, plan.words)) ?: return words.refused
                    return plan.deed.carryOut(hand())
                }
            }
        }
    }

    /** Puts [sheet] before the user; what they say to it, null where they refuse. */
    private suspend fun hear(sheet: Sheet): String? {
        val answer = CompletableDeferred<String?>().also { said = it }
        mutable.update { it.copy(sheet = sheet) }
        try {
            return answer.await()
        } finally {
            if (said === answer) mutable.update { it.copy(sheet = null) }
        }
    }

    private fun take(told: Told) = when (told) {
        is Told.Routed -> last { copy(toolset = told.toolset) }
        is Told.Picked -> last { copy(chances = told.chances.toList()) }
        is Told.Wrote -> last { copy(arguments = arguments + Piece(told.text, told.forced)) }
        is Told.Decided -> last { copy(times = told.times) }
        is Told.Carried -> last { copy(result = told.result) }
        is Told.Said -> last { copy(reply = reply + told.text) }
    }

    private fun last(change: Exchange.() -> Exchange) = mutable.update {
        it.copy(exchanges = it.exchanges.dropLast(1) + it.exchanges.last().change())
    }
}
