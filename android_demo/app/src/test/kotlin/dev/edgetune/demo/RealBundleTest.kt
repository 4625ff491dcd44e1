package dev.edgetune.demo

import android.provider.AlarmClock
import android.view.View
import android.widget.EditText
import dev.edgetune.demo.ask.End
import java.io.File
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/** The bundle that `-Dedgetune.bundle` names, on ONNX Runtime, through the app's own screens. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = EdgetuneApp::class)
class RealBundleTest {
    private val person = Person()

    @After
    fun end() = person.end()

    private fun pushed() {
        val given = System.getProperty("edgetune.bundle")
        assumeTrue("-Dedgetune.bundle is not given", given != null)
        File(given!!).copyRecursively(File(person.app.getExternalFilesDir(null), "bundles/given"))
        person.begin(bundle = false)
        person.waitFor("the bundle to be open") { person.find<EditText>(R.id.request).isEnabled }
    }

    private val exchange get() = person.app.ask.state.value.exchanges.last()

    @Test
    fun `it is taken in, asked, and what it calls happens only when it was agreed to`() {
        pushed()
        person.ask("set a timer for 5 minutes")
        val sheet = person.find<View>(R.id.sheet)
        person.waitFor("a call or an answer") { sheet.isShown || exchange.end != End.RUNNING }
        assertTrue("${exchange.problem} ${exchange.chances}", exchange.chances.isNotEmpty())
        assertEquals(null, person.started())
        val written = exchange.arguments.joinToString("") { it.text }
        val isTimer = exchange.chances.first().first == "set_timer" && "5 minutes" in written
        if (sheet.isShown && isTimer) {
            person.agree()
            assertEquals(300, person.mustHaveStarted().getIntExtra(AlarmClock.EXTRA_LENGTH, 0))
        } else if (sheet.isShown) {
            person.refuse()
        }
        person.waitFor("the end") { exchange.end != End.RUNNING }
        assertEquals(exchange.problem, End.DONE, exchange.end)
        assertTrue("no times", exchange.times != null)
    }

    @Test
    fun `it is measured as edgetune profile measures it`() {
        pushed()
        person.go(R.id.to_memory)
        person.tap(R.id.measure)
        person.waitFor("the measurement") { person.app.memory.state.value.running.not() }
        val report = person.app.memory.state.value.report
        assertTrue("${person.app.memory.state.value.problem}", report != null)
        val json = org.json.JSONObject(report!!.json)
        val fields = listOf("base", "adapters", "prefill_tokens_per_s", "decode_tokens_per_s", "call", "device")
        assertEquals(fields.toSet(), json.keys().asSequence().toSet())
        assertTrue(json.getJSONArray("adapters").length() > 0)
        assertTrue(json.getJSONObject("call").getDouble("ms") > 0)
    }
}
