package dev.edgetune.demo

import android.content.Context
import android.content.Intent
import android.net.Uri
import android.provider.OpenableColumns
import dev.edgetune.core.BundleException
import dev.edgetune.demo.bundles.BundlesModel
import dev.edgetune.demo.bundles.Source
import dev.edgetune.demo.bundles.TreeSource
import dev.edgetune.demo.bundles.ZipSource
import java.io.File
import java.io.IOException

/** The system's own pickers, by which a user gives the app one folder or one file and no more. */
enum class Picker(val request: Int) {
    FOLDER(3) {
        override val intent get() = Intent(Intent.ACTION_OPEN_DOCUMENT_TREE)

        override fun picked(context: Context, data: Intent, model: BundlesModel) {
            val uri = data.data ?: return
            val source = TreeSource(context.applicationContext.contentResolver, uri)
            model.take(source.name, { source })
        }
    },
    ZIP(4) {
        override val intent
            get() = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("*/*")
                .putExtra(Intent.EXTRA_MIME_TYPES, arrayOf("application/zip", "application/octet-stream"))

        override fun picked(context: Context, data: Intent, model: BundlesModel) {
            val uri = data.data ?: return
            val app = context.applicationContext
            val name = nameOf(app, uri)
            model.take(name, { spooled(app, uri, name) })
        }
    }, ;

    protected abstract val intent: Intent

    /** Takes in what was picked. */
    abstract fun picked(context: Context, data: Intent, model: BundlesModel)

    fun of(activity: MainActivity): () -> Unit = { activity.startFor(intent, request, R.string.no_picker) }
}

private fun nameOf(context: Context, uri: Uri): String {
    val columns = arrayOf(OpenableColumns.DISPLAY_NAME)
    val found = context.contentResolver.query(uri, columns, null, null, null)?.use {
        if (it.moveToFirst()) it.getString(0) else null
    }
    return found ?: uri.lastPathSegment ?: uri.toString()
}

/** A zip is read from its end, a stream from its beginning: it is copied first, no further than fits. */
private fun spooled(context: Context, uri: Uri, name: String): Source {
    val file = File.createTempFile("picked", ".zip", context.cacheDir)
    try {
        val stream = context.contentResolver.openInputStream(uri) ?: throw IOException("nothing is there")
        stream.use { from -> file.outputStream().use(from::copyTo) }
        val zip = ZipSource(file, name)
        return object : Source by zip {
            override fun close() {
                zip.close()
                file.delete()
            }
        }
    } catch (error: IOException) {
        file.delete()
        throw BundleException("$name: can't be read (${error.message}); pick it again.", error)
    } catch (error: BundleException) {
        file.delete()
        throw error
    }
}
