package dev.edgetune.onnx

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OnnxTensorLike
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtLoraAdapter
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import dev.edgetune.core.AdapterException
import dev.edgetune.core.Bundle
import dev.edgetune.core.BundleException
import dev.edgetune.core.ContextException
import dev.edgetune.core.Engine
import dev.edgetune.core.EngineFactory
import dev.edgetune.core.Prepared
import dev.edgetune.core.Slot
import dev.edgetune.core.Snapshot
import dev.edgetune.core.Target
import dev.edgetune.core.Tensors
import dev.edgetune.core.checkTensors
import java.io.File
import java.nio.FloatBuffer
import java.nio.LongBuffer

/** Engines on ONNX Runtime's CPU provider, for the target `onnx`. */
public object OnnxEngines : EngineFactory {
    override val name: String = "onnx"

    override fun open(bundle: Bundle, target: Target, contextLength: Int, threads: Int?): Engine {
        val base = bundle.manifest.base
        val cache = Cache(base.layers, base.kvHeads, contextLength, base.headDim, target.kvType)
        return OnnxEngine(bundle.model(target), cache, base.vocabSize, bundle.manifest.slots, threads)
    }
}

/**
 * [Engine] on a graph with LoRA slots and one shared KV buffer for each layer's keys and values.
 *
 * The graph's inputs: `input_ids` `[1, S]`, `attention_mask` `[1, past + S]`, `position_ids` `[1, S]`
 * where it asks for them, `past_key_values.{l}.key|value` `[1, kv_heads, context, head_dim]`, and each
 * slot's A and B, which default to rank 0. Its outputs: `logits` `[1, 1, vocab]` and
 * `present.{l}.key|value`. Everything that it reads and writes lies in buffers that are made once: K/V
 * are past and present at the same time. It knows tensors and ids only.
 */
internal class OnnxEngine(
    private val model: File,
    private val cache: Cache,
    override val vocabSize: Int,
    private val slots: List<Slot>,
    threads: Int?,
) : Engine {
    override val name: String = OnnxEngines.name
    override val contextLength: Int = cache.contextLength
    override val kvBytes: Long = cache.bytes
    override var position: Int = 0
        private set

    private val environment = OrtEnvironment.getEnvironment()
    private val session = openSession(model, threads)
    private val logits = direct(vocabSize * Float.SIZE_BYTES).asFloatBuffer()
    private val ids = direct(contextLength * Long.SIZE_BYTES).asLongBuffer()
    private val mask = direct(contextLength * Long.SIZE_BYTES).asLongBuffer().also { ones(it) }
    private val positions = direct(contextLength * Long.SIZE_BYTES).asLongBuffer().also { count(it) }
    private val inputs = HashMap<String, OnnxTensorLike>()
    private val outputs = HashMap<String, OnnxTensor>()
    private val plain = OrtSession.RunOptions()
    private val file = AdapterFile()
    private val prepared = HashSet<NativeAdapter>()
    private var active: NativeAdapter? = null

    init {
        try {
            bind()
        } catch (error: Exception) {
            close()
            throw if (error is OrtException) unloadable(model, error) else error
        }
    }

    private fun bind() {
        for ((name, buffer) in cache.buffers) {
            val past = session.inputInfo["past_key_values.$name"]?.info as? TensorInfo
            if (past?.type != cache.type) {
                throw BundleException(
                    "$model: no input 'past_key_values.$name' of ${cache.type} for a base of " +
                        "${cache.layers} layers; export the bundle again.",
                )
            }
            val tensor = cache.tensor(environment, buffer)
            inputs["past_key_values.$name"] = tensor
            outputs["present.$name"] = tensor
        }
        val told = (session.outputInfo["logits"]?.info as? TensorInfo)?.shape?.lastOrNull()
        if (told == null || (told >= 0 && told != vocabSize.toLong())) {
            throw BundleException(
                "$model: gives logits of $told tokens where the base has $vocabSize; export the bundle again.",
            )
        }
        val shape = longArrayOf(1, 1, vocabSize.toLong())
        outputs["logits"] = OnnxTensor.createTensor(environment, logits, shape)
    }

    override fun prepare(tensors: Tensors): Prepared {
        checkTensors(tensors, slots)
        try {
            val composed = file.compose(tensors)
            val bytes = composed.remaining().toLong()
            return take(OrtLoraAdapter.create(composed), bytes)
        } catch (error: OrtException) {
            throw AdapterException("ONNX Runtime does not take it (${error.message}).", error)
        }
    }

    /** [adapter], which is this engine's from now on, ready to be bound. */
    internal fun take(adapter: OrtLoraAdapter, bytes: Long): Prepared =
        NativeAdapter(adapter, bytes).also(prepared::add)

    override fun activate(adapter: Prepared?) {
        active = adapter as NativeAdapter?
    }

    override fun forward(ids: IntArray): FloatBuffer {
        val total = position + ids.size
        if (total > contextLength) {
            throw ContextException(
                "context: $total tokens are needed, but the engine was opened for $contextLength; " +
                    "shorten the request or ask for a longer contextLength.",
            )
        }
        for (place in ids.indices) this.ids.put(place, ids[place].toLong())
        try {
            tensor(this.ids, 0, ids.size).use { fed ->
                tensor(mask, 0, total).use { seen ->
                    tensor(positions, position, total).use { where -> run(fed, seen, where) }
                }
            }
        } catch (error: OrtException) {
            throw failed(model, ids.size, position, error)
        }
        position = total
        return logits
    }

    private fun run(fed: OnnxTensor, seen: OnnxTensor, where: OnnxTensor) {
        inputs["input_ids"] = fed
        inputs["attention_mask"] = seen
        if ("position_ids" in session.inputNames) inputs["position_ids"] = where
        // Nothing in the result is its own, to be closed: every output was given.
        session.run(inputs, emptySet(), outputs, active?.options ?: plain)
    }

    private fun tensor(numbers: LongBuffer, from: Int, to: Int): OnnxTensor {
        numbers.limit(to).position(from)
        val part = numbers.slice()
        numbers.clear()
        return OnnxTensor.createTensor(environment, part, longArrayOf(1, (to - from).toLong()))
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
        active = null
        prepared.toList().forEach(NativeAdapter::close)
        (outputs.values + inputs.values).toSet().forEach { if (!it.isClosed) it.close() }
        inputs.clear()
        outputs.clear()
        file.forget()
        plain.close()
        session.close()
    }

    /** A blob inside ONNX Runtime, with the options of a run that it is active in. */
    private inner class NativeAdapter(
        private val adapter: OrtLoraAdapter,
        override val bytes: Long,
    ) : Prepared {
        val options: OrtSession.RunOptions =
            OrtSession.RunOptions().apply { addActiveLoraAdapter(adapter) }

        override fun close() {
            if (!prepared.remove(this)) return
            options.close()
            adapter.close()
        }
    }
}

private fun ones(numbers: LongBuffer) {
    for (place in 0 until numbers.capacity()) numbers.put(place, 1)
}

private fun count(numbers: LongBuffer) {
    for (place in 0 until numbers.capacity()) numbers.put(place, place.toLong())
}
