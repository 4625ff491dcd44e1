package dev.edgetune.demo.tools

import android.content.Intent
import dev.edgetune.demo.Person
import dev.edgetune.demo.Script
import dev.edgetune.demo.ScriptedApp
import dev.edgetune.demo.assistant.Call
import java.time.LocalDateTime
import java.time.ZoneId
import org.junit.After
import org.junit.Assert.assertNull
import org.junit.Before
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/** Somebody with the app open, who asks for one call after another. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = ScriptedApp::class)
abstract class ToolTest {
    protected val person = Person()

    @Before
    fun begin() {
        person.begin()
    }

    @After
    fun end() = person.end()

    /** Asks for a call and sees the sheet, with [words] on it. */
    protected fun asks(tool: String, vararg arguments: Pair<String, String>, words: String) {
        Script.calls["please"] = Call(tool, linkedMapOf(*arguments))
        person.ask("please")
        person.mustSee(words)
        assertNull("something happened before anybody agreed", person.started())
    }

    /** What Android is given for a call that was agreed to. */
    protected fun given(tool: String, vararg arguments: Pair<String, String>, words: String): Intent {
        asks(tool, *arguments, words = words)
        person.agree()
        return person.mustHaveStarted()
    }
}

/** Milliseconds since 1970 of a time where the phone is. */
fun millis(at: String): Long = LocalDateTime.parse(at).atZone(ZoneId.systemDefault()).toInstant().toEpochMilli()
