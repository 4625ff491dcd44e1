package dev.edgetune.core

import kotlin.math.exp
import org.junit.Assert.assertEquals
import org.junit.Test

class SelectTest {
    /** `a` after 1; `b` after 2 4, `c` after 2 5; all behind the opening 0. */
    private val trie = NameTrie(
        listOf("a", "b", "c"),
        intArrayOf(0),
        listOf(
            Branch(intArrayOf(), intArrayOf(1, 2), listOf("a", null), intArrayOf(-1, 1)),
            Branch(intArrayOf(2, 3), intArrayOf(4, 5), listOf("b", "c"), intArrayOf(-1, -1)),
        ),
    )

    @Test
    fun `one forward decides where the first branch is enough`() {
        val engine = ScriptedEngine(6) { liking(6, 1 to 3f) }
        val found = select(engine, trie)
        assertEquals("a", found.name)
        assertEquals(1, engine.forwards)
        assertEquals(false, found.exact)
    }

    @Test
    fun `exact probabilities sum to one`() {
        val engine = ScriptedEngine(6) { liking(6, 1 to 1f, 4 to 2f) }
        val found = select(engine, trie, exact = true)
        assertEquals(1.0, found.probabilities.values.sum(), 1e-12)
        assertEquals(exp(1.0) / (exp(1.0) + 1), found.probabilities.getValue("a"), 1e-9)
        assertEquals(2, engine.forwards)
    }

    @Test
    fun `a name behind two branches wins where a greedy descent would miss it`() {
        // 2 has the larger mass, but b and c share it evenly.
        val engine = ScriptedEngine(6) { liking(6, 2 to 0.5f) }
        assertEquals("a", select(engine, trie).name)
    }

    @Test
    fun `a temperature changes what is told, not what is chosen`() {
        val engine = ScriptedEngine(6) { liking(6, 1 to 2f) }
        val warm = select(engine, trie, temperature = 4.0)
        engine.rewind(0)
        val plain = select(engine, trie)
        assertEquals(plain.name, warm.name)
        assertEquals(exp(0.5) / (exp(0.5) + 1), warm.probability, 1e-6)
    }

    @Test
    fun `one name needs no model`() {
        val engine = ScriptedEngine(6) { FloatArray(6) }
        val only = NameTrie(listOf("a"), intArrayOf(0, 1), emptyList())
        assertEquals(1.0, select(engine, only).probability, 0.0)
        assertEquals(0, engine.forwards)
    }
}
