package dev.edgetune.demo.tools

import android.content.ContentValues
import android.content.Context
import android.graphics.Bitmap
import android.os.Build
import android.os.Environment
import android.provider.MediaStore
import dev.edgetune.demo.R
import dev.edgetune.demo.assistant.Call
import java.io.File
import java.io.IOException
import java.io.OutputStream
import java.time.LocalDateTime
import java.time.format.DateTimeFormatter

/** A picture of the app's own window, which is all of the screen that an app may see. */
class PictureTool(private val words: Words) : PhoneTool {
    override fun plan(call: Call): Plan = Plan.Ready(words.say(R.string.picture_of)) { hand ->
        val name = "edgetune-" + LocalDateTime.now().format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss"))
        try {
            write(hand.context, "$name.png", hand.picture())
            words.say(R.string.picture_done, "$name.png")
        } catch (_: IOException) {
            words.say(R.string.picture_failed)
        }
    }

    private fun write(context: Context, name: String, picture: Bitmap) {
        val written = place(context, name).use { picture.compress(Bitmap.CompressFormat.PNG, 100, it) }
        if (!written) throw IOException(name)
    }

    /** Among the phone's pictures; before Android 10 that takes a permission, so in the app's own ones. */
    private fun place(context: Context, name: String): OutputStream {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q) {
            return File(context.getExternalFilesDir(Environment.DIRECTORY_PICTURES), name).outputStream()
        }
        val values = ContentValues()
        values.put(MediaStore.Images.Media.DISPLAY_NAME, name)
        values.put(MediaStore.Images.Media.MIME_TYPE, "image/png")
        val images = MediaStore.Images.Media.getContentUri(MediaStore.VOLUME_EXTERNAL_PRIMARY)
        val uri = context.contentResolver.insert(images, values) ?: throw IOException(name)
        return context.contentResolver.openOutputStream(uri) ?: throw IOException(name)
    }
}
