package dev.edgetune.demo

import android.content.Context
import android.content.Intent
import android.graphics.Bitmap
import android.provider.AlarmClock
import android.view.View
import android.widget.EditText
import dev.edgetune.core.Agent
import dev.edgetune.core.Options
import dev.edgetune.core.RESPOND
import dev.edgetune.core.Step
import dev.edgetune.core.Turn
import dev.edgetune.demo.ask.End
import dev.edgetune.demo.assistant.Call
import dev.edgetune.demo.bundles.zipped
import dev.edgetune.demo.tools.Hand
import dev.edgetune.demo.tools.PhoneTools
import dev.edgetune.demo.tools.Plan
import dev.edgetune.onnx.OnnxEngines
import java.io.File
import java.time.LocalDateTime
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonPrimitive
import org.json.JSONObject
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/**
 * The bundle that `-Dedgetune.bundle` names, imported and asked through the app's own screens, on ONNX
 * Runtime. However well it was trained: the screen says what the model decided, and Android gets no other.
 */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = EdgetuneApp::class)
class RealBundleTest {
    private val person = Person()
    private val given: File by lazy { File(System.getProperty("edgetune.bundle")!!) }

    @Before
    fun import() {
        assumeTrue("-Dedgetune.bundle is not given", System.getProperty("edgetune.bundle") != null)
        person.begin(bundle = false)
        person.go(R.id.to_bundles)
        person.picks(R.id.from_zip, person.offers("given.zip", zipped(given)))
        val bundles = person.app.bundles.state
        person.waitFor("the bundle to be in") { bundles.value.import == null && bundles.value.bundles.size == 1 }
        person.mustSee("In use")
        person.go(R.id.to_ask)
        person.waitFor("the bundle to be open") { person.find<EditText>(R.id.request).isEnabled }
    }

    @After
    fun end() = person.end()

    private val exchange get() = person.app.ask.state.value.exchanges.last()

    /** Types [request], and waits for a sheet or the end; nothing of the phone is touched meanwhile. */
    private fun ask(request: String) {
        person.ask(request)
        person.waitFor("a call or an answer") { sheet() || exchange.end != End.RUNNING }
        assertNull("something was started", person.started())
    }

    private fun sheet(): Boolean = person.find<View>(R.id.sheet).isShown

    /** What the model decides of each request, by the library alone; null where no tool is needed. */
    private fun decided(): Map<String, Step> = Agent.open(given, OnnxEngines).use { agent ->
        val isTuned = agent.bundle.manifest.toolsets.any { it.selector != null }
        val options = Options(if (isTuned) Options.System.DECOUPLED else Options.System.BASE, exact = true)
        REQUESTS.associateWith { agent.step(listOf(Turn.User(it)), options = options) }
    }

    private fun plan(step: Step): Plan =
        PhoneTools(person.app, LocalDateTime::now).plan(Call(step.tool, step.arguments.mapValues { it.value.said() }))

    private fun JsonElement.said(): String = (this as? JsonPrimitive)?.content ?: toString()

    @Test
    fun `what the model decides is what the screen shows, and what Android is given once it was agreed to`() {
        for ((request, step) in decided()) {
            ask(request)
            assertEquals(request, step.tool, exchange.chances.first().first)
            assertEquals(request, step.probability, exchange.chances.first().second, 1e-6)
            person.mustSee(if (step.tool == RESPOND) "no tool" else spoken(step.tool))
            val wanted = Wishes(person.activity)
            when (val plan = if (step.tool == RESPOND) null else plan(step)) {
                null -> assertFalse("a sheet without a call", sheet())
                is Plan.Cannot -> person.mustSee(plan.why)
                is Plan.Asks -> {
                    person.mustSee(plan.question)
                    person.refuse()
                }
                is Plan.Ready -> {
                    val arguments = listOf(step.text).filter { step.arguments.isNotEmpty() }
                    for (text in arguments + plan.words.lines()) person.mustSee(text)
                    person.agree()
                    person.deniesWhatIsAsked()
                    runBlocking { plan.deed.carryOut(wanted) }
                }
            }
            person.waitFor("the end") { exchange.end != End.RUNNING }
            assertEquals(exchange.problem, End.DONE, exchange.end)
            assertEquals(request, wanted.started.map(::told), generateSequence(person::started).map(::told).toList())
        }
    }

    @Test
    fun `what was refused never happens`() {
        for (request in REQUESTS) {
            ask(request)
            if (sheet()) {
                person.refuse()
                person.mustSee("You refused.")
            }
            person.waitFor("the end") { exchange.end != End.RUNNING }
            assertNull(request, person.started())
            person.tap(R.id.anew)
        }
    }

    @Test
    fun `a timer of 5 minutes is one of 300 seconds, if the model calls it`() {
        val step = decided().getValue(TIMER)
        assumeTrue("the model decides $step", step.tool == "set_timer" && step.argument("duration") == "5 minutes")
        ask(TIMER)
        person.mustSee("Start a timer of 5 minutes")
        person.agree()
        val intent = person.mustHaveStarted()
        assertEquals(AlarmClock.ACTION_SET_TIMER, intent.action)
        assertEquals(300, intent.getIntExtra(AlarmClock.EXTRA_LENGTH, 0))
        assertNull(person.started())
    }

    @Suppress("DEPRECATION")
    private fun told(intent: Intent): String =
        "${intent.action} ${intent.data} ${intent.extras?.run { keySet().sorted().map { it to get(it) } }}"

    @Test
    fun `it is measured as edgetune profile measures it`() {
        person.go(R.id.to_memory)
        person.tap(R.id.measure)
        person.waitFor("the measurement") { person.app.memory.state.value.running.not() }
        val report = person.app.memory.state.value.report
        assertTrue("${person.app.memory.state.value.problem}", report != null)
        val json = JSONObject(report!!.json)
        val fields = listOf("base", "adapters", "prefill_tokens_per_s", "decode_tokens_per_s", "call", "device")
        assertEquals(fields.toSet(), json.keys().asSequence().toSet())
        assertTrue(json.getJSONArray("adapters").length() > 0)
        assertTrue(json.getJSONObject("call").getDouble("ms") > 0)
    }

    private companion object {
        const val TIMER = "set a timer for 5 minutes"
        val REQUESTS = listOf(
            TIMER, "call 555 0199", "search for banana bread", "take a screenshot", "turn the volume to 40", "thanks",
        )
    }
}

/** Notes what a deed would have started. */
private class Wishes(override val context: Context) : Hand {
    val started = ArrayList<Intent>()

    override fun start(intent: Intent): Boolean = started.add(intent)

    override suspend fun permit(permission: String): Boolean = false

    override fun picture(): Bitmap = Bitmap.createBitmap(1, 1, Bitmap.Config.ARGB_8888)
}
