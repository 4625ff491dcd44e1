package dev.edgetune.demo

import dev.edgetune.core.InputException
import dev.edgetune.demo.assistant.Assistant
import dev.edgetune.demo.assistant.Assistants
import dev.edgetune.demo.assistant.Call
import dev.edgetune.demo.assistant.Moment
import dev.edgetune.demo.assistant.Report
import dev.edgetune.demo.assistant.Sample
import dev.edgetune.demo.assistant.Times
import dev.edgetune.demo.assistant.Told
import java.io.File
import java.time.LocalDateTime
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/** The app with a model that says what a test wrote for it, on Wednesday, 17 June 2026 at ten. */
class ScriptedApp : EdgetuneApp() {
    override val assistants = Script
    override fun now(): LocalDateTime = LocalDateTime.parse("2026-06-17T10:00")
}

/** What the model makes of each request. A test fills it before it asks. */
object Script : Assistants {
    /** Request to the call that answers it; null where none is needed. */
    val calls = HashMap<String, Call?>()

    /** Requests that take for ever. */
    val endless = HashSet<String>()

    /** Requests that end in a sentence instead of an answer. */
    val failing = HashMap<String, String>()
    var closed = 0

    override val engines = listOf("onnx", "executorch")

    override fun check(folder: File) {}

    override fun open(folder: File): Assistant = object : Assistant {
        override val toolsets = mapOf("phone_actions" to PHONE_TOOLS)

        override fun answer(request: String, carryOut: suspend (Call) -> String): Flow<Told> = told(request, carryOut)

        override fun close() {
            closed++
        }
    }

    private fun told(request: String, carryOut: suspend (Call) -> String): Flow<Told> = flow {
        failing[request]?.let { throw InputException(it) }
        val call = calls[request]
        val tool = call?.tool ?: "respond"
        val others = listOf("search_web", "navigate", "set_level").filter { it != tool }.zip(listOf(0.05, 0.02))
        emit(Told.Picked(tool, mapOf(tool to 0.93) + others))
        if (request in endless) awaitCancellation()
        call?.arguments?.entries?.forEachIndexed { index, (name, value) ->
            emit(Told.Wrote((if (index == 0) "{\"" else ", \"") + name + "\": \"", forced = true))
            emit(Told.Wrote(value, forced = false))
            emit(Told.Wrote("\"", forced = true))
        }
        emit(Told.Wrote(if (call?.arguments.isNullOrEmpty()) "{}" else "}", forced = true))
        emit(Told.Decided(call?.tool, Times(0.3, 41.0, 63.5, 128, 6)))
        if (call == null) {
            for (word in listOf("I ", "am ", "fine.")) emit(Told.Said(word))
        } else {
            emit(Told.Carried(carryOut(call)))
        }
    }

    override fun measure(folder: File, told: (Sample) -> Unit): Report {
        val samples = listOf(
            Sample(Moment.OPENED, "phone", 61L shl 20, 24L shl 20, 0.0),
            Sample(Moment.BASE, "SmolLM2-135M-Instruct", 168L shl 20, 71L shl 20, 412.0),
        ) + listOf("phone_actions.selector", "phone_actions.arguments.set_timer").flatMap {
            listOf(
                Sample(Moment.LOADED, it, 171L shl 20, 72L shl 20, 0.62),
                Sample(Moment.SWAPPED, it, 171L shl 20, 72L shl 20, 0.04),
                Sample(Moment.EVICTED, it, 168L shl 20, 71L shl 20, 0.0),
            )
        }
        samples.forEach(told)
        return Report("phone", samples, "{\"base\": {\"load_ms\": 412.0}}")
    }

    fun forget() {
        calls.clear()
        endless.clear()
        failing.clear()
        closed = 0
    }
}

val PHONE_TOOLS = listOf(
    "set_alarm", "set_timer", "set_reminder", "create_event", "send_message", "make_call", "navigate",
    "play_music", "change_setting", "set_level", "search_web", "take_screenshot",
)
