package dev.edgetune.demo.bundles

import dev.edgetune.core.EdgetuneException
import dev.edgetune.core.Manifest
import dev.edgetune.core.readManifest
import java.io.File
import java.io.IOException
import java.security.MessageDigest
import org.json.JSONException
import org.json.JSONObject

/** A bundle that was taken in; with a [problem] where it can't be used any more. */
data class Shelved(
    val name: String,
    val base: String,
    /** Toolset to the names of its tools. */
    val toolsets: Map<String, List<String>>,
    val adapters: Int,
    val bytes: Long,
    val problem: String? = null,
)

/**
 * The bundles in the app's own storage: `folder/NAME/`, each of which came whole.
 *
 * It also keeps [held], which tells a computer what need not be pushed again (docs/phone.md).
 */
class Shelf(val folder: File, private val incoming: File, private val held: File?) {
    /** What the phone has left for bundles. */
    val roomBytes: Long get() = folder.apply { mkdirs() }.usableSpace

    /** An empty folder, to be filled and then given to [add]; beside the bundles, never among them. */
    fun staging(): File {
        incoming.mkdirs()
        return File.createTempFile("bundle", "", incoming).apply {
            delete()
            mkdirs()
        }
    }

    /** Half-copied bundles of a process that is no more. */
    fun tidy() {
        incoming.deleteRecursively()
    }

    /** Makes [staging] the bundle [name], in place of one that was called so. Throws IOException. */
    fun add(staging: File, name: String) {
        folder.mkdirs()
        val (target, old) = File(folder, name) to File(incoming, "old-$name")
        old.deleteRecursively()
        if (target.exists() && !target.renameTo(old)) throw IOException("$name can't be replaced")
        if (!staging.renameTo(target)) {
            old.renameTo(target)
            throw IOException("$name can't be put in its place")
        }
        old.deleteRecursively()
        tell()
    }

    fun remove(name: String) {
        if (names().contains(name)) File(folder, name).deleteRecursively()
        tell()
    }

    fun folderOf(name: String): File = File(folder, name)

    fun names(): List<String> = folder.listFiles { each -> each.isDirectory }.orEmpty().map { it.name }.sorted()

    fun list(): List<Shelved> = names().map(::described)

    /** A file of any bundle here with this content. */
    fun file(sha256: String): File? = names().firstNotNullOfOrNull { name ->
        val entry = manifest(name)?.files?.firstOrNull { it.sha256 == sha256 }
        entry?.let { File(folderOf(name), it.path) }?.takeIf { it.length() == entry.bytes && it.isFile }
    }

    /** Writes [held] anew: each file that is here, by hash and path. */
    fun tell() {
        val place = held ?: return
        val lines = names().flatMap { name ->
            val files = manifest(name)?.files.orEmpty().filter { File(folderOf(name), it.path).length() == it.bytes }
            val heads = listOf(MANIFEST, DIGEST).map { File(folderOf(name), it) }.filter(File::isFile)
            heads.map { "${sha256(it)}  ${it.name}\n" } + files.map { "${it.sha256}  ${it.path}\n" }
        }
        val beside = File(place.path + ".new")
        try {
            beside.writeText(lines.distinct().joinToString(""))
            beside.renameTo(place)
        } catch (_: IOException) {
            // Storage that a computer sees may be away: then it pushes all files.
        }
    }

    private fun sha256(file: File): String =
        MessageDigest.getInstance("SHA-256").digest(file.readBytes()).joinToString("") { "%02x".format(it) }

    private fun manifest(name: String): Manifest? = try {
        readManifest(folderOf(name))
    } catch (_: EdgetuneException) {
        null
    }

    private fun described(name: String): Shelved = try {
        val manifest = readManifest(folderOf(name))
        val here = manifest.files.filter { File(folderOf(name), it.path).isFile }
        Shelved(name, manifest.base.name, tools(name), manifest.adapters.size, here.sumOf { it.bytes })
    } catch (error: EdgetuneException) {
        Shelved(name, "", emptyMap(), 0, 0, error.message.replace(folderOf(name).path, name))
    } catch (error: JSONException) {
        Shelved(name, "", emptyMap(), 0, 0, "$name/tools.json: can't be read (${error.message}); import it again.")
    } catch (error: IOException) {
        Shelved(name, "", emptyMap(), 0, 0, "$name: can't be read (${error.message}); import it again.")
    }

    private fun tools(name: String): Map<String, List<String>> {
        val sets = JSONObject(File(folderOf(name), "tools.json").readText()).getJSONArray("toolsets")
        return (0 until sets.length()).map(sets::getJSONObject).associate { set ->
            val tools = set.getJSONArray("tools")
            set.getString("name") to (0 until tools.length()).map {
                val tool = tools.getJSONObject(it)
                tool.optString("original_name").ifEmpty { tool.getJSONObject("function").getString("name") }
            }
        }
    }
}
