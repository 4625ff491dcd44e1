package dev.edgetune.onnx

import dev.edgetune.core.Tensor
import dev.edgetune.core.Tensors
import dev.edgetune.core.widened
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** `TensorDataType.FLOAT` of ONNX Runtime's adapter schema. */
private const val FLOAT = 1

private const val FLOAT_BYTES = 4

/** How data lies: the schema asks for 8 bytes, kernels like more. */
private const val ALIGNED = 16

private val IDENTIFIER = "TORT".encodeToByteArray()

/** Where a table's fields lie, behind the place of its fields' table: four fields of 4 bytes. */
private const val FIELDS = 4
private const val VTABLE_BYTES = 4 + 2 * FIELDS
private const val TABLE_BYTES = 4 + 4 * FIELDS

/**
 * A blob's tensors as an `.onnx_adapter`, composed in memory, for `OrtLoraAdapter.create`.
 *
 * The format is a FlatBuffer (https://flatbuffers.dev/internals) of ONNX Runtime's schema
 * `adapter_schema.fbs`: versions, and for each parameter its name, dimensions, type and data. What a
 * blob stores as float16 is widened here, once. Everything is written front to back, so that each place
 * is known when it is needed. The buffer is kept for the next adapter.
 */
internal class AdapterFile {
    private var buffer: ByteBuffer = ByteBuffer.allocateDirect(0)

    /** The file of [tensors], from position to limit; it holds until the next call. */
    fun compose(tensors: Tensors): ByteBuffer {
        val size = sizeOf(tensors)
        if (buffer.capacity() < size) {
            buffer = ByteBuffer.allocateDirect(size).order(ByteOrder.LITTLE_ENDIAN)
        }
        buffer.clear()
        write(buffer, tensors)
        buffer.flip()
        return buffer
    }

    /** Lets go of what is kept. */
    fun forget() {
        buffer = ByteBuffer.allocateDirect(0)
    }
}

/** Enough for the file: each part with the most that its alignment may take. */
private fun sizeOf(tensors: Tensors): Int = tensors.entries.fold(128L) { size, (name, tensor) ->
    val parts = 4 + TABLE_BYTES + (4 + name.length + 1) + (4 + 8 * tensor.shape.size)
    size + parts + 4L + FLOAT_BYTES.toLong() * tensor.size + 3 * ALIGNED
}.toInt()

private fun write(into: ByteBuffer, tensors: Tensors) {
    into.putInt(8 + VTABLE_BYTES)
    into.put(IDENTIFIER)
    val ofAdapter = into.vtable()
    into.putInt(into.position() - ofAdapter)
    repeat(3) { into.putInt(1) } // versions of format, adapter and model
    into.putInt(4) // the list comes next
    into.putInt(tensors.size)
    val list = into.position()
    into.position(list + 4 * tensors.size)
    val ofParameter = into.vtable()
    tensors.entries.forEachIndexed { index, (name, tensor) ->
        into.align(4, 0)
        into.leadsHere(list + 4 * index)
        writeParameter(into, ofParameter, name, tensor)
    }
}

private fun writeParameter(into: ByteBuffer, vtable: Int, name: String, tensor: Tensor) {
    val table = into.position()
    into.putInt(table - vtable)
    into.position(table + TABLE_BYTES)
    into.putInt(table + 12, FLOAT)

    into.leadsHere(table + 4)
    val text = name.encodeToByteArray()
    into.putInt(text.size).put(text).put(0)

    into.align(8, 4)
    into.leadsHere(table + 8)
    into.putInt(tensor.shape.size)
    for (side in tensor.shape) into.putLong(side.toLong())

    into.align(ALIGNED, ALIGNED - 4)
    into.leadsHere(table + 16)
    into.putInt(FLOAT_BYTES * tensor.size)
    into.putFloats(tensor)
}

/** Four fields of 4 bytes in a row; where this table lies. */
private fun ByteBuffer.vtable(): Int {
    val place = position()
    putShort(VTABLE_BYTES.toShort()).putShort(TABLE_BYTES.toShort())
    for (field in 0 until FIELDS) putShort((4 + 4 * field).toShort())
    return place
}

/** The offset at [place] is to what is written next. */
private fun ByteBuffer.leadsHere(place: Int) {
    putInt(place, position() - place)
}

/** Fills up with zeros to a position that leaves [remainder] when divided by [by]. */
private fun ByteBuffer.align(by: Int, remainder: Int) {
    while (position() % by != remainder) put(0)
}

private fun ByteBuffer.putFloats(tensor: Tensor) {
    if (tensor.type == "F32") {
        put(tensor.data.duplicate().apply { clear() })
        return
    }
    val begin = position()
    for (index in 0 until tensor.size) {
        putInt(begin + FLOAT_BYTES * index, widened(tensor.data.getShort(2 * index)))
    }
    position(begin + FLOAT_BYTES * tensor.size)
}
