package dev.edgetune.demo.tools

import dev.edgetune.demo.Person
import dev.edgetune.demo.R
import dev.edgetune.demo.Script
import dev.edgetune.demo.ScriptedApp
import dev.edgetune.demo.assistant.Call
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.ParameterizedRobolectricTestRunner
import org.robolectric.ParameterizedRobolectricTestRunner.Parameters
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** Each tool of `phone_actions`, agreed to, refused, and on a phone that has no app for it. */
@RunWith(ParameterizedRobolectricTestRunner::class)
@Config(sdk = [34], application = ScriptedApp::class)
class EveryToolTest(private val request: String) {
    private val trial = TRIALS.getValue(request)
    private val person = Person()
    private val phone by lazy { Phone(person) }

    @Before
    fun begin() {
        person.begin()
        phone.untouched()
    }

    @After
    fun end() = person.end()

    /** Types the request and sees the tool, its arguments and the sheet; the phone is as it was. */
    private fun asks() {
        Script.calls[request] = Call(trial.tool, trial.arguments)
        person.ask(request)
        for (text in listOf(trial.tool.replace('_', ' '), "93%", trial.words) + trial.arguments.values) {
            person.mustSee(text)
        }
        assertEquals("before anybody agreed", emptyMap<String, String>(), phone.touched())
    }

    @Test
    fun `agreed to, it happens once`() {
        asks()
        person.agree()
        person.mustSee(trial.done)
        assertEquals(trial.happens, phone.touched())
        assertEquals("more than once", emptyMap<String, String>(), phone.touched())
    }

    @Test
    fun `refused, nothing happens`() {
        asks()
        person.refuse()
        person.mustSee("You refused.")
        person.tap(R.id.anew)
        assertEquals(emptyMap<String, String>(), phone.touched())
    }

    @Test
    fun `without an app for it, the phone says so`() {
        shadowOf(person.app).checkActivities(true)
        asks()
        person.agree()
        if ("intent" in trial.happens) {
            person.mustSee("This phone has no app for that.")
            assertEquals(emptyMap<String, String>(), phone.touched())
        } else {
            person.mustSee(trial.done) // needs no other app
            assertEquals(trial.happens, phone.touched())
        }
    }

    companion object {
        @JvmStatic
        @Parameters(name = "{0}")
        fun requests(): List<Array<String>> = TRIALS.keys.map { arrayOf(it) }
    }
}
