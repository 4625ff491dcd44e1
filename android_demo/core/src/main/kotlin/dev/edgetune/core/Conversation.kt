package dev.edgetune.core

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow

/** How many calls an answer may take, unless more is asked for. */
public const val MAX_STEPS: Int = 8

/** What happens in a conversation, as it happens. */
public sealed interface Event {
    /** One of several toolsets was picked for the next step. */
    public class Routed internal constructor(public val selection: Selection) : Event

    /** A tool was picked; its arguments, if it has any, are going to be written. */
    public class Selected internal constructor(
        public val toolset: String,
        public val selection: Selection,
    ) : Event

    /** A piece of the arguments' JSON text; [forced] where nothing else could stand there. */
    public class Wrote internal constructor(public val text: String, public val forced: Boolean) : Event

    /** A step is complete. Unless it is `respond`, its call is executed after this event. */
    public class Decided internal constructor(public val step: Step) : Event

    /** The call of [step] was executed, and this is what its function gave. */
    public class Returned internal constructor(
        public val step: Step,
        public val result: String,
    ) : Event

    /** A piece of the reply. */
    public class Said internal constructor(public val text: String) : Event

    /** Nothing more is coming. */
    public class Finished internal constructor(
        /** The whole conversation, to go on from with the user's next words. */
        public val turns: List<Turn>,
        public val because: Because,
    ) : Event
}

/** Why a conversation came to its end. */
public enum class Because { REPLIED, TOO_MANY_STEPS }

/** All of what happened, for whoever does not want to see it happen. */
public class Answer internal constructor(
    /** The reply in words; empty where none was asked for, or there were too many steps. */
    public val text: String,
    /** The steps that called a tool, and the last one. */
    public val steps: List<Step>,
    /** The whole conversation, to go on from with the user's next words. */
    public val turns: List<Turn>,
    public val because: Because,
)

/** The turn that a step adds to the conversation: its call, or words still to be said. */
public fun turnAfter(step: Step): Turn =
    if (step.tool == RESPOND) Turn.Assistant() else Turn.Called(step.tool, step.text)

/** [Agent.events], with [execute] for the calls. Nothing here knows where tools live. */
internal fun converse(
    agent: Agent,
    turns: List<Turn>,
    options: Options,
    toolset: String?,
    maxSteps: Int,
    words: Boolean,
    execute: suspend (Step) -> String,
): Flow<Event> = flow {
    var said = turns
    repeat(maxSteps) {
        val step = telling { agent.watched(it) { stages -> stages.step(said, toolset, options) } }
        emit(Event.Decided(step))
        if (step.tool == RESPOND) {
            val reply = StringBuilder()
            if (words) {
                telling {
                    agent.watched(it) { stages -> stages.reply(said, options) { piece -> reply.append(piece) } }
                }
            }
            emit(Event.Finished(said + Turn.Assistant(reply.toString()), Because.REPLIED))
            return@flow
        }
        val result = execute(step)
        said = said + turnAfter(step) + Turn.Result(result)
        emit(Event.Returned(step, result))
    }
    emit(Event.Finished(said, Because.TOO_MANY_STEPS))
}

/** All events of a conversation as one answer. */
internal suspend fun answer(events: Flow<Event>): Answer {
    val text = StringBuilder()
    val steps = ArrayList<Step>()
    var finished: Event.Finished? = null
    events.collect {
        when (it) {
            is Event.Said -> text.append(it.text)
            is Event.Decided -> steps.add(it.step)
            is Event.Finished -> finished = it
            else -> {}
        }
    }
    val end = checkNotNull(finished) { "a conversation ended without its last event" }
    return Answer(text.toString(), steps, end.turns, end.because)
}

/**
 * Does [work] on another thread, emits here what it tells meanwhile, and gives what it gave.
 *
 * The work ends before its next forward pass when the collector is cancelled.
 */
private suspend fun <T> FlowCollector<Event>.telling(work: (Watch) -> T): T = coroutineScope {
    val told = Channel<Event>(Channel.UNLIMITED)
    val working = async(Dispatchers.Default) {
        try {
            work(Teller(this, told))
        } finally {
            told.close()
        }
    }
    for (event in told) emit(event)
    working.await()
}

private class Teller(private val scope: CoroutineScope, private val told: Channel<Event>) : Watch {
    override fun check() = scope.ensureActive()

    override fun routed(selection: Selection) = tell(Event.Routed(selection))

    override fun selected(toolset: String, selection: Selection) =
        tell(Event.Selected(toolset, selection))

    override fun wrote(text: String, forced: Boolean) {
        if (text.isNotEmpty()) tell(Event.Wrote(text, forced))
    }

    override fun said(text: String) = tell(Event.Said(text))

    private fun tell(event: Event) {
        told.trySend(event)
    }
}
