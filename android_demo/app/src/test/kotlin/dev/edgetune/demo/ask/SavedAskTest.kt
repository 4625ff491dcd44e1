package dev.edgetune.demo.ask

import dev.edgetune.demo.ScriptedApp
import dev.edgetune.demo.assistant.Times
import kotlin.random.Random
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = ScriptedApp::class)
class SavedAskTest {
    private val whole = Exchange(
        "set a timer for \"5\" minutes\n",
        "phone_actions",
        listOf("set_timer" to 0.93, "respond" to 0.07),
        listOf(Piece("{\"duration\": \"", true), Piece("5 minutes", false)),
        Times(0.3, 41.0, 63.5, 128, 6),
        "done", "", End.DONE, "",
    )

    @Test
    fun `what is saved comes back as it was`() {
        val exchanges = listOf(whole, Exchange("hello", reply = "hi", end = End.FAILED, problem = "no."))
        assertEquals(exchanges, restored(saved(exchanges)))
    }

    @Test
    fun `what ran comes back as stopped, and the oldest do not come back`() {
        assertEquals(End.STOPPED, restored(saved(listOf(Exchange("wait")))).single().end)
        assertEquals("99", restored(saved(List(100) { Exchange("$it") })).last().request)
    }

    @Test
    fun `what is no conversation is none`() {
        val text = saved(listOf(whole))
        val random = Random(1)
        val cut = List(200) { random.nextInt(text.length - 3).let { text.removeRange(it, it + 3) } }
        for (broken in listOf("", "[", "{}", "[1]", "null") + cut) restored(broken)
        assertEquals(emptyList<Exchange>(), restored("[{}]"))
    }
}
