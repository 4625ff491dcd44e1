package dev.edgetune.onnx

import com.sun.management.ThreadMXBean
import dev.edgetune.core.Agent
import dev.edgetune.core.Options
import dev.edgetune.core.Turn
import dev.edgetune.core.openEngine
import java.lang.management.BufferPoolMXBean
import java.lang.management.ManagementFactory
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Test

/** After the first call of a run, a step takes nothing that grows with the vocabulary or a blob. */
class AllocationTest {
    private val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
    private val direct =
        ManagementFactory.getPlatformMXBeans(BufferPoolMXBean::class.java).first { it.name == "direct" }

    @Test
    fun `a warm step allocates no array of the vocabulary's size and no buffer of a blob's`() {
        val vocabulary = 4L * givenBundle.manifest.base.vocabSize
        assumeTrue("a vocabulary as small as a list of inputs", vocabulary > (1 shl 14) - 1024)
        Agent(givenBundle, givenBundle.openEngine(OnnxEngines, threads = 1)).use { agent ->
            val turns = listOf(Turn.User("set a timer for 5 minutes"))
            val options = Options(maxTokens = 64)
            repeat(3) { agent.step(turns, options = options) }
            val held = direct.memoryUsed
            var forwards = 0
            val before = threads.currentThreadAllocatedBytes
            repeat(STEPS) { forwards += agent.step(turns, options = options).timing.decodeSteps + 2 }
            val each = (threads.currentThreadAllocatedBytes - before) / forwards
            val grown = (direct.memoryUsed - held) / STEPS
            val blob = givenBundle.manifest.files.filter { it.path.startsWith("adapters/") }.minOf { it.bytes }
            println("warm: $each bytes a forward pass on the heap, $grown direct ones a step")
            assertTrue("$each bytes a forward pass, $vocabulary in an array of the vocabulary", each < vocabulary)
            assertTrue("$grown direct bytes a step, a blob has $blob", grown < blob)
        }
    }

    private companion object {
        const val STEPS = 20
    }
}
