package dev.edgetune.core

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.longOrNull

/** Bytes of one number, by the type's name in a header of safetensors. */
private val WIDTHS = mapOf("BOOL" to 1, "U8" to 1, "U16" to 2, "F16" to 2, "U32" to 4, "F32" to 4)

private const val LENGTH_BYTES = 8

/** One array of a safetensors file. */
public class Tensor internal constructor(
    /** As safetensors calls it: `F32`, `F16`, `U8`… */
    public val type: String,
    public val shape: List<Int>,
    /** Its numbers, row-major and little-endian, as they lie in the file. */
    public val data: ByteBuffer,
) {
    /** How many numbers it has. */
    public val size: Int get() = data.capacity() / WIDTHS.getValue(type)

    override fun toString(): String = "Tensor($type, $shape)"
}

/** A blob's tensors by name: `<slot>.lora_A` `[in, r]` and `<slot>.lora_B` `[r, out]`. */
public typealias Tensors = Map<String, Tensor>

/** A safetensors file that was found whole: its tensors, mapped, and its metadata. */
internal class Safetensors(val tensors: Tensors, val metadata: Map<String, String>)

/**
 * Maps a safetensors file: 8 bytes of little-endian header length, a JSON header, the data
 * (https://huggingface.co/docs/safetensors).
 *
 * Every number of the header is held against the file before it is used. Throws [BundleException]
 * for a missing, truncated or foreign file; [what] says what the file is.
 */
internal fun readSafetensors(file: File, what: String): Safetensors {
    val content = map(file, what)
    fun damaged(problem: String) = BundleException(
        "$file: not a whole $what, $problem; copy or export the bundle again.",
    )
    val length = if (content.capacity() < LENGTH_BYTES) -1 else content.getLong(0)
    if (length < 2 || length > minOf(content.capacity() - LENGTH_BYTES.toLong(), MOST_JSON_BYTES)) {
        throw damaged("its header is cut off or is none of safetensors")
    }
    val begin = LENGTH_BYTES + length.toInt()
    val text = ByteArray(length.toInt())
    content.position(LENGTH_BYTES)
    content.get(text)
    val header = parseJson(text, file) as? JsonObject ?: throw damaged("its header is no object")
    val tensors = LinkedHashMap<String, Tensor>()
    var covered = begin.toLong()
    for ((name, entry) in header) {
        if (name == "__metadata__") continue
        val fields = entry as? JsonObject
        val type = (fields?.get("dtype") as? JsonPrimitive)?.content
        val width = WIDTHS[type]
        val shape = longs(fields?.get("shape"))
        val offsets = longs(fields?.get("data_offsets"))
        if (type == null || width == null || shape == null || offsets?.size != 2) {
            throw damaged("tensor '${name.take(200)}' has no numbers where the header says so")
        }
        val first = begin + offsets[0]
        val last = begin + offsets[1]
        if (offsets[0] < 0 || last < first || offsets[1] > content.capacity() - begin) {
            throw damaged("it ends at byte ${content.capacity()}, before tensor '$name' does")
        }
        val size = shape.fold(width.toLong()) { product, side ->
            if (side < 0 || (side > 0 && product > Int.MAX_VALUE / side)) -1 else product * side
        }
        if (size != last - first) {
            throw damaged("tensor '$name' has ${last - first} bytes, which its shape $shape contradicts")
        }
        covered = maxOf(covered, last)
        content.limit(last.toInt()).position(first.toInt())
        val data = content.slice().order(ByteOrder.LITTLE_ENDIAN)
        content.clear()
        tensors[name] = Tensor(type, shape.map(Long::toInt), data)
    }
    if (covered != content.capacity().toLong()) {
        throw damaged("it has ${content.capacity()} bytes where its header describes $covered")
    }
    return Safetensors(tensors, metadata(header))
}

private fun metadata(header: JsonObject): Map<String, String> =
    (header["__metadata__"] as? JsonObject).orEmpty()
        .mapNotNull { (key, value) -> (value as? JsonPrimitive)?.let { key to it.content } }
        .toMap()

private fun map(file: File, what: String): ByteBuffer {
    try {
        RandomAccessFile(file, "r").use { opened ->
            val size = opened.length()
            if (size > Int.MAX_VALUE) throw IOException("$size bytes are more than one map holds")
            return opened.channel.map(FileChannel.MapMode.READ_ONLY, 0, size)
                .order(ByteOrder.LITTLE_ENDIAN)
        }
    } catch (error: IOException) {
        throw BundleException("$file: cannot be read as a $what (${error.message}); export again.", error)
    }
}

private fun longs(value: Any?): List<Long>? {
    val found = (value as? JsonArray)?.map { (it as? JsonPrimitive)?.longOrNull ?: return null }
    return found
}
