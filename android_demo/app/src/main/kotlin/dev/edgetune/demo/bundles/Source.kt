package dev.edgetune.demo.bundles

import android.content.ContentResolver
import android.net.Uri
import android.provider.DocumentsContract
import android.provider.DocumentsContract.Document
import dev.edgetune.core.BundleException
import java.io.Closeable
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.util.zip.ZipFile

/** Where a bundle comes from: gives the file at a path of it, null where there is none. */
interface Source : Closeable {
    /** What the user knows it by. */
    val name: String

    /** [path] has been checked to stay inside. Throws IOException. */
    fun open(path: String): InputStream?

    override fun close() {}
}

/** A folder that a computer pushed. */
class FolderSource(private val folder: File) : Source {
    override val name: String get() = folder.name

    override fun open(path: String): InputStream? =
        File(folder, path).takeIf { it.isFile && it.canonicalFile.startsWith(folder.canonicalFile) }
            ?.inputStream()
}

/**
 * A zip, with the bundle at its top or in its one folder.
 *
 * Throws [BundleException] for one that can't be read, or holds a name twice or one that leads out.
 */
class ZipSource(file: File, override val name: String) : Source {
    private val zip: ZipFile
    private val top: String

    init {
        zip = try {
            ZipFile(file)
        } catch (error: IOException) {
            val what = "is not a zip that can be read (${error.message}); pack it again."
            throw BundleException("$name: $what", error)
        } catch (error: IllegalArgumentException) {
            throw BundleException("$name: has a name that is no text; pack it again.", error)
        }
        val found = try {
            checked()
        } catch (error: BundleException) {
            zip.close()
            throw error
        }
        top = found.substringBeforeLast(MANIFEST)
    }

    private fun checked(): String {
        val names = HashSet<String>()
        for (entry in zip.entries()) {
            val path = entry.name.removeSuffix("/")
            val wrong = when {
                !isInside(path) -> "holds '${shown(path)}', which leads out of it; pack it again"
                !names.add(path) -> "holds '${shown(path)}' twice; pack it again"
                names.size > MOST_ENTRIES -> "holds over $MOST_ENTRIES files, which no bundle does"
                else -> null
            }
            if (wrong != null) throw BundleException("$name: $wrong.")
        }
        return names.filter { it.substringAfter('/') == MANIFEST }.minByOrNull(String::length)
            ?: throw BundleException("$name: has no $MANIFEST; give a zip of what 'edgetune export' wrote.")
    }

    override fun open(path: String): InputStream? =
        zip.getEntry(top + path)?.takeIf { !it.isDirectory }?.let(zip::getInputStream)

    override fun close() = zip.close()

    private companion object {
        const val MOST_ENTRIES = 20_000
    }
}

/** A folder that the user picked in the system's picker. */
class TreeSource(private val resolver: ContentResolver, private val tree: Uri) : Source {
    private val listed = HashMap<String, Map<String, String>>()
    private val root = DocumentsContract.getTreeDocumentId(tree)

    override val name: String get() = root.substringAfterLast('/').substringAfterLast(':')

    override fun open(path: String): InputStream? {
        var id: String = root
        for (part in path.split('/')) id = children(id)[part] ?: return null
        return resolver.openInputStream(DocumentsContract.buildDocumentUriUsingTree(tree, id))
    }

    private fun children(id: String): Map<String, String> = listed.getOrPut(id) {
        val uri = DocumentsContract.buildChildDocumentsUriUsingTree(tree, id)
        val columns = arrayOf(Document.COLUMN_DISPLAY_NAME, Document.COLUMN_DOCUMENT_ID)
        resolver.query(uri, columns, null, null, null)?.use {
            buildMap { while (it.moveToNext()) put(it.getString(0), it.getString(1)) }
        }.orEmpty()
    }
}

/** Whether a relative path stays where it is put, on any file system. */
internal fun isInside(path: String): Boolean =
    path.isNotEmpty() && path.length < MOST_LETTERS && !path.startsWith("/") &&
        path.none { it == '\\' || it < ' ' } &&
        path.split('/').none { it.isEmpty() || it == "." || it == ".." }

internal fun shown(path: String): String = path.filter { it >= ' ' }.take(80)

private const val MOST_LETTERS = 512
