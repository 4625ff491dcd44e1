package dev.edgetune.demo

import android.graphics.Bitmap
import android.view.View
import dev.edgetune.core.BundleException
import dev.edgetune.demo.assistant.Call
import dev.edgetune.demo.bundles.Source
import dev.edgetune.demo.bundles.writeBundle
import java.io.File
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.ParameterizedRobolectricTestRunner
import org.robolectric.ParameterizedRobolectricTestRunner.Parameters
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/**
 * Draws every screen on every kind of phone into `build/pictures`, and finds nothing cut off,
 * overlapped, unlabelled or too small on any.
 */
@RunWith(ParameterizedRobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [34], application = ScriptedApp::class)
class PicturesTest(private val phone: String, private val qualifiers: String, private val fontScale: Float) {
    private val person by lazy { Person() }
    private val wrong = ArrayList<String>()

    @After
    fun end() = person.end()

    private fun picture(screen: String) {
        person.settle()
        val root = person.activity.window.decorView
        wrong += illegible(root).map { "$phone, $screen: $it" }
        val file = File(System.getProperty("pictures") ?: "build/pictures", "$phone/$screen.png")
        file.parentFile!!.mkdirs()
        file.outputStream().use { person.activity.picture().compress(Bitmap.CompressFormat.PNG, 100, it) }
        assertTrue("$file is one colour", colours(person.activity.picture()) > 3)
    }

    private fun colours(picture: Bitmap): Int {
        val pixels = IntArray(picture.width * picture.height)
        picture.getPixels(pixels, 0, picture.width, 0, 0, picture.width, picture.height)
        return pixels.toSet().size
    }

    @Test
    fun everyScreenIsLegible() {
        RuntimeEnvironment.setQualifiers(qualifiers)
        RuntimeEnvironment.setFontScale(fontScale)
        person.begin()
        picture("ask-empty")
        val timer = Call("set_timer", mapOf("duration" to "5 minutes", "label" to "tea"))
        ask("set a timer for 5 minutes for the tea", timer)
        picture("ask-confirm")
        person.agree()
        picture("ask-done")
        ask("remind me to water the plants", Call("set_reminder", mapOf("task" to "water the plants")))
        picture("ask-question")
        person.refuse()
        ask("how are you?", null)
        Script.endless += "what's the way to the station?"
        ask("what's the way to the station?", Call("navigate", mapOf("destination" to "the station")))
        picture("ask-running")
        person.tap(R.id.send)
        person.go(R.id.to_bundles)
        picture("bundles")
        val damaged = writeBundle(File(person.app.filesDir, "bundles/damaged"), "damaged")
        damaged.resolve("manifest.sha256").writeText("none")
        person.app.bundles.begin("phone")
        person.waitFor("both") { person.app.bundles.state.value.bundles.size == 2 }
        person.app.bundles.take("holiday.zip", { refused() })
        person.waitFor("the refusal") { person.app.bundles.state.value.problem != null }
        picture("bundles-refused")
        person.go(R.id.to_memory)
        picture("memory")
        person.tap(R.id.measure)
        person.waitFor("the measurement") { person.find<View>(R.id.share).isShown }
        picture("memory-measured")
        assertEquals(wrong.joinToString("\n"), 0, wrong.size)
    }

    private fun refused(): Source =
        throw BundleException("holiday.zip: holds '../../etc/passwd', which leads out of it; pack it again.")

    private fun ask(request: String, call: Call?) {
        Script.calls[request] = call
        person.ask(request)
    }

    companion object {
        @JvmStatic
        @Parameters(name = "{0}")
        fun phones(): List<Array<Any>> = listOf(
            arrayOf("light", "w400dp-h800dp-notnight-xhdpi", 1f),
            arrayOf("dark", "w400dp-h800dp-night-xhdpi", 1f),
            arrayOf("font-2", "w400dp-h800dp-xhdpi", 2f),
            arrayOf("landscape", "w800dp-h400dp-land-hdpi", 1f),
            arrayOf("right-to-left", "iw-ldrtl-w400dp-h800dp-xhdpi", 1f),
            arrayOf("german", "de-w400dp-h800dp-xhdpi", 1f),
            arrayOf("small", "w320dp-h533dp-hdpi", 1f),
            arrayOf("small-german-font-2", "de-w320dp-h533dp-hdpi", 2f),
            arrayOf("tablet", "w800dp-h1280dp-mdpi", 1f),
        )
    }
}
