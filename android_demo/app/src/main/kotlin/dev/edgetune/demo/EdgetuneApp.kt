package dev.edgetune.demo

import android.app.Application
import android.os.Handler
import android.os.Looper
import dev.edgetune.core.EdgetuneException
import dev.edgetune.demo.ask.AskModel
import dev.edgetune.demo.ask.AskWords
import dev.edgetune.demo.ask.Ready
import dev.edgetune.demo.assistant.AgentAssistants
import dev.edgetune.demo.assistant.Assistant
import dev.edgetune.demo.assistant.Assistants
import dev.edgetune.demo.assistant.npuEngines
import dev.edgetune.demo.assistant.packedEngines
import dev.edgetune.demo.bundles.BundlesModel
import dev.edgetune.demo.bundles.Intake
import dev.edgetune.demo.bundles.Pushed
import dev.edgetune.demo.bundles.Shelf
import dev.edgetune.demo.memory.MemoryModel
import dev.edgetune.demo.tools.PhoneTools
import java.io.File
import java.io.IOException
import java.time.LocalDateTime
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/**
 * What lives as long as the process: the three places' models, the bundle that answers, and the one
 * engine that it runs on. At most one bundle is open at a time.
 */
open class EdgetuneApp : Application() {
    private val main = CoroutineScope(
        SupervisorJob() + Handler(Looper.getMainLooper()).let { handler ->
            java.util.concurrent.Executor { work -> handler.post(work) }.asCoroutineDispatcher()
        },
    )
    private var assistant: Assistant? = null
    private var opening: Job? = null

    val hands = Hands()
    lateinit var ask: AskModel
        private set
    lateinit var bundles: BundlesModel
        private set
    lateinit var memory: MemoryModel
        private set
    lateinit var pushed: Pushed
        private set
    private lateinit var shelf: Shelf

    /** The screens' scope: work on views happens on its thread. */
    val scope: CoroutineScope get() = main

    /** What opens bundles; a test has its own. */
    protected open val assistants: Assistants by lazy {
        AgentAssistants(listOfNotNull(npuEngines(this)) + packedEngines(javaClass.classLoader))
    }

    /** What the tools take for now; a test has its own. */
    protected open fun now(): LocalDateTime = LocalDateTime.now()

    override fun onCreate() {
        super.onCreate()
        val external = getExternalFilesDir(null)
        shelf = Shelf(
            File(filesDir, "bundles"),
            File(filesDir, "incoming"),
            external?.let { File(it, "held.sha256") },
        )
        val tools = PhoneTools(this, ::now)
        ask = AskModel(main, askWords(), tools::plan, hands::hand)
        memory = MemoryModel(main, Dispatchers.IO, ::measured) { json -> external?.let { keep(it, json) } }
        bundles = BundlesModel(main, Dispatchers.IO, shelf, Intake(shelf, assistants.engines, assistants::check), ::use)
        pushed = Pushed(external)
        shelf.tidy()
        bundles.begin(settings().getString(CHOSEN, null))
    }

    /** Lets the bundle of this name answer: closes the one before it first. */
    private fun use(name: String?) {
        if (name == memory.state.value.bundle && (assistant != null || opening?.isActive == true)) return
        settings().edit().putString(CHOSEN, name).apply()
        memory.use(name)
        if (name == null) ask.use(null, Ready.NoBundle) else ask.use(null, Ready.Opening(name))
        val before = opening
        opening = main.launch {
            before?.join()
            withContext(Dispatchers.Default) { assistant?.close() }
            assistant = null
            if (name != null && memory.state.value.bundle == name) open(name)
        }
    }

    private suspend fun open(name: String) {
        try {
            val opened = withContext(Dispatchers.Default) { assistants.open(shelf.folderOf(name)) }
            assistant = opened
            ask.use(opened, Ready.Open(name, opened.toolsets.values.flatten()))
        } catch (error: EdgetuneException) {
            ask.use(null, Ready.Failed(name, error.message))
        }
    }

    private fun measured(name: String, told: (dev.edgetune.demo.assistant.Sample) -> Unit) =
        assistants.measure(shelf.folderOf(name), told)

    private fun keep(folder: File, json: String) {
        try {
            val beside = File(folder, "profile.json.new")
            beside.writeText(json)
            beside.renameTo(File(folder, "profile.json"))
        } catch (_: IOException) {
            // Storage that a computer sees may be away; the screen can still share it.
        }
    }

    private fun settings() = getSharedPreferences("edgetune", MODE_PRIVATE)

    private fun askWords() = object : AskWords {
        override val refused get() = getString(R.string.refused)
        override val unexpected get() = getString(R.string.unexpected)
    }

    private companion object {
        const val CHOSEN = "chosen"
    }
}
