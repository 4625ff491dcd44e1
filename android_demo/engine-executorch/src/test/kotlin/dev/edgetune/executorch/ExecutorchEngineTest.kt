package dev.edgetune.executorch

import dev.edgetune.core.AdapterException
import dev.edgetune.core.BundleException
import dev.edgetune.core.ContextException
import dev.edgetune.core.EdgetuneException
import dev.edgetune.core.Engine
import dev.edgetune.core.Prepared
import dev.edgetune.core.blob
import dev.edgetune.core.halfBlob
import dev.edgetune.core.slot
import java.io.File
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

private const val Q = "layers.0.attn.q_proj"
private const val UP = "layers.0.mlp.up_proj"
private const val VOCAB = 5
private const val CONTEXT = 16

class ExecutorchEngineTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val slots = listOf(slot(Q, 2, 3), slot(UP, 3, 2))
    private val program = SumProgram(slots, VOCAB, CONTEXT)
    private val engine: Engine = engine(program)

    private fun engine(program: Program, vocabSize: Int = VOCAB, model: File = File("model.pte")) =
        ExecutorchEngine(model, program, vocabSize, CONTEXT, 64, slots, maxRank = 2)

    private fun Engine.logits(vararg ids: Int): FloatArray =
        FloatArray(vocabSize).also { forward(ids).duplicate().get(it) }

    /** Rank 2 on both slots, in another order than the base's; the sums of A·B are 21·[scale] and 9·[scale]. */
    private fun adapter(scale: Float = 1f): Prepared = engine.prepare(
        blob(
            folder.newFile(),
            mapOf(
                "$UP.lora_B" to (listOf(2, 2) to floatArrayOf(1f, 0f, 0f, 1f)),
                "$UP.lora_A" to (listOf(3, 2) to floatArrayOf(1f, 2f, 1f, 2f, 1f, 2f)),
                "$Q.lora_A" to (listOf(2, 2) to floatArrayOf(1f, 2f, 3f, 4f)),
                "$Q.lora_B" to (listOf(2, 3) to FloatArray(6) { if (it < 3) 0f else 3.5f / 3 }),
            ).mapValues { (name, given) ->
                given.first to if ("lora_B" in name) given.second.map { it * scale }.toFloatArray() else given.second
            },
        ),
    )

    private inline fun <reified E : EdgetuneException> assertRefused(
        vararg words: String,
        crossinline refused: () -> Unit,
    ) {
        val error = assertThrows(E::class.java) { refused() }
        for (word in words) assertTrue("'${error.message}' lacks '$word'", word in error.message)
        assertTrue(error.message, error.message.endsWith(".") && '\n' !in error.message)
    }

    @Test
    fun `without an adapter every slot is zero`() {
        assertEquals(listOf(1f * 7 + 2 * 8, 24f, 25f, 26f, 27f), engine.logits(7, 8).toList())
        assertEquals(listOf(0 to listOf(7L, 8L)), program.calls)
    }

    @Test
    fun `each tensor goes to its slot, whatever the blob's order`() {
        engine.activate(adapter())
        val added = 1 * 21f + 2 * 9f
        assertEquals(7 + added, engine.logits(7).first(), 1e-4f)
    }

    @Test
    fun `float16 is widened, and a slot that a blob leaves out is zero`() {
        val one: Short = 0x3c00
        val half: Short = 0x3800
        val tensors = mapOf(
            "$UP.lora_A" to (listOf(3, 1) to shortArrayOf(one, half, half)),
            "$UP.lora_B" to (listOf(1, 2) to shortArrayOf(one, one)),
        )
        val adapter = engine.prepare(halfBlob(folder.newFile(), tensors))
        engine.activate(adapter)
        assertEquals(7 + 2 * 4f, engine.logits(7).first(), 0f)
        assertEquals(4L * (3 + 2), adapter.bytes)
    }

    @Test
    fun `a prompt at once is the same as token by token`() {
        val whole = engine.logits(3, 1, 4, 1)
        engine.rewind(0)
        for (id in intArrayOf(3, 1, 4)) engine.forward(intArrayOf(id))
        assertArrayEquals(whole, engine.logits(1), 0f)
        assertEquals(4, engine.position)
        assertEquals(3 to listOf(1L), program.calls.last())
    }

    @Test
    fun `a swap there and back is bit-identical`() {
        val base = engine.logits(3, 1)
        engine.activate(adapter())
        engine.rewind(0)
        assertFalse(base.contentEquals(engine.logits(3, 1)))
        engine.activate(null)
        engine.rewind(0)
        assertArrayEquals(base, engine.logits(3, 1), 0f)
    }

    @Test
    fun `a swap leaves what the cache holds, as the bare base wrote it`() {
        engine.forward(intArrayOf(3, 1))
        engine.activate(adapter())
        val added = 1 * 21f + 2 * 9f
        assertEquals(3 + 2 * 1 + 3 * (4 + added), engine.logits(4).first(), 1e-3f)
    }

    @Test
    fun `a snapshot that the cache still holds costs nothing`() {
        engine.forward(intArrayOf(3, 1, 4))
        val snapshot = engine.snapshot()
        val expected = engine.logits(1)
        val calls = program.calls.size
        assertEquals(0, engine.restore(snapshot))
        assertEquals(3, engine.position)
        assertEquals(calls, program.calls.size)
        assertArrayEquals(expected, engine.logits(1), 0f)
    }

    @Test
    fun `of a snapshot those tokens run again that others took the place of`() {
        engine.forward(intArrayOf(3, 1, 4))
        val snapshot = engine.snapshot()
        val expected = engine.logits(1)
        engine.rewind(1)
        engine.forward(intArrayOf(5))
        assertEquals(2, engine.restore(snapshot))
        assertEquals(1 to listOf(1L, 4L), program.calls.last())
        assertArrayEquals(expected, engine.logits(1), 0f)
    }

    @Test
    fun `what another adapter wrote is not taken for the bound one's`() {
        engine.activate(adapter())
        engine.forward(intArrayOf(3, 1))
        val snapshot = engine.snapshot()
        val expected = engine.logits(4)
        engine.activate(adapter(scale = 2f))
        engine.rewind(0)
        engine.forward(intArrayOf(3, 1))
        val second = engine.logits(4)
        assertEquals(0, engine.restore(snapshot)) // its tokens, under the adapter that is bound now
        assertArrayEquals(second, engine.logits(4), 0f)
        val first = adapter()
        engine.activate(first)
        assertEquals(2, engine.restore(snapshot))
        assertArrayEquals(expected, engine.logits(4), 0f)
    }

    @Test
    fun `nothing is believed of a call that broke off`() {
        engine.forward(intArrayOf(3, 1, 4))
        val snapshot = engine.snapshot()
        val expected = engine.logits(1)
        engine.rewind(1)
        program.failure = RuntimeException("[ExecuTorch Error 0x12] Invalid argument\nI 00:00 log\n")
        assertRefused<BundleException>("model.pte", "1 tokens from position 1 on", "Invalid argument)") {
            engine.forward(intArrayOf(9))
        }
        program.failure = null
        assertEquals(1, engine.position)
        assertEquals(2, engine.restore(snapshot))
        assertArrayEquals(expected, engine.logits(1), 0f)
    }

    @Test
    fun `more tokens than the context holds are refused, and nothing is forgotten`() {
        engine.forward(IntArray(CONTEXT - 1))
        assertRefused<ContextException>("context: 17 tokens") { engine.forward(intArrayOf(4, 5)) }
        assertEquals(CONTEXT - 1, engine.position)
    }

    @Test
    fun `a program of another vocabulary is refused`() =
        assertRefused<BundleException>("gives 5 logits", "expected 4") {
            engine(program, vocabSize = 4).forward(intArrayOf(1))
        }

    @Test
    fun `a rank beyond the program's is refused by name`() {
        val tensors = mapOf(
            "$Q.lora_A" to (listOf(2, 3) to FloatArray(6)),
            "$Q.lora_B" to (listOf(3, 3) to FloatArray(9)),
        )
        val blob = blob(folder.newFile(), tensors)
        assertRefused<AdapterException>("$Q.lora_A", "rank 3", "2 is the most") { engine.prepare(blob) }
    }

    @Test
    fun `closing it closes the program`() {
        engine.close()
        assertTrue(program.closed)
    }

    @Test
    fun `without ExecuTorch's natives a program fails to link, which an app can tell from a damaged one`() {
        val model = folder.newFile("model.pte")
        assertThrows(LinkageError::class.java) { ModuleProgram(model, null) }
    }
}
