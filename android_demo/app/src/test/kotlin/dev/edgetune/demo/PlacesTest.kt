package dev.edgetune.demo

import android.app.Activity
import android.content.Intent
import android.net.Uri
import android.provider.DocumentsContract
import android.speech.RecognizerIntent
import android.view.View
import android.widget.EditText
import android.widget.TextView
import dev.edgetune.demo.assistant.Call
import dev.edgetune.demo.bundles.writeBundle
import dev.edgetune.demo.bundles.zipped
import dev.edgetune.demo.memory.Chart
import java.io.File
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** The three places, as a person goes through them. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = ScriptedApp::class)
class PlacesTest {
    private val person = Person()

    @After
    fun end() = person.end()

    private fun timer() {
        Script.calls["set a timer for 5 minutes"] = Call("set_timer", mapOf("duration" to "5 minutes"))
    }

    @Test
    fun `without a bundle there is nothing to ask, and the screen says what to do`() {
        person.begin(bundle = false)
        person.mustSee("No bundle is here yet.")
        assertFalse(person.find<EditText>(R.id.request).isEnabled)
        person.go(R.id.to_memory)
        person.mustSee("There is nothing to measure")
        person.go(R.id.to_ask)
        person.tap(R.id.to_import)
        person.mustSee("Import a folder")
    }

    @Test
    fun `an example that is tapped is asked`() {
        person.begin()
        timer()
        person.tap(person.button("set a timer for 5 minutes"))
        person.mustSee("Start a timer of 5 minutes")
        person.agree()
        assertEquals(300, person.mustHaveStarted().getIntExtra(android.provider.AlarmClock.EXTRA_LENGTH, 0))
        assertFalse("examples are left", person.find<View>(R.id.empty).isShown)
    }

    @Test
    fun `the tools are shown with their probabilities, and what they took`() {
        person.begin()
        timer()
        person.ask("set a timer for 5 minutes")
        person.agree()
        for (text in listOf("set timer", "93%", "search web", "swap 0.3 ms", "128 tokens read")) person.mustSee(text)
    }

    @Test
    fun `what runs can be stopped, and another request asked`() {
        person.begin()
        timer()
        Script.endless += "wait"
        person.ask("wait")
        assertEquals("Stop", person.find<View>(R.id.send).contentDescription)
        person.tap(R.id.send)
        person.mustSee("Stopped.")
        person.ask("set a timer for 5 minutes")
        person.agree()
        person.mustSee("The timer was given to the clock.")
        assertEquals("Send", person.find<View>(R.id.send).contentDescription)
    }

    @Test
    fun `going back from the sheet refuses`() {
        person.begin()
        timer()
        person.ask("set a timer for 5 minutes")
        @Suppress("DEPRECATION")
        person.activity.onBackPressed()
        person.mustSee("You refused.")
        assertNull(person.started())
    }

    @Test
    fun `turning the phone keeps the conversation, and the sheet that waits`() {
        person.begin()
        timer()
        person.ask("set a timer for 5 minutes")
        person.comeBack(process = false)
        person.mustSee("Start a timer of 5 minutes")
        person.agree()
        person.mustSee("The timer was given to the clock.")
        assertEquals(300, person.mustHaveStarted().getIntExtra(android.provider.AlarmClock.EXTRA_LENGTH, 0))
    }

    @Test
    fun `the conversation outlives the process, and what ran then is stopped`() {
        person.begin()
        timer()
        person.ask("set a timer for 5 minutes")
        person.agree()
        person.started()
        Script.endless += "wait"
        person.ask("wait")
        person.comeBack(process = true)
        val before = listOf("set a timer for 5 minutes", "93%", "The timer was given to the clock.")
        for (text in before + "wait" + "Stopped.") person.mustSee(text)
        assertNull(person.started())
    }

    @Test
    fun `the place outlives a turn of the phone`() {
        person.begin()
        person.go(R.id.to_bundles)
        person.comeBack(process = false)
        assertTrue(person.find<View>(R.id.from_zip).isShown)
        assertTrue(person.find<View>(R.id.to_bundles).isSelected)
    }

    @Test
    fun `speech is put where it can be looked at first`() {
        person.begin()
        person.tap(R.id.speak)
        val asked = shadowOf(person.activity).nextStartedActivityForResult
        assertEquals(RecognizerIntent.ACTION_RECOGNIZE_SPEECH, asked.intent.action)
        val heard = Intent().putStringArrayListExtra(RecognizerIntent.EXTRA_RESULTS, arrayListOf("call Emma"))
        shadowOf(person.activity).receiveResult(asked.intent, Activity.RESULT_OK, heard)
        assertEquals("call Emma", person.find<EditText>(R.id.request).text.toString())
    }

    private fun zip(name: String, content: (ByteArray) -> ByteArray = { it }): Uri =
        person.offers("$name.zip", content(zipped(writeBundle(File(person.app.cacheDir, "made"), name))))

    @Test
    fun `a zip is picked, taken in, and answers`() {
        person.begin(bundle = false)
        person.go(R.id.to_bundles)
        person.picks(R.id.from_zip, zip("kitchen"))
        person.mustSee("kitchen")
        person.mustSee("In use")
        person.mustSee("12 tools")
        person.go(R.id.to_ask)
        person.waitFor("the bundle to be open") { person.find<EditText>(R.id.request).isEnabled }
    }

    @Test
    fun `a zip that is none is one sentence on the screen`() {
        person.begin(bundle = false)
        person.go(R.id.to_bundles)
        person.picks(R.id.from_zip, zip("kitchen") { it.copyOf(it.size / 2) })
        person.mustSee("kitchen.zip: is not a zip that can be read")
        assertEquals(emptyList<String>(), person.app.bundles.state.value.bundles.map { it.name })
        assertTrue(person.find<View>(R.id.from_zip).isEnabled)
    }

    @Test
    fun `a folder that may not be read is one sentence on the screen`() {
        person.begin(bundle = false)
        person.go(R.id.to_bundles)
        person.picks(R.id.from_folder, DocumentsContract.buildTreeDocumentUri("somewhere", "primary:kitchen"))
        person.mustSee("kitchen: has no manifest.json")
    }

    @Test
    fun `what a computer pushed is taken in when the app comes to the front, and is gone from there`() {
        val pushed = writeBundle(File(person.app.getExternalFilesDir(null), "bundles/kitchen"), "kitchen")
        person.begin(bundle = false)
        person.go(R.id.to_bundles)
        person.mustSee("In use")
        person.waitFor("the pushed folder to be gone") { !pushed.exists() }
        assertTrue(File(person.app.getExternalFilesDir(null), "held.sha256").readText().contains("tokenizer.json"))
    }

    @Test
    fun `a pushed bundle that is refused is told of, stays, and does not keep others out`() {
        val external = person.app.getExternalFilesDir(null)
        val damaged = writeBundle(File(external, "bundles/damaged"), "damaged")
        File(damaged, "onnx/model.onnx").writeText("short")
        val whole = writeBundle(File(external, "bundles/whole"), "whole")
        person.begin(bundle = false)
        person.go(R.id.to_bundles)
        person.mustSee("damaged: onnx/model.onnx has 5 instead of 200000 bytes")
        person.mustSee("In use")
        person.waitFor("the whole one to be gone") { !whole.exists() }
        assertTrue(damaged.exists())
        person.mustSee("damaged: onnx/model.onnx")
    }

    @Test
    fun `another bundle is chosen, the first one is closed, and one can be removed`() {
        writeBundle(File(person.app.filesDir, "bundles/kitchen"), "kitchen")
        person.begin()
        person.waitFor("both") { person.app.bundles.state.value.bundles.size == 2 }
        person.go(R.id.to_bundles)
        val closed = Script.closed
        person.tap(person.button("Use"))
        person.waitFor("the first one to be closed") { Script.closed == closed + 1 }
        val chosen = person.app.bundles.state.value.chosen
        person.tap(person.button("Remove"))
        person.waitFor("one to be gone") { person.app.bundles.state.value.bundles.size == 1 }
        assertTrue(chosen in listOf("kitchen", "phone"))
    }

    @Test
    fun `memory is measured, drawn, listed, kept for a computer and shared`() {
        person.begin()
        person.go(R.id.to_memory)
        assertFalse(person.find<View>(R.id.share).isShown)
        person.tap(R.id.measure)
        person.mustSee("phone_actions.selector loaded")
        person.mustSee("PSS 171.0 MB")
        person.mustSee("0.62 ms")
        val chart = person.find<Chart>(R.id.chart).contentDescription.toString().replace('\u00A0', ' ')
        assertEquals("8 measurements, from 61.0 MB to 171.0 MB in memory", chart)
        person.waitFor("sharing") { person.find<TextView>(R.id.share).isShown }
        person.tap(R.id.share)
        val chooser = person.mustHaveStarted()

        @Suppress("DEPRECATION")
        val shared = chooser.getParcelableExtra<Intent>(Intent.EXTRA_INTENT)!!
        assertEquals("application/json", shared.type)
        assertTrue("load_ms" in shared.getStringExtra(Intent.EXTRA_TEXT)!!)
        assertTrue(File(person.app.getExternalFilesDir(null), "profile.json").isFile)
    }
}
