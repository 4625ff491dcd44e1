package dev.edgetune.onnx

import dev.edgetune.core.BundleException
import dev.edgetune.core.ContextException
import dev.edgetune.core.EdgetuneException
import dev.edgetune.core.Engine
import dev.edgetune.core.EngineFactory
import dev.edgetune.core.InputException
import dev.edgetune.core.Parity
import dev.edgetune.core.openBundle
import dev.edgetune.core.openEngine
import java.io.File
import kotlin.math.abs
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** The loop of fixed shapes, on the CPU, with the graphs before compilation (`uncompiled.py`). */
class QnnEngineTest {
    private val bundle by lazy { openBundle(File(givenUncompiled(), "bundle"), check = false) }
    private val onCpu = QnnEngines("SM8650", provider = {})
    private val ids = IntArray(70) { 20 + 3 * it }

    private fun <T> withEngine(factory: EngineFactory = onCpu, context: Int = 128, work: (Engine) -> T): T =
        bundle.openEngine(factory, threads = 1, contextLength = context).use(work)

    private fun Engine.logits(vararg ids: Int): FloatArray =
        FloatArray(vocabSize).also { forward(ids).duplicate().get(it) }

    private fun Engine.bindFirst() = activate(prepare(bundle.tensors(bundle.manifest.adapters.first())))

    private inline fun <reified E : EdgetuneException> refused(vararg words: String, crossinline work: () -> Unit) {
        val error = assertThrows(E::class.java) { work() }
        for (word in words) assertTrue("'${error.message}' lacks '$word'", word in error.message)
        assertTrue(error.message, '\n' !in error.message && error.message.endsWith("."))
    }

    @Test
    fun `no vector differs from those of Python's loop`() {
        val golden = Json.parseToJsonElement(File(givenUncompiled(), "golden.json").readText()).jsonObject
        fun entries(name: String) = golden.getValue(name).jsonArray.map { it.jsonObject }
        val parity = Parity(bundle)
        parity.withEngine(bundle.openEngine(onCpu, threads = 1)) {
            selections(entries("selections"))
            runs(entries("steps"))
            replies(entries("replies"))
        }
        println("fixed shapes: ${parity.report().trim()}")
        assertEquals(emptyList<String>(), parity.differences.take(20))
    }

    @Test
    fun `chunks, single tokens and a rewind give what the graph of any length does, with an adapter and without`() {
        fun said(factory: EngineFactory): List<FloatArray> = withEngine(factory) { engine ->
            val base = listOf(engine.logits(*ids), engine.logits(7))
            engine.rewind(40)
            engine.bindFirst()
            base + engine.logits(*ids.copyOf(33)) + engine.logits(7) + engine.logits(8)
        }
        for ((fixed, any) in said(onCpu).zip(said(OnnxEngines))) {
            assertArrayEquals(any, fixed, 1e-3f * any.maxOf(::abs))
        }
    }

    @Test
    fun `a swap there and back, and a restored snapshot, are bit-identical`() = withEngine { engine ->
        val base = engine.logits(*ids)
        val snapshot = engine.snapshot()
        val next = engine.logits(7)
        engine.rewind(0)
        engine.bindFirst()
        assertTrue(!base.contentEquals(engine.logits(*ids)))
        engine.activate(null)
        engine.rewind(0)
        assertArrayEquals(base, engine.logits(*ids), 0f)
        engine.rewind(0)
        engine.logits(1, 2, 3)
        assertEquals(0, engine.restore(snapshot))
        assertEquals(ids.size, engine.position)
        assertArrayEquals(next, engine.logits(7), 0f)
    }

    @Test
    fun `a context may be filled to its end and no further`() = withEngine(context = 70) { engine ->
        engine.forward(ids)
        refused<ContextException>("71 tokens") { engine.forward(intArrayOf(1)) }
        assertEquals(70, engine.position)
    }

    @Test
    fun `the chip's own graphs are taken, and a phone that has none is told which there are`() {
        withEngine(QnnEngines("SM8650-AC", provider = {})) { assertEquals("qnn", it.name) }
        for (soc in listOf("SM8750P", "Tensor G4", "")) {
            refused<InputException>("sm8650", "'$soc'") { withEngine(QnnEngines(soc, provider = {})) {} }
        }
    }

    @Test
    fun `an ONNX Runtime without the provider is told apart from a bad bundle`() {
        givenUncompiled() // where none is, nothing is refused
        refused<InputException>("flavour 'qnn'") { withEngine(QnnEngines("SM8650")) {} }
    }

    @Test
    fun `graphs of another shape than the bundle says are refused`() {
        val qnn = File(bundle.folder, "qnn")
        val (embedding, prefill, decode) =
            listOf("embedding.onnx", "sm8650/prefill.onnx", "sm8650/decode.onnx").map { File(qnn, it) }
        fun open(vararg files: File, context: Int = 64) =
            QnnEngine.open(files.asList(), bundle.manifest, context, 1) {}.close()
        open(embedding, prefill, decode)
        refused<BundleException>("does not belong") { open(embedding, prefill, prefill) }
        refused<BundleException>("embedding.onnx", "hidden") { open(embedding, embedding, decode) }
        refused<BundleException>("keeps") { open(embedding, prefill, decode, context = 1 shl 20) }
        refused<BundleException>("cannot load") { open(embedding, File(bundle.folder, "names.json"), decode) }
    }
}
