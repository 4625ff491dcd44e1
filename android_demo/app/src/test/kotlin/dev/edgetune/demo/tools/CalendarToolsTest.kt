package dev.edgetune.demo.tools

import android.content.Intent
import android.provider.CalendarContract
import android.provider.CalendarContract.Events
import dev.edgetune.demo.R
import dev.edgetune.demo.Script
import dev.edgetune.demo.assistant.Call
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

/** Reminders and events, which are the calendar's. */
class CalendarToolsTest : ToolTest() {
    @Test
    fun `a reminder is an entry of the calendar at its time`() {
        val intent = given(
            "set_reminder", "task" to "water the plants", "when" to "tomorrow morning",
            words = "Remind you to water the plants",
        )
        assertEquals(Intent.ACTION_INSERT, intent.action)
        assertEquals(Events.CONTENT_URI, intent.data)
        assertEquals("water the plants", intent.getStringExtra(Events.TITLE))
        assertEquals(millis("2026-06-18T09:00"), intent.getLongExtra(CalendarContract.EXTRA_EVENT_BEGIN_TIME, 0))
        assertFalse(intent.getBooleanExtra(CalendarContract.EXTRA_EVENT_ALL_DAY, true))
    }

    @Test
    fun `a reminder without a time asks for one`() {
        Script.calls["please"] = Call("set_reminder", mapOf("task" to "buy milk"))
        person.ask("please")
        person.mustSee("When?")
        person.type(R.id.sheet_said, "at 6 pm")
        person.agree()
        person.mustSee("Remind you to buy milk")
        person.agree()
        val intent = person.mustHaveStarted()
        assertEquals(millis("2026-06-17T18:00"), intent.getLongExtra(CalendarContract.EXTRA_EVENT_BEGIN_TIME, 0))
    }

    @Test
    fun `an event has its day, time and place`() {
        val timed = given(
            "create_event", "title" to "dentist", "day" to "Friday", "time" to "3", "place" to "Main Street",
            words = "At Main Street",
        )
        assertEquals(millis("2026-06-19T15:00"), timed.getLongExtra(CalendarContract.EXTRA_EVENT_BEGIN_TIME, 0))
        assertEquals("Main Street", timed.getStringExtra(Events.EVENT_LOCATION))
        val whole = given("create_event", "title" to "holiday", "day" to "the 1st of July", words = "holiday")
        assertTrue(whole.getBooleanExtra(CalendarContract.EXTRA_EVENT_ALL_DAY, false))
        val open = given("create_event", "title" to "party", words = "party")
        assertFalse(open.hasExtra(CalendarContract.EXTRA_EVENT_BEGIN_TIME))
    }
}
