package dev.edgetune.demo.assistant

import android.os.Build
import android.os.Debug
import dev.edgetune.core.Agent
import dev.edgetune.core.Bundle
import dev.edgetune.core.Done
import dev.edgetune.core.EngineFactory
import dev.edgetune.core.Event
import dev.edgetune.core.InputException
import dev.edgetune.core.Memory
import dev.edgetune.core.Options
import dev.edgetune.core.RESPOND
import dev.edgetune.core.Selection
import dev.edgetune.core.Step
import dev.edgetune.core.Turn
import dev.edgetune.core.openBundle
import dev.edgetune.core.openEngine
import dev.edgetune.core.profile
import java.io.File
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.mapNotNull
import kotlinx.serialization.json.JsonPrimitive

/**
 * Assistants by `edgetune`'s loop, on an engine of [factories], the preferred one first. Bundles were
 * checked when they came in.
 */
class AgentAssistants(private val factories: List<EngineFactory>) : Assistants {
    override val engines: List<String> get() = factories.map { it.name }

    override fun check(folder: File) {
        openBundle(folder)
    }

    override fun open(folder: File): Assistant {
        val bundle = openBundle(folder, check = false)
        return withNatives(bundle) { AgentAssistant(Agent(bundle, bundle.openEngine(it))) }
    }

    override fun measure(folder: File, told: (Sample) -> Unit): Report {
        val bundle = openBundle(folder, check = false)
        val samples = ArrayList<Sample>()
        val tell = { done: Done, name: String, memory: Memory, ms: Double ->
            val moment = when (done) {
                Done.OPENED -> Moment.OPENED
                Done.BASE -> Moment.BASE
                Done.LOADED -> Moment.LOADED
                Done.SWAPPED -> Moment.SWAPPED
                Done.EVICTED -> Moment.EVICTED
            }
            val sample = Sample(moment, name, memory.pssBytes, memory.privateDirtyBytes, ms)
            samples += sample
            told(sample)
        }
        val found = withNatives(bundle) { profile(bundle, it, memory = ::held, told = tell) }
        return Report(bundle.manifest.name, samples, profileJson(found, thisDevice()).toString(INDENT))
    }

    /** [work] with the bundle's engine, whose natives an APK may have been packed without. */
    private fun <T> withNatives(bundle: Bundle, work: (EngineFactory) -> T): T {
        val name = engineFor(bundle.manifest, engines) { File(bundle.folder, it).isFile }
            ?: engines.first() // which then says what the bundle has instead
        try {
            return work(factories.first { it.name == name })
        } catch (error: LinkageError) {
            throw InputException("The engine '$name' can't be loaded ($error); install an APK with its natives.", error)
        }
    }

    private fun held(): Memory {
        val info = Debug.MemoryInfo().also(Debug::getMemoryInfo)
        return Memory(info.totalPss * KILO, info.totalPrivateDirty * KILO)
    }

    private fun thisDevice() = mapOf(
        "model" to "${Build.MANUFACTURER} ${Build.MODEL}",
        "android" to Build.VERSION.RELEASE,
        "abi" to Build.SUPPORTED_ABIS.first(),
    )

    private companion object {
        const val KILO = 1024L
        const val INDENT = 2
    }
}

private class AgentAssistant(private val agent: Agent) : Assistant {
    private var carryOut: suspend (Call) -> String = { error("no request is being answered") }

    override val toolsets: Map<String, List<String>> =
        agent.bundle.toolsets.associate { set -> set.name to set.tools.map { it.publicName } }

    private val system =
        if (agent.bundle.manifest.toolsets.any { it.selector != null }) {
            Options.System.DECOUPLED
        } else {
            Options.System.BASE
        }

    init {
        for ((toolset, tools) in toolsets) {
            for (tool in tools) agent.register(tool, toolset) { carryOut(callOf(it)) }
        }
    }

    override fun answer(request: String, carryOut: suspend (Call) -> String): Flow<Told> {
        this.carryOut = carryOut
        val options = Options(system, exact = true)
        return agent.events(listOf(Turn.User(request)), options, maxSteps = 1).mapNotNull(::told)
    }

    private fun told(event: Event): Told? = when (event) {
        is Event.Routed -> Told.Routed(event.selection.name)
        is Event.Selected -> picked(event.selection)
        is Event.Wrote -> Told.Wrote(event.text, event.forced)
        is Event.Decided -> Told.Decided(event.step.tool.takeIf { it != RESPOND }, times(event.step))
        is Event.Returned -> Told.Carried(event.result)
        is Event.Said -> Told.Said(event.text)
        is Event.Finished -> null
    }

    private fun picked(selection: Selection) =
        Told.Picked(selection.name, selection.probabilities.entries.take(SHOWN).associate { it.toPair() })

    private fun times(step: Step) = with(step.timing) {
        Times(swapMs, routeMs + selectMs, argumentsMs, prefillTokens, decodeSteps)
    }

    override fun close() = agent.close()

    private companion object {
        /** So many tools are shown with their probabilities. */
        const val SHOWN = 4
    }
}

/** The call of [step]; a value that is no text is given as its JSON. */
private fun callOf(step: Step): Call = Call(
    step.tool,
    step.arguments.mapValues { (_, value) -> (value as? JsonPrimitive)?.content ?: value.toString() },
)
