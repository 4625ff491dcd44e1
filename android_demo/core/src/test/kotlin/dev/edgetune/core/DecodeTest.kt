package dev.edgetune.core

import java.io.File
import kotlin.random.Random
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class DecodeTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val vocabulary = digitsVocabulary()

    private fun grammar(change: (LinkedHashMap<String, Written>) -> Unit = {}): Automaton =
        Automaton.read(safetensors(File(folder.root, "g"), digitsGrammar().also(change)), 10)

    private fun decode(
        engine: Engine,
        automaton: Automaton = grammar(),
        maxTokens: Int = 8,
        spans: Spans = Spans(emptyList(), emptyList()),
        sampler: Sampler = Sampler(0.0, 0),
        wrote: (String, Boolean) -> Unit = { _, _ -> },
    ): Decoded =
        ArgumentsDecoder(engine, automaton, vocabulary, spans, maxTokens, sampler, wrote).decode(intArrayOf(6))

    @Test
    fun `forced text costs no forward pass, and the rest is told as it appears`() {
        val engine = ScriptedEngine(10) { if (it.last() == 1) liking(10, 3 to 9f) else liking(10, 4 to 9f) }
        val told = ArrayList<Pair<String, Boolean>>()
        val decoded = decode(engine) { text, forced -> told.add(text to forced) }
        assertEquals("{\"a\":2}", decoded.text)
        assertEquals("2", decoded.arguments["a"].toString())
        assertEquals(2, engine.forwards)
        assertEquals(2, decoded.decodeSteps)
        assertEquals(listOf("{\"a\":" to true, "2" to false, "}" to false), told)
    }

    @Test
    fun `every call ends within its budget, whatever the logits are`() {
        for (seed in 0 until 50) {
            val random = Random(seed)
            val engine = ScriptedEngine(10) { FloatArray(10) { random.nextFloat() } }
            val decoded = decode(engine, maxTokens = 3 + seed % 5, sampler = Sampler(seed % 3.0, seed.toLong()))
            assertTrue(decoded.text, Regex("\\{\"a\":[12]+}").matches(decoded.text))
            assertTrue(decoded.tokens.size <= 3 + seed % 5)
        }
    }

    @Test
    fun `a budget that cuts what the model wants is told`() {
        val engine = ScriptedEngine(10) { liking(10, 3 to 9f) }
        assertTrue(decode(engine, maxTokens = 4).truncated)
    }

    @Test
    fun `what cannot fit is refused before anything is decoded`() {
        val engine = ScriptedEngine(10) { FloatArray(10) }
        assertRefused<InputException>("maxTokens", "2 tokens") { decode(engine, maxTokens = 2) }
        val small = ScriptedEngine(10, contextLength = 4) { FloatArray(10) }
        assertRefused<ContextException>("context of 4") { decode(small) }
        assertEquals(0, engine.forwards + small.forwards)
    }

    @Test
    fun `a grammar that lies about its ends is refused, and never goes on for ever`() {
        // State 7 says that it is one token from its end, and leads only to itself.
        val engine = ScriptedEngine(10) { liking(10, 3 to 9f) }
        val lying = grammar { arrays ->
            val table = digitsGrammar().getValue("transitions")
            val bytes = table.bytes.copyOf()
            bytes[2 * (7 * 7 + 6)] = 7
            arrays["transitions"] = Written("U16", table.shape, bytes)
        }
        assertRefused<BundleException>("no end") { decode(engine, lying) }
    }

    @Test
    fun `a grammar that ends before an object is whole is refused`() {
        val engine = ScriptedEngine(10) { liking(10, 3 to 9f) }
        val early = grammar { it["done"] = bools(*BooleanArray(9) { state -> state == 7 || state == 8 }) }
        assertRefused<BundleException>("grammars") { decode(engine, early) }
        val empty = grammar { it["done"] = bools(*BooleanArray(9) { state -> state == 1 }) }
        assertRefused<BundleException>("grammars") { decode(engine, empty) }
    }

    @Test
    fun `a grammar that forces what has no bytes ends within its budget`() {
        val engine = ScriptedEngine(10) { liking(10, 3 to 9f) }
        val idle = grammar {
            it["forced_offsets"] = u32(0, 0, 1, 1, 1, 1, 1, 1, 2, 2)
            it["forced_ids"] = u32(1, 0)
        }
        assertTrue(decode(engine, idle, maxTokens = 8).tokens.size <= 8)
    }

    @Test
    fun `a copied value goes on only as what was said goes on`() {
        val spans = Spans(listOf(Turn.User("a 12")), listOf("a"))
        assertTrue(spans.admits("{\"a\":".encodeToByteArray(), "\"1".encodeToByteArray()))
        assertEquals(false, spans.admits("{\"a\":\"1".encodeToByteArray(), "3".encodeToByteArray()))
        assertEquals(false, spans.admits("{\"a\":\"1".encodeToByteArray(), "\"".encodeToByteArray()))
        assertTrue(spans.admits("{\"a\":\"1".encodeToByteArray(), "2\"".encodeToByteArray()))
        assertTrue(spans.admits("{\"b\":\"1".encodeToByteArray(), "3".encodeToByteArray()))
    }

    @Test
    fun `the same seed samples the same tokens, another one others`() {
        fun texts(seed: Long) = List(20) {
            val engine = ScriptedEngine(10) { FloatArray(10) }
            decode(engine, sampler = Sampler(1.0, seed + it)).text
        }
        assertEquals(texts(1), texts(1))
        assertTrue(texts(1).toSet().size > 1)
    }

    @Test
    fun `words come when all their bytes are there, and end where the model ends them`() {
        val tokens = listOf("h", "\u00e9", "\u00e9", "").map { it.encodeToByteArray() }.toTypedArray()
        tokens[1] = tokens[1].copyOf(1)
        tokens[2] = tokens[2].copyOfRange(1, 2)
        val script = listOf(0, 1, 2, 3)
        val engine = ScriptedEngine(4) { liking(4, script[it.size - 1] to 9f) }
        val said = ArrayList<String>()
        WordWriter(engine, Vocabulary(tokens), setOf(3)).write(intArrayOf(0), 9, Sampler(0.0, 0), said::add)
        assertEquals(listOf("h", "é"), said)
    }
}
