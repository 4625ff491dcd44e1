package dev.edgetune.demo.tools

import android.provider.AlarmClock
import dev.edgetune.demo.R
import dev.edgetune.demo.Script
import dev.edgetune.demo.assistant.Call
import java.util.Calendar
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

/** Timers and alarms, which are the clock's. */
class ClockToolsTest : ToolTest() {
    @Test
    fun `a timer of 5 minutes is one of 300 seconds`() {
        Script.calls["set a timer for 5 minutes"] = Call("set_timer", mapOf("duration" to "5 minutes"))
        person.ask("set a timer for 5 minutes")
        person.mustSee("Start a timer of 5 minutes")
        person.mustSee("{\"duration\": \"5 minutes\"}")
        assertNull(person.started())
        person.agree()
        val intent = person.mustHaveStarted()
        assertEquals(AlarmClock.ACTION_SET_TIMER, intent.action)
        assertEquals(300, intent.getIntExtra(AlarmClock.EXTRA_LENGTH, 0))
        person.mustSee("The timer was given to the clock.")
    }

    @Test
    fun `what nobody understands is asked, and the answer counts`() {
        Script.calls["please"] = Call("set_timer", mapOf("duration" to "a while", "label" to "tea"))
        person.ask("please")
        person.mustSee("How long?")
        assertTrue(person.sees("a while"))
        person.type(R.id.sheet_said, "no idea")
        person.agree()
        person.mustSee("How long?")
        person.type(R.id.sheet_said, "four minutes")
        person.agree()
        person.mustSee("Start a timer of 4 minutes")
        person.agree()
        val intent = person.mustHaveStarted()
        assertEquals(240, intent.getIntExtra(AlarmClock.EXTRA_LENGTH, 0))
        assertEquals("tea", intent.getStringExtra(AlarmClock.EXTRA_MESSAGE))
    }

    @Test
    fun `a timer of over a day is none of the clock`() {
        Script.calls["please"] = Call("set_timer", mapOf("duration" to "25 hours"))
        person.ask("please")
        person.mustSee("The clock takes timers of up to a day.")
        assertNull(person.started())
    }

    @Test
    fun `an alarm rings at the next such time`() {
        val intent = given(
            "set_alarm", "time" to "half past seven", "day" to "tomorrow", "label" to "gym",
            words = "Set an alarm for",
        )
        assertEquals(AlarmClock.ACTION_SET_ALARM, intent.action)
        assertEquals(7, intent.getIntExtra(AlarmClock.EXTRA_HOUR, -1))
        assertEquals(30, intent.getIntExtra(AlarmClock.EXTRA_MINUTES, -1))
        assertEquals("gym", intent.getStringExtra(AlarmClock.EXTRA_MESSAGE))
        assertFalse(intent.hasExtra(AlarmClock.EXTRA_DAYS))
        assertTrue(intent.getBooleanExtra(AlarmClock.EXTRA_SKIP_UI, false))
    }

    @Test
    fun `an alarm of another day repeats on it, and says so`() {
        val friday = given("set_alarm", "time" to "7 am", "day" to "Friday", words = "every Friday")
        assertEquals(listOf(Calendar.FRIDAY), friday.getIntegerArrayListExtra(AlarmClock.EXTRA_DAYS))
        val sundays = given("set_alarm", "time" to "9", "day" to "every Sunday", words = "every Sunday")
        assertEquals(listOf(Calendar.SUNDAY), sundays.getIntegerArrayListExtra(AlarmClock.EXTRA_DAYS))
    }

    @Test
    fun `an alarm of a date that no clock takes is refused`() {
        Script.calls["please"] = Call("set_alarm", mapOf("time" to "7 am", "day" to "the 3rd of August"))
        person.ask("please")
        person.mustSee("The clock takes alarms of the next seven days")
        assertNull(person.started())
    }
}
