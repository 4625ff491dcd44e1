package dev.edgetune.executorch

import dev.edgetune.core.Prepared
import dev.edgetune.core.Slot
import dev.edgetune.core.Tensors
import dev.edgetune.core.tensorNames
import dev.edgetune.core.widened
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Tensor

private typealias Stored = dev.edgetune.core.Tensor

/** A and B of every slot in the program's order, as its inputs. */
internal class Bound(inputs: List<EValue>, override val bytes: Long) : Prepared {
    /** Empty from [close] on, so that what remembers the adapter keeps nothing of it in memory. */
    var inputs: List<EValue> = inputs
        private set

    override fun close() {
        inputs = emptyList()
    }
}

/**
 * Makes inputs of a blob's tensors: A as `[1, in, r]`, B as `[1, r, out]`, float32.
 *
 * What a blob stores as float32 stays where it is mapped, float16 is widened once. A slot without an
 * adapter gets zeros of rank 1, whose product adds nothing; all of them are the same zeros.
 */
internal class SlotInputs(private val slots: List<Slot>) {
    private val zeros = floats(slots.maxOfOrNull { maxOf(it.inFeatures, it.outFeatures) } ?: 0)

    /** No adapter at all. */
    val none: Bound = of(emptyMap())

    fun of(tensors: Tensors): Bound {
        val inputs = ArrayList<EValue>(2 * slots.size)
        var bytes = 0L
        for (slot in slots) {
            val halves = tensorNames(slot).mapNotNull(tensors::get)
            if (halves.size < 2 || halves.any { it.size == 0 }) {
                inputs += input(zeros(slot.inFeatures), slot.inFeatures, 1)
                inputs += input(zeros(slot.outFeatures), 1, slot.outFeatures)
                continue
            }
            for (half in halves) {
                val numbers = numbers(half)
                inputs += input(numbers, half.shape[0], half.shape[1])
                bytes += numbers.capacity() * Float.SIZE_BYTES.toLong()
            }
        }
        return Bound(inputs, bytes)
    }

    private fun input(numbers: FloatBuffer, rows: Int, columns: Int) =
        EValue.from(Tensor.fromBlob(numbers, longArrayOf(1, rows.toLong(), columns.toLong())))

    private fun zeros(count: Int): FloatBuffer {
        val part = zeros.duplicate()
        part.limit(count)
        return part.slice()
    }
}

private fun numbers(stored: Stored): FloatBuffer {
    if (stored.type == "F32") return stored.data.duplicate().order(ByteOrder.nativeOrder()).asFloatBuffer()
    val wide = floats(stored.size)
    for (index in 0 until stored.size) {
        wide.put(index, Float.fromBits(widened(stored.data.getShort(Short.SIZE_BYTES * index))))
    }
    return wide
}

/** So many bytes of native memory, all zero. */
internal fun direct(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

private fun floats(count: Int): FloatBuffer = direct(Math.multiplyExact(count, Float.SIZE_BYTES)).asFloatBuffer()
