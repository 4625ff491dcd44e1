package dev.edgetune.executorch

import dev.edgetune.core.Slot
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.pytorch.executorch.DType
import org.pytorch.executorch.EValue

/**
 * A program that adds instead of attending, for want of natives on a JVM: it takes ExecuTorch's own
 * tensors as a `.pte` does, holds them to the slots' shapes, and keeps K/V by position.
 *
 * A token's K/V are its id and the sum of each slot's A·B, the slot's place being its weight; a logit
 * depends on all K/V before it, on their places, and on the vocabulary's index.
 */
internal class SumProgram(
    private val slots: List<Slot>,
    private val vocabSize: Int,
    contextLength: Int,
) : Program {
    private val cache = FloatArray(contextLength)

    /** The position of each call, and the ids. */
    val calls = ArrayList<Pair<Int, List<Long>>>()
    var closed = false
        private set

    /** What the next call fails with. */
    var failure: RuntimeException? = null

    override fun forward(inputs: Array<EValue>): FloatArray {
        assertEquals(2 + 2 * slots.size, inputs.size)
        val (ids, start) = inputs.take(2).map { it.toTensor() }
        assertArrayEquals(longArrayOf(1, ids.numel()), ids.shape())
        assertArrayEquals(longArrayOf(1), start.shape())
        val begin = start.dataAsLongArray.single().toInt()
        calls += begin to ids.dataAsLongArray.toList()
        val added = slots.indices.sumOf { ((it + 1) * product(slots[it], inputs, 2 + 2 * it)).toDouble() }
        ids.dataAsLongArray.forEachIndexed { index, id ->
            cache[begin + index] = (id + added).toFloat()
            failure?.let { throw it } // half-way
        }
        val read = (0 until begin + ids.numel().toInt()).sumOf { (it + 1.0) * cache[it] }
        return FloatArray(vocabSize) { (read + it).toFloat() }
    }

    /** The sum of A·B. */
    private fun product(slot: Slot, inputs: Array<EValue>, at: Int): Float {
        val (a, b) = listOf(inputs[at], inputs[at + 1]).map { it.toTensor() }
        val rank = a.shape().last()
        assertEquals(DType.FLOAT, a.dtype())
        assertArrayEquals(longArrayOf(1, slot.inFeatures.toLong(), rank), a.shape())
        assertArrayEquals(longArrayOf(1, rank, slot.outFeatures.toLong()), b.shape())
        val (rows, columns) = a.dataAsFloatArray to b.dataAsFloatArray
        return (0 until rank.toInt()).sumOf { k ->
            val left = (0 until slot.inFeatures).sumOf { rows[it * rank.toInt() + k].toDouble() }
            val right = (0 until slot.outFeatures).sumOf { columns[k * slot.outFeatures + it].toDouble() }
            left * right
        }.toFloat()
    }

    override fun close() {
        closed = true
    }
}
