package dev.edgetune.core

import java.nio.ByteBuffer
import java.nio.CharBuffer
import java.nio.charset.CodingErrorAction

/**
 * Free words: what a model says after a prompt, until it ends its turn.
 *
 * Only text and [endTokens] are allowed: no added token, so no call can begin.
 */
internal class WordWriter(
    private val engine: Engine,
    private val vocabulary: Vocabulary,
    private val endTokens: Set<Int>,
) {
    private val allowed: IntArray = (vocabulary.textIds.asList() + endTokens).distinct().sorted()
        .filter { it in 0 until engine.vocabSize }.toIntArray()

    /**
     * Writes after [prompt], telling [said] each piece as it appears, a character once all its bytes
     * are there.
     *
     * Stops after [maxTokens] tokens, or where the context is full. Throws [ContextException] where
     * the prompt does not fit the context.
     */
    fun write(prompt: IntArray, maxTokens: Int, sampler: Sampler, said: (String) -> Unit) {
        val pieces = Utf8Pieces()
        var unfed = prompt
        val room = engine.contextLength - engine.position - unfed.size + 1
        for (count in 0 until maxOf(1, minOf(maxTokens, room))) { // without room, `forward` says so
            val logits = engine.forward(unfed)
            sampler.next()
            var token = allowed[0]
            var most = sampler.score(logits, token)
            for (id in allowed) {
                val score = sampler.score(logits, id)
                if (score > most) {
                    token = id
                    most = score
                }
            }
            if (token in endTokens) break
            val bytes = vocabulary[token]
            pieces.add(bytes, 0, bytes.size).let { if (it.isNotEmpty()) said(it) }
            unfed = intArrayOf(token)
        }
        pieces.end().let { if (it.isNotEmpty()) said(it) }
    }
}

/** UTF-8 that comes in pieces, as text: a character is given once all its bytes are there. */
internal class Utf8Pieces {
    private val decoder = Charsets.UTF_8.newDecoder()
        .onMalformedInput(CodingErrorAction.REPLACE)
        .onUnmappableCharacter(CodingErrorAction.REPLACE)
    private var rest = ByteArray(0)

    fun add(bytes: ByteArray, from: Int, to: Int): String = decode(bytes.copyOfRange(from, to), last = false)

    /** What was begun and is not going to be finished. */
    fun end(): String = decode(ByteArray(0), last = true)

    private fun decode(more: ByteArray, last: Boolean): String {
        val input = ByteBuffer.wrap(rest + more)
        val output = CharBuffer.allocate(input.remaining() + 1)
        decoder.reset()
        decoder.decode(input, output, last)
        rest = ByteArray(input.remaining()).also(input::get)
        return output.flip().toString()
    }
}
