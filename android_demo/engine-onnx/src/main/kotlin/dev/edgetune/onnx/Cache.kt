package dev.edgetune.onnx

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import dev.edgetune.core.Snapshot
import java.nio.ByteBuffer

/**
 * The keys and values of every layer, `[1, heads, context, dim]` each, in native memory.
 *
 * It knows where tokens lie in them; what reads and writes them is the engine's graph.
 */
internal class Cache(
    val layers: Int,
    private val heads: Int,
    val contextLength: Int,
    private val headDim: Int,
    private val kvType: String,
) {
    val type: OnnxJavaType = if (kvType == "float16") OnnxJavaType.FLOAT16 else OnnxJavaType.FLOAT
    private val shape =
        longArrayOf(1, heads.toLong(), contextLength.toLong(), headDim.toLong())

    /** Bytes of one token in one head. */
    private val tokenBytes = headDim * type.size
    private val headBytes = contextLength * tokenBytes

    /** By `{layer}.key` and `{layer}.value`. */
    val buffers: Map<String, ByteBuffer> = (0 until layers)
        .flatMap { listOf("$it.key", "$it.value") }
        .associateWith { direct(Math.multiplyExact(heads, headBytes)) }

    /** What all of them occupy. */
    val bytes: Long = buffers.values.sumOf { it.capacity().toLong() }

    /** [buffer] as ONNX Runtime reads and writes it. */
    fun tensor(environment: OrtEnvironment, buffer: ByteBuffer): OnnxTensor =
        if (type == OnnxJavaType.FLOAT) {
            OnnxTensor.createTensor(environment, buffer.asFloatBuffer(), shape)
        } else {
            OnnxTensor.createTensor(environment, buffer, shape, type)
        }

    /** One of the same layers and heads for [tokens] tokens. */
    fun ofLength(tokens: Int): Cache = Cache(layers, heads, tokens, headDim, kvType)

    /** Puts the first [tokens] of [from] to the positions from [position] on. */
    fun append(from: Cache, tokens: Int, position: Int) {
        for ((name, buffer) in buffers) {
            val (source, target) = from.buffers.getValue(name).duplicate() to buffer.duplicate()
            for (head in 0 until heads) {
                val (begin, place) = head * from.headBytes to head * headBytes + position * tokenBytes
                source.limit(begin + tokens * tokenBytes).position(begin)
                target.position(place)
                target.put(source)
                source.clear()
            }
        }
    }

    /** What the first [tokens] positions hold. */
    class Copy(val tokens: Int, val content: ByteBuffer) : Snapshot

    fun copy(tokens: Int): Copy {
        val content = direct(Math.multiplyExact(buffers.size * heads * tokenBytes, tokens))
        forEachHead(tokens) { content.put(it) }
        return Copy(tokens, content)
    }

    /** Puts a copy back; how many positions it holds. */
    fun put(copy: Copy): Int {
        val from = copy.content.duplicate()
        var at = 0
        forEachHead(copy.tokens) { head ->
            from.limit(at + head.remaining()).position(at)
            at = from.limit()
            head.put(from)
        }
        return copy.tokens
    }

    private inline fun forEachHead(tokens: Int, visit: (ByteBuffer) -> Unit) {
        for (buffer in buffers.values) {
            val part = buffer.duplicate()
            for (head in 0 until heads) {
                part.limit(head * headBytes + tokens * tokenBytes).position(head * headBytes)
                visit(part)
                part.clear()
            }
        }
    }
}
