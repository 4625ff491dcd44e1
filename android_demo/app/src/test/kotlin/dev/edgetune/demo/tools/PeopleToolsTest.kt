package dev.edgetune.demo.tools

import android.Manifest
import android.content.Intent
import android.net.Uri
import android.telecom.TelecomManager
import dev.edgetune.demo.assistant.Call
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Shadows.shadowOf

/** Messages and calls: written and dialled, never sent and never rung. */
class PeopleToolsTest : ToolTest() {
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
        person.deniesWhatIsAsked()
        assertEquals("tel:", person.mustHaveStarted().data.toString())
        person.mustSee("No number of Emma is known here")
    }
}
