package dev.edgetune.demo.bundles

import dev.edgetune.core.BundleException
import dev.edgetune.core.EdgetuneException
import dev.edgetune.core.FileEntry
import dev.edgetune.core.Manifest
import dev.edgetune.core.readManifest
import dev.edgetune.demo.assistant.engineFor
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest

internal const val MANIFEST = "manifest.json"
internal const val DIGEST = "manifest.sha256"

/**
 * Takes a bundle in: copies what its engine, one of [engines], needs into a folder of its own, checking
 * sizes and hashes on the way, opens it once, and only then gives it its name, by one rename. What
 * breaks off or fails a check never is a bundle, and nothing is written but files that the manifest lists.
 */
class Intake(
    private val shelf: Shelf,
    private val engines: List<String>,
    /** Opens the bundle in a folder to see that it can be; throws EdgetuneException. */
    private val check: (File) -> Unit,
    private val freeBytes: () -> Long = { shelf.roomBytes },
) {
    /**
     * Returns the name of the bundle. [progress] is told bytes done and in all; what it throws ends it.
     *
     * Throws [EdgetuneException] with a sentence for the user.
     */
    fun take(source: Source, progress: (Long, Long) -> Unit): String {
        val staging = shelf.staging()
        try {
            val name = copied(source, staging, progress)
            shelf.add(staging, name)
            return name
        } catch (error: IOException) {
            val what = "could not be read or written (${error.message}); try again."
            throw BundleException("${source.name}: $what", error)
        } catch (error: SecurityException) {
            throw BundleException("${source.name}: may not be read by this app; pick it again.", error)
        } finally {
            staging.deleteRecursively()
        }
    }

    private fun copied(source: Source, staging: File, progress: (Long, Long) -> Unit): String {
        for ((file, most) in listOf(MANIFEST to MOST_MANIFEST, DIGEST to MOST_DIGEST)) {
            val stream = source.open(file)
                ?: throw wrong(source.name, "has no $file; pick a bundle that 'edgetune export' wrote")
            stream.use { whole(it, File(staging, file), most, "${source.name}/$file") }
        }
        val manifest = try {
            readManifest(staging)
        } catch (error: EdgetuneException) {
            throw named(error, staging, source)
        }
        val needed = needed(manifest, source)
        val all = needed.sumOf { it.bytes }
        var done = 0L
        for (entry in needed) {
            progress(done, all)
            val target = File(staging, entry.path).also { it.parentFile?.mkdirs() }
            val stream = opened(entry, source)
                ?: throw BundleException("${source.name}: lacks ${shown(entry.path)}; copy the bundle again.")
            stream.use { copy(it, target, entry, source.name) { bytes -> progress(done + bytes, all) } }
            done += entry.bytes
        }
        try {
            check(staging)
        } catch (error: EdgetuneException) {
            throw named(error, staging, source)
        }
        return plainName(manifest.name)
    }

    /** What is pushed, or is here already of another bundle. */
    private fun opened(entry: FileEntry, source: Source): InputStream? =
        source.open(entry.path) ?: shelf.file(entry.sha256)?.inputStream()

    private fun isThere(path: String, manifest: Manifest, source: Source): Boolean {
        val entry = manifest.files.firstOrNull { it.path == path && isInside(path) } ?: return false
        return opened(entry, source)?.use { true } ?: false
    }

    /** The files of the manifest that the engine needs, whose names and sizes are possible here. */
    private fun needed(manifest: Manifest, source: Source): List<FileEntry> {
        val from = source.name
        val engine = engineFor(manifest, engines) { isThere(it, manifest, source) } ?: throw BundleException(
            "$from: is made for ${manifest.targets.map { it.name }} and this app runs $engines; export it with " +
                "such a target.",
        )
        val needed = manifest.files.filter { it.neededBy == "any" || it.neededBy == engine }
        needed.firstOrNull { !isInside(it.path) }?.let {
            throw wrong(from, "lists '${shown(it.path)}', which leads out of the bundle; export it again")
        }
        val doubled = needed.groupBy { it.path.lowercase() }.values.firstOrNull { it.size > 1 }
        if (doubled != null || needed.any { it.path == MANIFEST || it.path == DIGEST }) {
            val twice = shown(doubled?.first()?.path ?: MANIFEST)
            throw wrong(from, "lists a file twice ($twice); export it again")
        }
        var all = 0L
        for (entry in needed) {
            all += entry.bytes
            if (entry.bytes < 0 || all < 0) {
                throw wrong(from, "lists files of impossible sizes; export it again")
            }
        }
        val free = freeBytes() - SPARE
        if (all > free) {
            val left = megabytes(maxOf(free, 0))
            throw wrong(from, "takes ${megabytes(all)} MB and the phone has $left MB left; make room first")
        }
        return needed
    }

    private fun copy(
        from: InputStream,
        to: File,
        entry: FileEntry,
        source: String,
        progress: (Long) -> Unit,
    ) {
        val digest = MessageDigest.getInstance("SHA-256")
        val piece = ByteArray(PIECE)
        var done = 0L
        to.outputStream().use { out ->
            while (true) {
                val count = from.read(piece)
                if (count < 0) break
                done += count
                if (done > entry.bytes) break
                digest.update(piece, 0, count)
                out.write(piece, 0, count)
                progress(done)
            }
        }
        if (done != entry.bytes) {
            val found = if (done > entry.bytes) "more than" else "$done instead of"
            throw wrong(source, "${shown(entry.path)} has $found ${entry.bytes} bytes; copy the bundle again")
        }
        val found = digest.digest().joinToString("") { "%02x".format(it) }
        if (found != entry.sha256) {
            val what = "${shown(entry.path)} is not what the manifest says (SHA-256 differs)"
            throw wrong(source, "$what; copy the bundle again")
        }
    }

    private fun whole(from: InputStream, to: File, most: Int, what: String) {
        var done = 0L
        val piece = ByteArray(PIECE)
        to.outputStream().use { out ->
            while (true) {
                val count = from.read(piece)
                if (count < 0) break
                done += count
                if (done > most) {
                    throw wrong(what, "has over $most bytes, which none has; copy the bundle again")
                }
                out.write(piece, 0, count)
            }
        }
    }

    private fun wrong(where: String, what: String) = BundleException("$where: $what.")

    /** The user knows the place that it came from, not the one where it was checked. */
    private fun named(error: EdgetuneException, staging: File, source: Source): BundleException =
        BundleException(error.message.replace(staging.path, source.name), error)

    private fun plainName(name: String): String =
        name.take(MOST_NAME).replace(Regex("[^A-Za-z0-9._-]"), "_").replaceFirst(Regex("^\\."), "_").ifEmpty { "_" }

    private fun megabytes(bytes: Long): Long = bytes shr 20

    private companion object {
        const val MOST_MANIFEST = 8 shl 20
        const val MOST_DIGEST = 256
        const val MOST_NAME = 100
        const val PIECE = 1 shl 16

        /** What stays free of the phone, in bytes. */
        const val SPARE = 32L shl 20
    }
}
