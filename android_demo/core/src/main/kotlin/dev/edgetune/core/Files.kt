package dev.edgetune.core

import java.io.File
import java.io.IOException
import java.security.MessageDigest

/** The most bytes that a JSON file of a bundle may have: a manifest of more is no manifest. */
internal const val MOST_JSON_BYTES: Long = 64L shl 20

private const val HASHED_AT_ONCE = 1 shl 16

/** SHA-256 of [content], in hex. */
internal fun sha256(content: ByteArray): String =
    hex(MessageDigest.getInstance("SHA-256").digest(content))

/** SHA-256 of a file, in hex, read in pieces. */
internal fun sha256(file: File): String {
    val digest = MessageDigest.getInstance("SHA-256")
    val piece = ByteArray(HASHED_AT_ONCE)
    file.inputStream().use { stream ->
        while (true) {
            val count = stream.read(piece)
            if (count < 0) break
            digest.update(piece, 0, count)
        }
    }
    return hex(digest.digest())
}

private fun hex(bytes: ByteArray): String =
    bytes.joinToString("") { (it.toInt() and 0xff).toString(16).padStart(2, '0') }

/** `root / relative`, refused where it would leave [root], by `..`, a link or an absolute path. */
internal fun inside(root: File, relative: String): File {
    val parts = relative.split('/')
    val plain = relative.isNotEmpty() && ".." !in parts && !relative.startsWith("/") &&
        '\\' !in relative && '\u0000' !in relative
    val file = File(root, relative)
    if (!plain || !file.canonicalFile.startsWith(root.canonicalFile)) {
        throw BundleException(
            "$root: the path '${relative.take(200)}' leaves the bundle; export it again.",
        )
    }
    return file
}

/** The bytes of a small file of a bundle. Throws [BundleException] where it cannot be read whole. */
internal fun readSmall(file: File): ByteArray {
    if (file.length() > MOST_JSON_BYTES) {
        throw BundleException(
            "$file: has ${file.length()} bytes where at most $MOST_JSON_BYTES were expected; copy " +
                "or export the bundle again.",
        )
    }
    try {
        return file.readBytes()
    } catch (error: IOException) {
        throw BundleException("$file: cannot be read (${error.message}); copy the bundle again.", error)
    }
}
