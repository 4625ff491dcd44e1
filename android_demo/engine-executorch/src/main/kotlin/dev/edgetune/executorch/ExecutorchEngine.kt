package dev.edgetune.executorch

import dev.edgetune.core.BundleException
import dev.edgetune.core.ContextException
import dev.edgetune.core.Engine
import dev.edgetune.core.Prepared
import dev.edgetune.core.Slot
import dev.edgetune.core.Snapshot
import dev.edgetune.core.Tensors
import dev.edgetune.core.checkTensors
import java.io.File
import java.nio.FloatBuffer
import java.nio.LongBuffer
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Tensor

/**
 * [Engine] on a program whose `forward` takes ids `[1, S]`, the position of the first of them `[1]`,
 * and A `[1, in, r]` and B `[1, r, out]` of each slot, and gives logits `[1, 1, vocab]`.
 *
 * One method serves prefill of any length and decode, so nothing is cut or filled up. The K/V cache is
 * the program's own and cannot be read from outside: a snapshot is its tokens, and restoring one runs
 * those again that are no longer in the cache. It knows tensors and ids only.
 */
internal class ExecutorchEngine(
    private val model: File,
    private val program: Program,
    override val vocabSize: Int,
    override val contextLength: Int,
    override val kvBytes: Long,
    private val slots: List<Slot>,
    private val maxRank: Int,
) : Engine {
    override val name: String = ExecutorchEngines.name
    override var position: Int = 0
        private set

    private val slotInputs = SlotInputs(slots)
    private var bound = slotInputs.none

    private val ids = longs(contextLength)
    private val start = longs(1)
    private val startInput = EValue.from(Tensor.fromBlob(start, longArrayOf(1)))

    /** What the cache holds, also behind [position]: its tokens, and what each was written with. */
    private val held = IntArray(contextLength)
    private val writtenWith = arrayOfNulls<Bound>(contextLength)
    private var heldCount = 0

    private class Tokens(val ids: IntArray) : Snapshot

    override fun prepare(tensors: Tensors): Prepared {
        checkTensors(tensors, slots, maxRank)
        return slotInputs.of(tensors)
    }

    override fun activate(adapter: Prepared?) {
        bound = adapter as Bound? ?: slotInputs.none
    }

    override fun forward(ids: IntArray): FloatBuffer {
        val total = position + ids.size
        if (total > contextLength) {
            throw ContextException(
                "context: $total tokens are needed, but the engine was opened for $contextLength; " +
                    "shorten the request or ask for a longer contextLength.",
            )
        }
        heldCount = position // so that nothing is believed of a call that breaks off
        val logits = run(ids)
        ids.copyInto(held, position)
        writtenWith.fill(bound, position, total)
        heldCount = total
        position = total
        return FloatBuffer.wrap(logits)
    }

    private fun run(ids: IntArray): FloatArray {
        start.put(0, position.toLong())
        val logits = try {
            program.forward(arrayOf(fed(ids), startInput) + bound.inputs)
        } catch (error: RuntimeException) {
            throw failed(ids, error.summary, error)
        }
        if (logits.size != vocabSize) throw failed(ids, "it gives ${logits.size} logits, expected $vocabSize")
        return logits
    }

    private fun fed(ids: IntArray): EValue {
        for (place in ids.indices) this.ids.put(place, ids[place].toLong())
        val part = this.ids.duplicate()
        part.limit(ids.size)
        return EValue.from(Tensor.fromBlob(part.slice(), longArrayOf(1, ids.size.toLong())))
    }

    private fun failed(ids: IntArray, why: String, cause: Throwable? = null) = BundleException(
        "$model: ExecuTorch fails at ${ids.size} tokens from position $position on ($why); export the bundle again.",
        cause,
    )

    override fun rewind(position: Int) {
        require(position in 0..this.position) { "cannot rewind to $position of ${this.position}" }
        this.position = position
    }

    override fun snapshot(): Snapshot = Tokens(held.copyOf(position))

    override fun restore(snapshot: Snapshot): Int {
        val wanted = (snapshot as Tokens).ids
        var kept = 0
        while (kept < minOf(wanted.size, heldCount) && isKept(kept, wanted[kept])) kept++
        position = kept
        if (kept < wanted.size) forward(wanted.copyOfRange(kept, wanted.size))
        return wanted.size - kept
    }

    private fun isKept(place: Int, token: Int) = held[place] == token && writtenWith[place] === bound

    override fun close() {
        bound = slotInputs.none
        writtenWith.fill(null)
        program.close()
    }
}

private fun longs(count: Int): LongBuffer = direct(Math.multiplyExact(count, Long.SIZE_BYTES)).asLongBuffer()
