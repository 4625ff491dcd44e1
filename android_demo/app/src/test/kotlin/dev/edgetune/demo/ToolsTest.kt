package dev.edgetune.demo

import android.Manifest
import android.app.AppOpsManager
import android.app.NotificationManager
import android.app.SearchManager
import android.content.Intent
import android.media.AudioManager
import android.net.Uri
import android.provider.AlarmClock
import android.provider.CalendarContract
import android.provider.CalendarContract.Events
import android.provider.MediaStore
import android.provider.Settings
import android.telecom.TelecomManager
import dev.edgetune.demo.assistant.Call
import java.time.LocalDateTime
import java.time.ZoneId
import java.util.Calendar
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** Every tool of `phone_actions`, from the words that a person types to what Android is given. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = ScriptedApp::class)
class ToolsTest {
    private val person = Person()

    @Before
    fun begin() {
        person.begin()
    }

    @After
    fun end() = person.end()

    /** Asks for a call and sees the sheet, with [words] on it. */
    private fun asks(tool: String, vararg arguments: Pair<String, String>, words: String) {
        Script.calls["please"] = Call(tool, linkedMapOf(*arguments))
        person.ask("please")
        person.mustSee(words)
        assertNull("something happened before anybody agreed", person.started())
    }

    private fun given(tool: String, vararg arguments: Pair<String, String>, words: String): Intent {
        asks(tool, *arguments, words = words)
        person.agree()
        return person.mustHaveStarted()
    }

    private fun millis(at: String) =
        LocalDateTime.parse(at).atZone(ZoneId.systemDefault()).toInstant().toEpochMilli()

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
    fun `whatever is refused is never given to Android`() {
        for ((tool, arguments) in ALL) {
            Script.calls["please $tool"] = Call(tool, arguments)
            person.ask("please $tool")
            person.waitFor("the sheet of $tool") { person.find<android.view.View>(R.id.sheet).isShown }
            person.refuse()
            person.mustSee("You refused.")
            assertNull(tool, person.started())
            person.tap(R.id.anew)
        }
        assertEquals(PHONE_TOOLS.toSet(), ALL.keys)
    }

    @Test
    fun `a request that needs no tool is answered in words`() {
        Script.calls["how are you?"] = null
        person.ask("how are you?")
        person.mustSee("I am fine.")
        assertFalse(person.find<android.view.View>(R.id.sheet).isShown)
        assertNull(person.started())
    }

    @Test
    fun `a tool that the phone has no function for is said to be none`() {
        Script.calls["order pizza"] = Call("order_pizza", emptyMap())
        person.ask("order pizza")
        person.mustSee("This phone has no function for “order_pizza”.")
        assertNull(person.started())
    }

    @Test
    fun `a tool that the phone has no app for says so`() {
        shadowOf(person.app).checkActivities(true)
        Script.calls["please"] = Call("set_timer", mapOf("duration" to "an hour"))
        person.ask("please")
        person.agree()
        person.mustSee("This phone has no app for that.")
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

    @Test
    fun `a message is drafted and not sent`() {
        val sms = given("send_message", "contact" to "555 0199", "text" to "on my way", words = "“on my way”")
        assertEquals(Intent.ACTION_SENDTO, sms.action)
        assertEquals("smsto", sms.data!!.scheme)
        assertEquals("555 0199", sms.data!!.schemeSpecificPart)
        assertEquals("on my way", sms.getStringExtra("sms_body"))
        val signal = given(
            "send_message", "contact" to "Emma", "text" to "hi", "app" to "signal",
            words = "In signal",
        )
        assertEquals(Intent.ACTION_SEND, signal.action)
        assertEquals("org.thoughtcrime.securesms", signal.`package`)
        assertEquals("hi", signal.getStringExtra(Intent.EXTRA_TEXT))
    }

    @Test
    fun `a number is put into the dialler without asking for a permission`() {
        val intent = given(
            "make_call", "contact" to "555 0199", "kind" to "speaker",
            words = "Call 555 0199 on the loudspeaker",
        )
        assertEquals(Intent.ACTION_DIAL, intent.action)
        assertEquals(Uri.fromParts("tel", "555 0199", null), intent.data)
        assertTrue(intent.getBooleanExtra(TelecomManager.EXTRA_START_CALL_WITH_SPEAKERPHONE, false))
        assertNull(shadowOf(person.activity).lastRequestedPermission)
    }

    @Test
    fun `a name asks for the contacts once it was agreed to, and works without`() {
        asks("make_call", "contact" to "Emma", words = "Call Emma")
        assertNull(shadowOf(person.activity).lastRequestedPermission)
        person.agree()
        val asked = shadowOf(person.activity).lastRequestedPermission
        assertEquals(listOf(Manifest.permission.READ_CONTACTS), asked.requestedPermissions.toList())
        val wanted = arrayOf(Manifest.permission.READ_CONTACTS)
        person.activity.onRequestPermissionsResult(asked.requestCode, wanted, intArrayOf(-1))
        person.settle()
        assertEquals("tel:", person.mustHaveStarted().data.toString())
        person.mustSee("No number of Emma is known here")
    }

    @Test
    fun `the way is shown on a map`() {
        val plain = given("navigate", "destination" to "12 Mill Lane", words = "Show the way to 12 Mill Lane")
        assertEquals("geo:0,0?q=12%20Mill%20Lane", plain.data.toString())
        val walk = given("navigate", "destination" to "the station", "mode" to "walking", words = "On foot")
        assertEquals("walking", walk.data!!.getQueryParameter("travelmode"))
        assertEquals("the station", walk.data!!.getQueryParameter("destination"))
    }

    @Test
    fun `music is searched for and played`() {
        val intent = given("play_music", "song" to "Blue", "artist" to "Joni", words = "Play “Blue”, Joni")
        assertEquals(MediaStore.INTENT_ACTION_MEDIA_PLAY_FROM_SEARCH, intent.action)
        assertEquals("Blue Joni", intent.getStringExtra(SearchManager.QUERY))
        assertEquals("Blue", intent.getStringExtra(MediaStore.EXTRA_MEDIA_TITLE))
        assertEquals("Joni", intent.getStringExtra(MediaStore.EXTRA_MEDIA_ARTIST))
        given("play_music", words = "Play music")
    }

    @Test
    fun `the web is searched by another app`() {
        val intent = given("search_web", "query" to "banana bread", words = "Search the web for “banana bread”")
        assertEquals(Intent.ACTION_WEB_SEARCH, intent.action)
        assertEquals("banana bread", intent.getStringExtra(SearchManager.QUERY))
    }

    @Test
    fun `what no app may switch opens the system's own panel`() {
        val panels = mapOf(
            "wifi" to Settings.Panel.ACTION_WIFI,
            "mobile data" to Settings.Panel.ACTION_INTERNET_CONNECTIVITY,
            "bluetooth" to Settings.ACTION_BLUETOOTH_SETTINGS,
            "airplane mode" to Settings.ACTION_AIRPLANE_MODE_SETTINGS,
            "dark mode" to Settings.ACTION_DISPLAY_SETTINGS,
            "location" to Settings.ACTION_LOCATION_SOURCE_SETTINGS,
            "battery saver" to Settings.ACTION_BATTERY_SAVER_SETTINGS,
            "hotspot" to Settings.ACTION_WIRELESS_SETTINGS,
        )
        for ((setting, action) in panels) {
            val intent = given(
                "change_setting", "setting" to setting, "state" to "on",
                words = "Only the system may do that",
            )
            assertEquals(setting, action, intent.action)
            person.mustSee("The system’s panel is open")
            person.tap(R.id.anew)
        }
    }

    @Test
    fun `not to be disturbed needs to be allowed first`() {
        val arguments = arrayOf("setting" to "do not disturb", "state" to "on")
        val asked = given("change_setting", *arguments, words = "Switch on do not disturb")
        assertEquals(Settings.ACTION_NOTIFICATION_POLICY_ACCESS_SETTINGS, asked.action)
        person.mustSee("allow it, then ask again")
        val notifications = person.activity.getSystemService(NotificationManager::class.java)
        shadowOf(notifications).setNotificationPolicyAccessGranted(true)
        asks("change_setting", *arguments, words = "Switch on do not disturb")
        person.agree()
        assertEquals(NotificationManager.INTERRUPTION_FILTER_PRIORITY, notifications.currentInterruptionFilter)
        assertNull(person.started())
    }

    @Test
    fun `a phone without a lamp says so`() {
        asks("change_setting", "setting" to "flashlight", "state" to "on", words = "Switch on the flashlight")
        person.agree()
        person.mustSee("This phone has no lamp.")
    }

    @Test
    fun `the volume is set, and the brightness once it is allowed`() {
        asks("set_level", "target" to "volume", "percent" to "40", words = "Set the volume to 40 %")
        person.agree()
        val audio = person.activity.getSystemService(AudioManager::class.java)
        val most = audio.getStreamMaxVolume(AudioManager.STREAM_MUSIC)
        assertEquals((most * 0.4).toInt(), audio.getStreamVolume(AudioManager.STREAM_MUSIC))
        mayWriteSettings(AppOpsManager.MODE_ERRORED)
        val allow = given(
            "set_level", "target" to "brightness", "percent" to "100",
            words = "Set the brightness to 100 %",
        )
        assertEquals(Settings.ACTION_MANAGE_WRITE_SETTINGS, allow.action)
        mayWriteSettings(AppOpsManager.MODE_ALLOWED)
        asks("set_level", "target" to "brightness", "percent" to "100", words = "Set the brightness to 100 %")
        person.agree()
        val set = Settings.System.getInt(person.activity.contentResolver, Settings.System.SCREEN_BRIGHTNESS)
        assertEquals(255, set)
    }

    private fun mayWriteSettings(mode: Int) {
        val operations = shadowOf(person.activity.getSystemService(AppOpsManager::class.java))
        val (user, name) = android.os.Process.myUid() to person.activity.packageName
        operations.setMode(AppOpsManager.OPSTR_WRITE_SETTINGS, user, name, mode)
    }

    @Test
    fun `a picture of the screen is one of the app's own window`() {
        val picture = java.io.ByteArrayOutputStream()
        val resolver = shadowOf(person.activity.contentResolver)
        resolver.registerOutputStreamSupplier(Uri.parse("content://media/external_primary/images/media/1")) { picture }
        asks("take_screenshot", words = "Take a picture of this window")
        person.agree()
        person.mustSee("The picture is edgetune-")
        assertEquals("PNG", String(picture.toByteArray(), 1, 3, Charsets.ISO_8859_1))
    }

    private companion object {
        /** One call of every tool. */
        val ALL = mapOf(
            "set_alarm" to mapOf("time" to "7 am"),
            "set_timer" to mapOf("duration" to "5 minutes"),
            "set_reminder" to mapOf("task" to "call Tim", "when" to "tonight"),
            "create_event" to mapOf("title" to "dentist"),
            "send_message" to mapOf("contact" to "Emma", "text" to "hi"),
            "make_call" to mapOf("contact" to "Emma"),
            "navigate" to mapOf("destination" to "home"),
            "play_music" to mapOf("genre" to "jazz"),
            "change_setting" to mapOf("setting" to "wifi", "state" to "off"),
            "set_level" to mapOf("target" to "volume", "percent" to "10"),
            "search_web" to mapOf("query" to "tea"),
            "take_screenshot" to emptyMap(),
        )
    }
}
