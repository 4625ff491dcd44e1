package dev.edgetune.core

import java.io.File

private const val BASE_KEY = "base_sha256"

/** Missing files of a kind that a sentence names; the others it counts. */
private const val NAMED = 3

/** The files that [neededBy] needs, each of its size (and, with [hashes], its SHA-256). */
internal fun checkFiles(folder: File, manifest: Manifest, neededBy: String, hashes: Boolean) {
    val needed = manifest.files.filter { it.neededBy == neededBy }
    val missing = needed.filter { !inside(folder, it.path).isFile }
    if (missing.isNotEmpty()) {
        val more = if (missing.size > NAMED) " and ${missing.size - NAMED} more" else ""
        throw BundleException(
            "$folder: lacks ${missing.take(NAMED).joinToString { it.path }}$more (needed by " +
                "$neededBy); copy the bundle again, or export it.",
        )
    }
    for (entry in needed) {
        val file = inside(folder, entry.path)
        if (file.length() != entry.bytes) {
            throw BundleException(
                "$file: has ${file.length()} bytes where the manifest says ${entry.bytes}; copy or " +
                    "export the bundle again.",
            )
        }
        if (hashes && sha256(file) != entry.sha256) {
            throw BundleException(
                "$file: its content is not what the manifest says (SHA-256 differs); copy or export " +
                    "the bundle again.",
            )
        }
    }
}

/** Every file of [used] is among those that [neededBy] needs, so that it was checked. */
internal fun checkListed(folder: File, manifest: Manifest, used: List<String>, neededBy: String) {
    val listed = manifest.files.filter { it.neededBy == neededBy }.map { it.path }.toSet()
    val unlisted = used.firstOrNull { it !in listed } ?: return
    throw BundleException(
        "${File(folder, unlisted)}: used by the bundle but not listed in $MANIFEST as needed by " +
            "'$neededBy', so that it cannot be checked; export the bundle again.",
    )
}

/** The adapter's blob was trained on this base, and its tensors fit the base's slots. */
internal fun checkBlob(folder: File, manifest: Manifest, adapter: Adapter) {
    val file = inside(folder, adapter.file)
    val blob = readBlob(file)
    val base = manifest.base.weightsSha256
    val said = listOf(file to blob.metadata[BASE_KEY], File(folder, MANIFEST) to adapter.baseSha256)
    for ((by, trainedOn) in said) {
        if (trainedOn != base) {
            throw BundleException(
                "$by: adapter '${adapter.name}' was trained on base ${trainedOn?.take(12)}…, but this " +
                    "bundle's base is ${base.take(12)}…; train the adapter on this base.",
            )
        }
    }
    try {
        checkTensors(blob.tensors, manifest.slots, adapter.rank)
    } catch (error: AdapterException) {
        throw BundleException("$file: ${error.message}", error)
    }
}
