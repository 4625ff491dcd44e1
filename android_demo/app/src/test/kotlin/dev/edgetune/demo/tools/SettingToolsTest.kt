package dev.edgetune.demo.tools

import android.app.AppOpsManager
import android.app.NotificationManager
import android.media.AudioManager
import android.provider.Settings
import dev.edgetune.demo.R
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test
import org.robolectric.Shadows.shadowOf

/** Settings, levels and the picture of the screen. */
class SettingToolsTest : ToolTest() {
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
}
