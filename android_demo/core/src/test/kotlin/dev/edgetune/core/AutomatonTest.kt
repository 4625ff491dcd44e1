package dev.edgetune.core

import java.io.File
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class AutomatonTest {
    @get:Rule
    val folder = TemporaryFolder()

    private fun read(change: (LinkedHashMap<String, Written>) -> Unit = {}): Automaton {
        val file = File(folder.root, "grammar.safetensors")
        return Automaton.read(safetensors(file, digitsGrammar().also(change)), 10)
    }

    private fun refused(vararg words: String, change: (LinkedHashMap<String, Written>) -> Unit) =
        assertRefused<BundleException>("grammar.safetensors", *words) { read(change) }

    @Test
    fun `it walks bytes to done, or to the dead state`() {
        val automaton = read()
        val end = automaton.walk(automaton.start, "{\"a\":12}".encodeToByteArray())
        assertEquals(true, automaton.isDone(end))
        assertEquals(DEAD, automaton.walk(automaton.start, "{\"b".encodeToByteArray()))
        assertArrayEquals(intArrayOf(1), automaton.forced(automaton.start))
    }

    @Test
    fun `all tokens are judged at once`() {
        val vocabulary = digitsVocabulary()
        val automaton = read()
        val reached = vocabulary.advance(automaton, 7)
        val each = IntArray(10) { if (vocabulary[it].isEmpty()) DEAD else automaton.walk(7, vocabulary[it]) }
        assertArrayEquals(each, reached)
    }

    @Test
    fun `a target out of range is refused`() =
        refused("leads to a state") { it["transitions"] = u16(List(63) { 9 }, listOf(9, 7)) }

    @Test
    fun `a start out of range is refused`() = refused("leads to a state") { it["start"] = u32(-1) }

    @Test
    fun `a class out of range is refused`() =
        refused("byte_class") { it["byte_class"] = u8(*IntArray(256) { 7 }) }

    @Test
    fun `forced offsets that don't cut are refused`() =
        refused("forced_offsets") { it["forced_offsets"] = u32(0, 9, 1, 1, 1, 1, 1, 1, 1, 1) }

    @Test
    fun `a forced token out of the vocabulary is refused`() =
        refused("token") { it["forced_ids"] = u32(10) }

    @Test
    fun `a grammar that leads to no end is refused`() =
        refused("to an end") { it["distance"] = u32(*IntArray(9) { -1 }) }

    @Test
    fun `a missing array and a wrong type are named`() {
        refused("pending") { it.remove("pending") }
        refused("done is U8") { it["done"] = u8(0, 0, 0, 0, 0, 0, 0, 0, 1) }
        refused("distance has shape") { it["distance"] = u32(0) }
    }
}
