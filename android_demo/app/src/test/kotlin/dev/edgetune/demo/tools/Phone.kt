package dev.edgetune.demo.tools

import android.app.NotificationManager
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.media.AudioManager
import android.net.Uri
import android.provider.Settings
import dev.edgetune.demo.Person
import java.io.ByteArrayOutputStream
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowCameraCharacteristics

/** All that the tools may do to the phone of [person], and what of it was done. */
class Phone(private val person: Person) {
    private val audio = person.activity.getSystemService(AudioManager::class.java)
    private val cameras = person.activity.getSystemService(CameraManager::class.java)
    private val notifications = person.activity.getSystemService(NotificationManager::class.java)
    private val resolver = person.activity.contentResolver
    private val picture = ByteArrayOutputStream()
    private var before: Map<String, String> = emptyMap()

    init {
        val lamp = ShadowCameraCharacteristics.newCameraCharacteristics()
        shadowOf(lamp).set(CameraCharacteristics.FLASH_INFO_AVAILABLE, true)
        shadowOf(cameras).addCamera(LAMP, lamp)
        cameras.setTorchMode(LAMP, false)
        shadowOf(resolver).registerOutputStreamSupplier(Uri.parse(PICTURE)) { picture }
    }

    /** From now on [touched] tells of what is done. */
    fun untouched() {
        before = state()
    }

    /** What was done since the last time: an intent with what it carries, and what of the phone is another. */
    fun touched(): Map<String, String> {
        val now = state()
        return (started() + now.filter { (name, value) -> before[name] != value }).also { before = now }
    }

    private fun state(): Map<String, String> = mapOf(
        "volume" to audio.getStreamVolume(AudioManager.STREAM_MUSIC).toString(),
        "brightness" to Settings.System.getInt(resolver, Settings.System.SCREEN_BRIGHTNESS, 0).toString(),
        "quiet" to notifications.currentInterruptionFilter.toString(),
        "lamp" to "${shadowOf(cameras).getTorchMode(LAMP)}",
        "picture" to String(picture.toByteArray().drop(1).take(3).toByteArray()),
    )

    private fun started(): Map<String, String> {
        val intent = person.started() ?: return emptyMap()

        @Suppress("DEPRECATION")
        val extras = intent.extras?.let { all -> all.keySet().associate { lastWord(it) to all.get(it).toString() } }
        val data = intent.dataString?.let { mapOf("data" to it) }
        return mapOf("intent" to "${intent.action}") + extras.orEmpty() + data.orEmpty()
    }

    private fun lastWord(name: String): String = name.substringAfterLast('.')

    private companion object {
        const val LAMP = "0"
        const val PICTURE = "content://media/external_primary/images/media/1"
    }
}
