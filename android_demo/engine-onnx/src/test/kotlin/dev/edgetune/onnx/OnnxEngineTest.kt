package dev.edgetune.onnx

import ai.onnxruntime.OrtLoraAdapter
import dev.edgetune.core.AdapterException
import dev.edgetune.core.ContextException
import dev.edgetune.core.Engine
import dev.edgetune.core.Tensors
import dev.edgetune.core.openEngine
import java.io.File
import kotlin.math.abs
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assume.assumeTrue
import org.junit.Test

class OnnxEngineTest {
    private val ids = intArrayOf(20, 300, 41, 250, 62)

    private fun <T> withEngine(context: Int? = 64, work: (Engine) -> T): T =
        givenBundle.openEngine(OnnxEngines, threads = 1, contextLength = context).use(work)

    private fun Engine.logits(vararg ids: Int): FloatArray =
        FloatArray(vocabSize).also { forward(ids).duplicate().get(it) }

    private fun firstBlob(): Tensors = givenBundle.tensors(givenBundle.manifest.adapters.first())

    @Test
    fun `a swap there and back is bit-identical`() = withEngine { engine ->
        val base = engine.logits(*ids)
        val adapter = engine.prepare(firstBlob())
        engine.activate(adapter)
        engine.rewind(0)
        val adapted = engine.logits(*ids)
        assertFalse(base.contentEquals(adapted))
        engine.activate(null)
        engine.rewind(0)
        assertArrayEquals(base, engine.logits(*ids), 0f)
        engine.activate(adapter)
        engine.rewind(0)
        assertArrayEquals(adapted, engine.logits(*ids), 0f)
    }

    @Test
    fun `a restored snapshot goes on as the cache did`() = withEngine { engine ->
        engine.forward(ids)
        val snapshot = engine.snapshot()
        val expected = engine.logits(7)
        engine.rewind(0)
        engine.forward(intArrayOf(1, 2, 3, 4, 5, 6, 7))
        assertEquals(0, engine.restore(snapshot))
        assertEquals(ids.size, engine.position)
        assertArrayEquals(expected, engine.logits(7), 0f)
    }

    @Test
    fun `an adapter composed in memory does what the pushed file does`() = withEngine { engine ->
        val about = givenBundle.manifest.adapters.first()
        val path = about.onnxAdapter
        assumeTrue("the bundle has no .onnx_adapter files", path != null)
        engine.activate(engine.prepare(firstBlob()))
        val composed = engine.logits(*ids)
        val pushed = OrtLoraAdapter.create(File(givenBundle.folder, path!!).path)
        engine.rewind(0)
        engine.activate((engine as OnnxEngine).take(pushed, 0))
        val expected = engine.logits(*ids)
        // The pushed file has float32, from which a blob of float16 was rounded.
        val isRounded = about.dtype == "float16"
        assertArrayEquals(expected, composed, if (isRounded) 0.01f * expected.maxOf(::abs) else 0f)
    }

    @Test
    fun `more tokens than the context holds are refused, and nothing is forgotten`() = withEngine(4) { engine ->
        engine.forward(intArrayOf(1, 2, 3))
        assertThrows(ContextException::class.java) { engine.forward(intArrayOf(4, 5)) }
        assertEquals(3, engine.position)
    }

    @Test
    fun `tensors that do not fit are refused by name`() = withEngine { engine ->
        val name = firstBlob().keys.first()
        val half = mapOf(name to firstBlob().getValue(name))
        val error = assertThrows(AdapterException::class.java) { engine.prepare(half) }
        assertEquals(true, name in error.message)
    }
}
