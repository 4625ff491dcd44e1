package dev.edgetune.onnx

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtSession
import dev.edgetune.core.BundleException
import dev.edgetune.core.ContextException
import dev.edgetune.core.Engine
import dev.edgetune.core.Manifest
import dev.edgetune.core.Prepared
import dev.edgetune.core.Slot
import dev.edgetune.core.Snapshot
import dev.edgetune.core.Tensors
import dev.edgetune.core.checkTensors
import java.io.File
import java.nio.FloatBuffer

/**
 * [Engine] on two graphs of fixed shapes, a chunk of a prompt and one token, and a K/V cache on this side.
 *
 * A prompt goes through in chunks, the last one padded; whatever lies beyond the position is masked. It
 * knows tensors and ids only, and nothing of the chip.
 */
internal class QnnEngine private constructor(
    private val embedding: OrtSession,
    private val prefill: StaticGraph,
    private val decode: StaticGraph,
    private val cache: Cache,
    private val logits: Floats,
    private val slots: List<Slot>,
    private val rank: Int,
    override val contextLength: Int,
) : Engine {
    override val name: String = "qnn"
    override val vocabSize: Int = logits.numbers.capacity()
    override val kvBytes: Long = cache.bytes
    override var position: Int = 0
        private set

    private val prepared = HashSet<FilledSlots>()
    private val none = FilledSlots(emptyMap(), slots, rank) {}
    private var active = none

    override fun prepare(tensors: Tensors): Prepared {
        checkTensors(tensors, slots, rank)
        return FilledSlots(tensors, slots, rank, prepared::remove).also(prepared::add)
    }

    override fun activate(adapter: Prepared?) {
        active = adapter as FilledSlots? ?: none
    }

    override fun forward(ids: IntArray): FloatBuffer {
        val total = position + ids.size
        if (total > contextLength) {
            throw ContextException(
                "context: $total tokens are needed, but the engine was opened for $contextLength; " +
                    "shorten the request or ask for a longer contextLength.",
            )
        }
        var done = 0
        while (done < ids.size) {
            val graph = if (ids.size - done == 1) decode else prefill
            val count = minOf(graph.length, ids.size - done)
            try {
                graph.run(ids, done, count, position + done, active.tensors)
            } catch (error: OrtException) {
                throw failed(graph.file, count, position + done, error)
            }
            done += count
        }
        position = total
        return logits.numbers
    }

    override fun rewind(position: Int) {
        require(position in 0..this.position) { "cannot rewind to $position of ${this.position}" }
        this.position = position
    }

    override fun snapshot(): Snapshot = cache.copy(position)

    override fun restore(snapshot: Snapshot): Int {
        position = cache.put(snapshot as Cache.Copy)
        return 0
    }

    override fun close() {
        active = none
        prepared.toList().forEach(FilledSlots::close)
        none.close()
        listOf(prefill, decode).forEach(StaticGraph::close)
        logits.tensor.close()
        embedding.close()
    }

    companion object {
        /** The engine on [files]: the embedding, the graph of a chunk and the one of a token. */
        fun open(
            files: List<File>,
            manifest: Manifest,
            contextLength: Int,
            threads: Int?,
            provider: (OrtSession.SessionOptions) -> Unit,
        ): QnnEngine {
            val opened = ArrayList<OrtSession>()
            try {
                opened += openSession(files[0], threads)
                for (file in files.drop(1)) opened += openSession(file, threads, provider)
                return onSessions(files, opened, manifest, contextLength)
            } catch (error: Exception) {
                opened.forEach(OrtSession::close)
                throw when (error) {
                    is OrtException -> unloadable(files[0].parentFile, error)
                    is ArithmeticException ->
                        BundleException("${files[2]}: takes more than 2 GB at once; export the bundle again.", error)
                    else -> error
                }
            }
        }

        private fun onSessions(
            files: List<File>,
            sessions: List<OrtSession>,
            manifest: Manifest,
            contextLength: Int,
        ): QnnEngine {
            val base = manifest.base
            val shapes = listOf(1, 2).map { StaticShapes.of(files[it], sessions[it], manifest) }
            val (chunk, one) = shapes
            if (one.length != 1 || chunk.columns != one.columns || chunk.rank != one.rank) {
                throw BundleException("${files[2]}: does not belong to ${files[1].name}; export the bundle again.")
            }
            if (contextLength > one.columns) {
                throw BundleException(
                    "${files[2]}: keeps ${one.columns} tokens where the manifest says $contextLength; export " +
                        "the bundle again.",
                )
            }
            val cache = Cache(base.layers, base.kvHeads, one.columns, base.headDim, "float32")
            val logits = Floats(1, 1, base.vocabSize.toLong())
            val graphs = shapes.mapIndexed { index, each ->
                val session = sessions[index + 1]
                StaticGraph(files[index + 1], session, sessions[0], each, base.hiddenSize, cache, logits.tensor)
            }
            return QnnEngine(
                sessions[0], graphs[0], graphs[1], cache, logits, manifest.slots, one.rank, contextLength,
            )
        }
    }
}

/** A and B of every slot at the graphs' rank: zeros add nothing, in slots and ranks that an adapter lacks. */
private class FilledSlots(
    tensors: Tensors,
    slots: List<Slot>,
    rank: Int,
    private val closed: (FilledSlots) -> Unit,
) : Prepared {
    private val floats = HashMap<String, Floats>()
    val tensors: Map<String, OnnxTensor>
    override val bytes: Long

    init {
        for (slot in slots) {
            val inner = Floats(slot.inFeatures.toLong(), rank.toLong())
            val outer = Floats(rank.toLong(), slot.outFeatures.toLong())
            tensors["${slot.name}.lora_A"]?.let { it.spread(inner.numbers, rank) }
            tensors["${slot.name}.lora_B"]?.let { it.spread(outer.numbers, slot.outFeatures) }
            floats["${slot.name}.lora_A"] = inner
            floats["${slot.name}.lora_B"] = outer
        }
        this.tensors = floats.mapValues { it.value.tensor }
        bytes = floats.values.sumOf { it.numbers.capacity().toLong() * Float.SIZE_BYTES }
    }

    override fun close() {
        closed(this)
        tensors.values.forEach { if (!it.isClosed) it.close() }
    }
}
