package dev.edgetune.core

import java.io.File

/** A slot of a base that only a test has; other modules' tests cannot make one. */
public fun slot(name: String, inFeatures: Int, outFeatures: Int): Slot = Slot(name, inFeatures, outFeatures)

/** A blob of float32 tensors, shape and numbers of each, written to [file] and mapped from there. */
public fun blob(file: File, tensors: Map<String, Pair<List<Int>, FloatArray>>): Tensors =
    mapped(file, tensors) { numbers -> "F32" to little(4 * numbers.size) { numbers.forEach { putFloat(it) } } }

/** A blob of float16 tensors, shape and bits of each. */
public fun halfBlob(file: File, tensors: Map<String, Pair<List<Int>, ShortArray>>): Tensors =
    mapped(file, tensors) { bits -> "F16" to little(2 * bits.size) { bits.forEach { putShort(it) } } }

private fun <T> mapped(
    file: File,
    tensors: Map<String, Pair<List<Int>, T>>,
    bytes: (T) -> Pair<String, ByteArray>,
): Tensors {
    val written = tensors.mapValues { (_, given) ->
        val (type, content) = bytes(given.second)
        Written(type, given.first, content)
    }
    return readBlob(safetensors(file, written)).tensors
}
