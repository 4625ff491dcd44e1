package dev.edgetune.onnx

import ai.onnxruntime.NodeInfo
import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import dev.edgetune.core.BundleException
import dev.edgetune.core.Manifest
import java.io.File

/** No chunk, context or rank of a compiled graph is longer. */
private const val LONGEST = 1L shl 16

/**
 * What a graph of fixed shapes takes and gives, held against the bundle before a buffer is made of it.
 *
 * Inputs: `hidden` `[1, length, H]`; `positions` `[length]` and `last` `[1]` (the row whose logits are
 * wanted); `mask` `[1, 1, length, columns + length]`, which is added to attention scores;
 * `past.{l}.key|value` `[1, kv_heads, columns, head_dim]`; each slot's `lora_A` `[in, rank]` and `lora_B`
 * `[rank, out]`. Outputs: `logits` `[1, 1, vocab]` and `new.{l}.key|value` `[1, kv_heads, length, head_dim]`.
 */
internal class StaticShapes private constructor(
    /** Tokens that go through at once, of which the last ones may be padding. */
    val length: Int,
    /** Tokens of the K/V cache that are read, used or not. */
    val columns: Int,
    /** Of the adapters that fit, smaller ones filled up with zeros. */
    val rank: Int,
) {
    companion object {
        /** Throws [BundleException] naming the first input or output of another shape or type. */
        fun of(file: File, session: OrtSession, manifest: Manifest): StaticShapes {
            val graph = Graph(file, session.inputInfo, session.outputInfo)
            val base = manifest.base
            val length = graph.side("hidden", 1)
            val columns = graph.side("past.0.key", 2)
            val rank = manifest.slots.firstOrNull()?.let { graph.side("${it.name}.lora_A", 1) } ?: 1
            graph.takes("hidden", 1, length, base.hiddenSize.toLong())
            graph.takes("positions", length, type = OnnxJavaType.INT64)
            graph.takes("last", 1, type = OnnxJavaType.INT64)
            graph.takes("mask", 1, 1, length, columns + length)
            for (layer in 0 until base.layers) {
                for (half in listOf("key", "value")) {
                    val (heads, dim) = base.kvHeads.toLong() to base.headDim.toLong()
                    graph.takes("past.$layer.$half", 1, heads, columns, dim)
                    graph.gives("new.$layer.$half", 1, heads, length, dim)
                }
            }
            for (slot in manifest.slots) {
                graph.takes("${slot.name}.lora_A", slot.inFeatures.toLong(), rank)
                graph.takes("${slot.name}.lora_B", rank, slot.outFeatures.toLong())
            }
            graph.gives("logits", 1, 1, base.vocabSize.toLong())
            return StaticShapes(length.toInt(), columns.toInt(), rank.toInt())
        }
    }
}

/** The names of a graph, each with what ONNX Runtime says of it. */
private class Graph(
    private val file: File,
    private val inputs: Map<String, NodeInfo>,
    private val outputs: Map<String, NodeInfo>,
) {
    fun side(name: String, axis: Int): Long {
        val side = (inputs[name]?.info as? TensorInfo)?.shape?.getOrNull(axis)
        return side?.takeIf { it in 1..LONGEST } ?: throw wrong(name, "of a fixed shape")
    }

    fun takes(name: String, vararg shape: Long, type: OnnxJavaType = OnnxJavaType.FLOAT) =
        check(name, inputs[name], shape, type)

    fun gives(name: String, vararg shape: Long) = check(name, outputs[name], shape, OnnxJavaType.FLOAT)

    private fun check(name: String, found: NodeInfo?, shape: LongArray, type: OnnxJavaType) {
        val info = found?.info as? TensorInfo
        if (info == null || info.type != type || !info.shape.contentEquals(shape)) {
            throw wrong(name, "of $type ${shape.contentToString()}")
        }
    }

    private fun wrong(name: String, what: String) =
        BundleException("$file: has no '$name' $what; export the bundle again.")
}
