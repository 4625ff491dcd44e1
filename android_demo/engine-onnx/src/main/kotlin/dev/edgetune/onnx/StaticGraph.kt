package dev.edgetune.onnx

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import java.io.Closeable
import java.io.File

/** Added to the score of what a token must not see: float16 holds it, and its exponential is 0. */
private const val FORBIDDEN = -1e4f

/**
 * One graph of fixed shapes ([StaticShapes]) behind the base's embedding, with all that the two read and
 * write in buffers that are made once. It knows ids, places and what is in [cache]; closing it leaves the
 * embedding, the cache and the logits to whoever gave them.
 */
internal class StaticGraph(
    val file: File,
    private val session: OrtSession,
    private val embedding: OrtSession,
    shapes: StaticShapes,
    hiddenSize: Int,
    private val cache: Cache,
    logits: OnnxTensor,
) : Closeable {
    val length: Int = shapes.length
    private val row = shapes.columns + length
    private val ids = Longs(1, length.toLong())
    private val hidden = Floats(1, length.toLong(), hiddenSize.toLong())
    private val positions = Longs(length.toLong())
    private val last = Longs(1)
    private val mask = Floats(1, 1, length.toLong(), row.toLong())
    private val fresh = cache.ofLength(length)
    private val inputs = HashMap<String, OnnxTensor>()
    private val outputs = HashMap<String, OnnxTensor>()
    private val embeddingInputs = mapOf("ids" to ids.tensor)
    private val embeddingOutputs = mapOf("hidden" to hidden.tensor)
    private val own: List<OnnxTensor>

    init {
        val environment = OrtEnvironment.getEnvironment()
        inputs["hidden"] = hidden.tensor
        inputs["positions"] = positions.tensor
        inputs["last"] = last.tensor
        inputs["mask"] = mask.tensor
        for ((name, buffer) in cache.buffers) inputs["past.$name"] = cache.tensor(environment, buffer)
        for ((name, buffer) in fresh.buffers) outputs["new.$name"] = fresh.tensor(environment, buffer)
        own = inputs.values + outputs.values + ids.tensor
        outputs["logits"] = logits
    }

    /**
     * Runs [count] of [tokens] from the one at [from] on, behind the first [position] of the cache, which
     * then holds them too; the logits are those after the last of them.
     */
    fun run(tokens: IntArray, from: Int, count: Int, position: Int, slots: Map<String, OnnxTensor>) {
        for (place in 0 until length) {
            ids.numbers.put(place, if (place < count) tokens[from + place].toLong() else 0)
            positions.numbers.put(place, (position + place).toLong())
        }
        last.numbers.put(0, (count - 1).toLong())
        fillMask(position)
        inputs.putAll(slots)
        // Nothing in the results is their own, to be closed: every output was given.
        embedding.run(embeddingInputs, emptySet(), embeddingOutputs)
        session.run(inputs, emptySet(), outputs)
        cache.append(fresh, count, position)
    }

    /** Each token sees the first [position] of the cache, and of its own chunk what stands before it. */
    private fun fillMask(position: Int) {
        for (token in 0 until length) {
            for (column in 0 until row) {
                val isSeen = column < position || column - (row - length) in 0..token
                mask.numbers.put(token * row + column, if (isSeen) 0f else FORBIDDEN)
            }
        }
    }

    override fun close() {
        own.forEach(OnnxTensor::close)
        session.close()
    }
}
