package dev.edgetune.demo

import android.view.View
import dev.edgetune.core.BundleException
import dev.edgetune.demo.assistant.Call
import dev.edgetune.demo.bundles.FolderSource
import dev.edgetune.demo.bundles.Source
import dev.edgetune.demo.bundles.writeBundle
import java.io.File
import java.io.InputStream
import java.util.concurrent.CountDownLatch
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
 * Draws every screen on every kind of phone into the folder `-Dpictures`, and finds nothing cut off,
 * overlapped, unlabelled, too pale or too small on any.
 */
@RunWith(ParameterizedRobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [34], application = ScriptedApp::class)
class PicturesTest(private val phone: String, private val qualifiers: String, private val fontScale: Float) {
    private val person by lazy { Person() }
    private val wrong = ArrayList<String>()

    @After
    fun end() = person.end()

    @Test
    fun everyScreenIsLegible() {
        RuntimeEnvironment.setQualifiers(qualifiers)
        RuntimeEnvironment.setFontScale(fontScale)
        person.begin(bundle = false)
        if (phone == MIRRORED) person.readsFromTheRight()
        withoutBundle()
        bundles()
        ask()
        memory()
        assertEquals(wrong.joinToString("\n"), 0, wrong.size)
    }

    private fun withoutBundle() {
        picture("ask-no-bundle")
        person.go(R.id.to_memory)
        picture("memory-no-bundle")
        person.go(R.id.to_bundles)
        picture("bundles-none")
    }

    private fun bundles() {
        val half = Half(FolderSource(writeBundle(File(person.app.cacheDir, "phone"), "phone")))
        person.app.bundles.take("phone", { half })
        person.waitFor("half of it") { (person.app.bundles.state.value.import?.doneBytes ?: 0) > 100_000 }
        picture("bundles-importing")
        half.goOn.countDown()
        person.waitFor("the bundle") { person.app.bundles.state.value.bundles.size == 1 }
        picture("bundles")
        val damaged = writeBundle(File(person.app.filesDir, "bundles/damaged"), "damaged")
        damaged.resolve("manifest.sha256").writeText("none")
        person.app.bundles.begin("phone")
        person.waitFor("both") { person.app.bundles.state.value.bundles.size == 2 }
        person.app.bundles.take("holiday.zip", { refused() })
        person.waitFor("the refusal") { person.app.bundles.state.value.problem != null }
        picture("bundles-refused")
    }

    private fun ask() {
        person.go(R.id.to_ask)
        person.waitFor("the bundle to be open") { person.find<View>(R.id.request).isEnabled }
        picture("ask-examples")
        val timer = Call("set_timer", mapOf("duration" to "5 minutes", "label" to "tea"))
        ask("set a timer for 5 minutes for the tea", timer)
        picture("ask-confirm")
        person.agree()
        picture("ask-done")
        ask("remind me to water the plants", Call("set_reminder", mapOf("task" to "water the plants")))
        picture("ask-question")
        person.refuse()
        picture("ask-refused")
        person.tap(R.id.anew)
        ask("how are you?", null)
        picture("ask-answered")
        Script.endless += "what's the way to the station?"
        ask("what's the way to the station?", Call("navigate", mapOf("destination" to "the station")))
        picture("ask-running")
        person.tap(R.id.send)
        Script.failing["and the way back?"] = "The request has 9000 tokens and the base reads 8192; ask for less."
        ask("and the way back?", null)
        picture("ask-failed")
    }

    private fun memory() {
        person.go(R.id.to_memory)
        picture("memory")
        person.tap(R.id.measure)
        person.waitFor("the measurement") { person.find<View>(R.id.share).isShown }
        picture("memory-measured")
    }

    private fun ask(request: String, call: Call?) {
        Script.calls[request] = call
        person.ask(request)
    }

    private fun refused(): Source =
        throw BundleException("holiday.zip: holds '../../etc/passwd', which leads out of it; pack it again.")

    private fun picture(screen: String) {
        person.settle()
        wrong += illegible(person.activity.window.decorView).map { "$phone, $screen: $it" }
        val file = File(System.getProperty("pictures") ?: "build/pictures", "$phone/$screen.png")
        val widthDp = person.activity.resources.configuration.screenWidthDp
        assertTrue("$file is one colour", write(person.activity.picture(), widthDp, file) > 3)
    }

    companion object {
        private const val MIRRORED = "right-to-left"

        @JvmStatic
        @Parameters(name = "{0}")
        fun phones(): List<Array<Any>> = listOf(
            arrayOf("light", "w400dp-h800dp-notnight-xhdpi", 1f),
            arrayOf("dark", "w400dp-h800dp-night-xhdpi", 1f),
            arrayOf("font-2", "w400dp-h800dp-xhdpi", 2f),
            arrayOf("landscape", "w800dp-h400dp-land-xhdpi", 1f),
            arrayOf(MIRRORED, "w400dp-h800dp-xhdpi", 1f),
            arrayOf("german", "de-w400dp-h800dp-xhdpi", 1f),
            arrayOf("small", "w320dp-h534dp-xhdpi", 1f),
            arrayOf("small-german-font-2", "de-w320dp-h534dp-xhdpi", 2f),
            arrayOf("tablet", "w800dp-h1280dp-mdpi", 1f),
        )
    }
}

/** A bundle of which the graph comes in half, and the rest once somebody says so. */
private class Half(private val whole: Source) : Source by whole {
    val goOn = CountDownLatch(1)

    override fun open(path: String): InputStream? {
        val stream = whole.open(path) ?: return null
        return if (path.startsWith("onnx/")) Waiting(stream) else stream
    }

    private inner class Waiting(private val stream: InputStream) : InputStream() {
        private var read = 0

        override fun read(): Int = error("nobody reads single bytes")

        override fun read(into: ByteArray, from: Int, most: Int): Int {
            if (read > 0) goOn.await()
            return stream.read(into, from, most).also { read += it }
        }

        override fun close() = stream.close()
    }
}
