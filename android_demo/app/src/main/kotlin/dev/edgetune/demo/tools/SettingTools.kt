package dev.edgetune.demo.tools

import android.app.NotificationManager
import android.content.Intent
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.media.AudioManager
import android.net.Uri
import android.os.Build
import android.provider.Settings
import dev.edgetune.core.values.Said
import dev.edgetune.core.values.SaidReader
import dev.edgetune.demo.R
import dev.edgetune.demo.assistant.Call
import kotlin.math.roundToInt

/** Switches what an app may switch; of everything else it opens the system's own panel. */
class SettingTool(private val words: Words) : PhoneTool {
    override fun plan(call: Call): Plan {
        val setting = call.arguments["setting"].orEmpty()
        val on = call.arguments["state"] == "on"
        val name = words.say(NAMES[setting] ?: return Plan.Cannot(words.say(R.string.setting_unknown, setting)))
        val told = words.say(if (on) R.string.switch_on else R.string.switch_off, name)
        return when (setting) {
            "flashlight" -> Plan.Ready(told) { hand -> torch(hand, on) }
            "do not disturb" -> Plan.Ready(told) { hand -> doNotDisturb(hand, on) }
            else -> Plan.Ready(
                told + "\n" + words.say(R.string.switch_there),
                words.starting(Intent(panel(setting)), R.string.panel_done),
            )
        }
    }

    private fun torch(hand: Hand, on: Boolean): String {
        val cameras = hand.context.getSystemService(CameraManager::class.java)
        return try {
            val lamp = cameras.cameraIdList.firstOrNull {
                cameras.getCameraCharacteristics(it)[CameraCharacteristics.FLASH_INFO_AVAILABLE] == true
            } ?: return words.say(R.string.no_lamp)
            cameras.setTorchMode(lamp, on)
            words.say(R.string.done)
        } catch (_: CameraAccessException) {
            words.say(R.string.lamp_busy)
        }
    }

    private fun doNotDisturb(hand: Hand, on: Boolean): String {
        val notifications = hand.context.getSystemService(NotificationManager::class.java)
        if (!notifications.isNotificationPolicyAccessGranted) {
            val started = hand.start(Intent(Settings.ACTION_NOTIFICATION_POLICY_ACCESS_SETTINGS))
            return words.say(if (started) R.string.allow_then_again else R.string.no_app)
        }
        notifications.setInterruptionFilter(
            if (on) NotificationManager.INTERRUPTION_FILTER_PRIORITY
            else NotificationManager.INTERRUPTION_FILTER_ALL,
        )
        return words.say(R.string.done)
    }

    private fun panel(setting: String): String {
        val hasPanels = Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q
        return when (setting) {
            "wifi" -> if (hasPanels) Settings.Panel.ACTION_WIFI else Settings.ACTION_WIFI_SETTINGS
            "mobile data" ->
                if (hasPanels) Settings.Panel.ACTION_INTERNET_CONNECTIVITY else Settings.ACTION_WIRELESS_SETTINGS
            "bluetooth" -> Settings.ACTION_BLUETOOTH_SETTINGS
            "airplane mode" -> Settings.ACTION_AIRPLANE_MODE_SETTINGS
            "dark mode" -> Settings.ACTION_DISPLAY_SETTINGS
            "location" -> Settings.ACTION_LOCATION_SOURCE_SETTINGS
            "battery saver" -> Settings.ACTION_BATTERY_SAVER_SETTINGS
            else -> Settings.ACTION_WIRELESS_SETTINGS
        }
    }

    private companion object {
        val NAMES = mapOf(
            "wifi" to R.string.setting_wifi,
            "bluetooth" to R.string.setting_bluetooth,
            "flashlight" to R.string.setting_flashlight,
            "airplane mode" to R.string.setting_airplane,
            "do not disturb" to R.string.setting_disturb,
            "dark mode" to R.string.setting_dark,
            "mobile data" to R.string.setting_data,
            "hotspot" to R.string.setting_hotspot,
            "location" to R.string.setting_location,
            "battery saver" to R.string.setting_battery,
        )
    }
}

/** The volume of media, and the brightness of the screen where the user lets the app set it. */
class LevelTool(private val words: Words, private val reader: () -> SaidReader) : PhoneTool {
    override fun plan(call: Call): Plan {
        val said = call.arguments["percent"].orEmpty()
        val percent = when (val level = reader().level(said)) {
            is Said.Unclear -> return words.asks("percent", said, level)
            is Said.Value -> level.value
        }
        return when (val target = call.arguments["target"]) {
            "volume" -> Plan.Ready(words.say(R.string.volume_to, percent)) { hand -> volume(hand, percent) }
            "brightness" ->
                Plan.Ready(words.say(R.string.brightness_to, percent)) { hand -> brightness(hand, percent) }
            else -> Plan.Cannot(words.say(R.string.setting_unknown, target.orEmpty()))
        }
    }

    private fun volume(hand: Hand, percent: Int): String {
        val audio = hand.context.getSystemService(AudioManager::class.java)
        val most = audio.getStreamMaxVolume(AudioManager.STREAM_MUSIC)
        val level = (most * percent / PERCENT).roundToInt()
        return try {
            audio.setStreamVolume(AudioManager.STREAM_MUSIC, level, AudioManager.FLAG_SHOW_UI)
            words.say(R.string.done)
        } catch (_: SecurityException) {
            // Silencing a phone that is not to disturb is not for apps.
            words.say(R.string.not_while_quiet)
        }
    }

    private fun brightness(hand: Hand, percent: Int): String {
        if (!Settings.System.canWrite(hand.context)) {
            val own = Uri.fromParts("package", hand.context.packageName, null)
            val started = hand.start(Intent(Settings.ACTION_MANAGE_WRITE_SETTINGS, own))
            return words.say(if (started) R.string.allow_then_again else R.string.no_app)
        }
        val resolver = hand.context.contentResolver
        Settings.System.putInt(
            resolver,
            Settings.System.SCREEN_BRIGHTNESS_MODE,
            Settings.System.SCREEN_BRIGHTNESS_MODE_MANUAL,
        )
        val level = (BRIGHTEST * percent / PERCENT).roundToInt().coerceAtLeast(1)
        Settings.System.putInt(resolver, Settings.System.SCREEN_BRIGHTNESS, level)
        return words.say(R.string.done)
    }

    private companion object {
        const val PERCENT = 100.0
        const val BRIGHTEST = 255
    }
}
