package dev.edgetune.demo

import android.view.View
import android.view.accessibility.AccessibilityNodeInfo
import dev.edgetune.demo.assistant.Call
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/** What somebody hears who can't see the screen, by the nodes that TalkBack reads. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = ScriptedApp::class)
class TalkBackTest {
    private val person = Person()

    @After
    fun end() = person.end()

    private fun heard(id: Int): AccessibilityNodeInfo = heard(person.find<View>(id))

    private fun heard(view: View): AccessibilityNodeInfo = checkNotNull(view.createAccessibilityNodeInfo())

    /** All that can be tapped or typed into, and what it is called. */
    private fun reached(): Map<View, String> = shown(person.activity.window.decorView).filter { it.isClickable }
        .associateWith { view -> heard(view).run { contentDescription ?: text ?: hintText ?: "" }.toString() }

    @Test
    fun `all that can be tapped has a name of its own`() {
        person.begin()
        Script.calls["set a timer"] = Call("set_timer", mapOf("duration" to "a while"))
        for (place in listOf(R.id.to_ask, R.id.to_bundles, R.id.to_memory)) {
            person.go(place)
            mustBeNamed()
        }
        person.go(R.id.to_ask)
        person.ask("set a timer")
        mustBeNamed()
    }

    private fun mustBeNamed() {
        val names = reached()
        assertTrue("$names", names.values.none(String::isBlank))
        assertEquals("$names", names.size, names.values.toSet().size)
    }

    @Test
    fun `the sheet and the answer are told as they come`() {
        person.begin()
        Script.calls["set a timer for 5 minutes"] = Call("set_timer", mapOf("duration" to "5 minutes"))
        person.ask("set a timer for 5 minutes")
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_ASSERTIVE, heard(R.id.sheet_words).liveRegion)
        assertEquals("Start a timer of 5 minutes", heard(R.id.sheet_words).text.toString())
        person.agree()
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE, heard(R.id.answer).liveRegion)
        assertEquals("The timer was given to the clock.", heard(R.id.answer).text.toString())
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE, heard(R.id.problem).liveRegion)
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_ASSERTIVE, heard(R.id.bundles_problem).liveRegion)
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE, heard(R.id.memory_what).liveRegion)
    }

    @Test
    fun `a tool is read with its probability, and not bit by bit`() {
        person.begin()
        Script.calls["how are you?"] = null
        person.ask("how are you?")
        val row = person.find<View>(R.id.percent).parent.parent as View
        assertTrue(heard(row).isScreenReaderFocusable)
    }

    @Test
    fun `each place has a heading, and the one that is shown is told`() {
        person.begin()
        for (place in listOf(R.id.to_bundles, R.id.to_memory, R.id.to_ask)) {
            person.go(place)
            assertTrue(heard(place).isSelected)
            assertEquals(1, shown(person.activity.window.decorView).count { heard(it).isHeading })
        }
    }
}
