package dev.edgetune.executorch

import dev.edgetune.core.ContextException
import dev.edgetune.core.Engine
import dev.edgetune.core.Snapshot
import dev.edgetune.core.Tensors
import dev.edgetune.core.blob
import dev.edgetune.core.slot
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** The engine answers steps in any order as Python's does (`tests/android/executorch_steps.py`). */
class StepsTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val slots = listOf(slot("layers.0.attn.q_proj", 2, 3), slot("layers.0.mlp.up_proj", 3, 2))

    /** A is all [number], B all 1. */
    private fun full(rank: Int, number: Float, vararg places: Int): Tensors {
        fun filled(rows: Int, columns: Int, with: Float) =
            listOf(rows, columns) to FloatArray(rows * columns) { with }
        val tensors = places.map(slots::get).flatMap { slot ->
            listOf(
                "${slot.name}.lora_A" to filled(slot.inFeatures, rank, number),
                "${slot.name}.lora_B" to filled(rank, slot.outFeatures, 1f),
            )
        }
        return blob(folder.newFile(), tensors.toMap())
    }

    @Test
    fun `every step comes out as in Python`() {
        val engine = ExecutorchEngine(File("model.pte"), SumProgram(slots, 5, 16), 5, 16, 0, slots, maxRank = 2)
        val adapters = mapOf(
            "none" to null,
            "a" to engine.prepare(full(rank = 2, number = 1f, 0)),
            "b" to engine.prepare(full(rank = 1, number = 2f, 0, 1)),
        )
        val snapshots = ArrayList<Snapshot>()
        val lines = checkNotNull(javaClass.getResource("/steps.tsv")).readText().lines().filter { it.isNotEmpty() }
        lines.forEachIndexed { number, line ->
            val (step, given, outcome, position) = line.split('\t')
            val came = when (step) {
                "forward" -> engine.answer(given)
                "activate" -> "".also { engine.activate(adapters.getValue(given)) }
                "rewind" -> "".also { engine.rewind(given.toInt()) }
                "snapshot" -> "".also { snapshots += engine.snapshot() }
                else -> engine.restore(snapshots[given.toInt()]).toString()
            }
            assertEquals("line ${number + 1}: $line", outcome to position, came to engine.position.toString())
        }
    }

    private fun Engine.answer(ids: String): String = try {
        forward(ids.split(' ').map(String::toInt).toIntArray()).get(0).toInt().toString()
    } catch (_: ContextException) {
        "refused"
    }
}
