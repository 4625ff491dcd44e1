package dev.edgetune.core

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue

/** One array of a safetensors file to be written. */
internal class Written(val type: String, val shape: List<Int>, val bytes: ByteArray)

internal fun u8(vararg values: Int) =
    Written("U8", listOf(values.size), ByteArray(values.size) { values[it].toByte() })

internal fun bools(vararg values: Boolean) =
    Written("BOOL", listOf(values.size), ByteArray(values.size) { if (values[it]) 1 else 0 })

internal fun u32(vararg values: Int, shape: List<Int> = listOf(values.size)) =
    Written("U32", shape, little(4 * values.size) { values.forEach { value -> putInt(value) } })

internal fun u16(values: List<Int>, shape: List<Int>) =
    Written("U16", shape, little(2 * values.size) { values.forEach { putShort(it.toShort()) } })

internal fun little(size: Int, fill: ByteBuffer.() -> Unit): ByteArray =
    ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN).apply(fill).array()

/** Writes a safetensors file as the format's own page describes it. */
internal fun safetensors(file: File, arrays: Map<String, Written>): File {
    var at = 0
    val entries = arrays.entries.joinToString(",") { (name, array) ->
        val end = at + array.bytes.size
        """"$name":{"dtype":"${array.type}","shape":${array.shape},"data_offsets":[$at,$end]}"""
            .also { at = end }
    }
    return safetensors(file, "{$entries}", arrays.values.fold(ByteArray(0)) { all, it -> all + it.bytes })
}

internal fun safetensors(file: File, header: String, data: ByteArray, length: Long? = null): File {
    val text = header.encodeToByteArray()
    file.writeBytes(little(8) { putLong(length ?: text.size.toLong()) } + text + data)
    return file
}

/**
 * The grammar of `{"a":1}`, `{"a":12}` and so on, digits 1 and 2, over ten tokens: states 1 to 6 are
 * its characters, 7 is behind a digit, 8 done.
 */
internal fun digitsGrammar(): LinkedHashMap<String, Written> {
    val classes = IntArray(256)
    "{\"a:1}".forEachIndexed { index, character -> classes[character.code] = index + 1 }
    classes['2'.code] = 5
    // Columns: any other, {, ", a, :, digit, }
    val table = listOf(
        listOf(0, 0, 0, 0, 0, 0, 0),
        listOf(0, 2, 0, 0, 0, 0, 0),
        listOf(0, 0, 3, 0, 0, 0, 0),
        listOf(0, 0, 0, 4, 0, 0, 0),
        listOf(0, 0, 5, 0, 0, 0, 0),
        listOf(0, 0, 0, 0, 6, 0, 0),
        listOf(0, 0, 0, 0, 0, 7, 0),
        listOf(0, 0, 0, 0, 0, 7, 8),
        listOf(0, 0, 0, 0, 0, 0, 0),
    )
    return linkedMapOf(
        "byte_class" to u8(*classes),
        "transitions" to u16(table.flatten(), listOf(9, 7)),
        "start" to u32(1),
        "done" to bools(*BooleanArray(9) { it == 8 }),
        "distance" to u32(-1, 3, 2, 2, 2, 2, 2, 1, 0),
        "forced_offsets" to u32(0, 0, 1, 1, 1, 1, 1, 1, 1, 1),
        "forced_ids" to u32(1),
        "opening_ids" to u32(0),
        "pending" to u8(),
    )
}

/** Id 0 is an added token; then `{"a":`, the digits, `}` and what the grammar never lets through. */
internal fun digitsVocabulary() = Vocabulary(
    listOf("", "{\"a\":", "1", "2", "}", "12", "x", "1}", "{", "\"a\":")
        .map { it.encodeToByteArray() }.toTypedArray(),
)

/** An engine whose logits are what [says] after the ids so far; it counts its forward passes. */
internal class ScriptedEngine(
    override val vocabSize: Int,
    override val contextLength: Int = 64,
    private val says: (List<Int>) -> FloatArray,
) : Engine {
    private class Held(val ids: List<Int>) : Snapshot

    private val held = ArrayList<Int>()
    var forwards = 0
        private set
    var closed = false
        private set
    override val name = "scripted"
    override val position get() = held.size
    override val kvBytes = 64L

    override fun prepare(tensors: Tensors): Prepared = object : Prepared {
        override val bytes = tensors.values.sumOf { it.data.capacity().toLong() }

        override fun close() {}
    }

    override fun activate(adapter: Prepared?) {}

    override fun forward(ids: IntArray): FloatBuffer {
        if (held.size + ids.size > contextLength) throw ContextException("context: full.")
        held.addAll(ids.asList())
        forwards++
        return FloatBuffer.wrap(says(held))
    }

    override fun rewind(position: Int) {
        while (held.size > position) held.removeLast()
    }

    override fun snapshot(): Snapshot = Held(held.toList())

    override fun restore(snapshot: Snapshot): Int {
        held.clear()
        held.addAll((snapshot as Held).ids)
        return 0
    }

    override fun close() {
        closed = true
    }
}

/** Logits that are 0 but for what is [liked]. */
internal fun liking(size: Int, vararg liked: Pair<Int, Float>) =
    FloatArray(size).also { for ((id, logit) in liked) it[id] = logit }

/** What [refused] throws is one sentence that has each of [words]. */
internal inline fun <reified E : EdgetuneException> assertRefused(
    vararg words: String,
    crossinline refused: () -> Unit,
) {
    val error = assertThrows(E::class.java) { refused() }
    for (word in words) assertTrue("'${error.message}' lacks '$word'", word in error.message)
    assertTrue(error.message, error.message.endsWith(".") && '\n' !in error.message)
}
