package dev.edgetune.core

import java.io.File

/**
 * The bytes behind each token id, so that a grammar over bytes can judge all tokens at once.
 *
 * Added tokens (special or not: chat marks, `<tool_call>`) have no bytes here, so that no grammar ever
 * lets one into a call's arguments. It knows neither logits nor what a grammar is for.
 */
internal class Vocabulary(private val tokens: Array<ByteArray>) {
    val size: Int get() = tokens.size

    /** `[n]`: the token ids that stand for text, ascending. */
    val textIds: IntArray = tokens.indices.filter { tokens[it].isNotEmpty() }.toIntArray()

    /** The text ids ordered by their bytes, so that neighbours share what they begin with. */
    private val sorted: IntArray =
        textIds.sortedWith { a, b -> compare(tokens[a], tokens[b]) }.toIntArray()

    /** `[n]`: how many bytes each of [sorted] shares with the one before it. */
    private val shared: IntArray = IntArray(sorted.size) { index ->
        if (index == 0) 0 else sharedLength(tokens[sorted[index - 1]], tokens[sorted[index]])
    }

    private val path = IntArray((tokens.maxOfOrNull { it.size } ?: 0) + 1)
    private val reached = IntArray(size)

    /** The bytes of one token id, none for an added token. */
    operator fun get(token: Int): ByteArray = tokens[token]

    /** The bytes of all [ids] in a row. */
    fun text(ids: IntArray): ByteArray {
        val text = ByteArray(ids.sumOf { tokens[it].size })
        var at = 0
        for (id in ids) {
            tokens[id].copyInto(text, at)
            at += tokens[id].size
        }
        return text
    }

    /**
     * `[V]`: the state of [automaton] after each token's bytes, [DEAD] where it is not allowed.
     *
     * The array is this vocabulary's own and holds until the next call. Tokens without bytes are dead:
     * they would be a step that goes nowhere. What neighbours begin with is walked once.
     */
    fun advance(automaton: Automaton, state: Int): IntArray {
        path[0] = state
        var walked = 0
        for (index in sorted.indices) {
            val id = sorted[index]
            val token = tokens[id]
            var at = minOf(walked, shared[index])
            var current = path[at]
            while (at < token.size && current != DEAD) {
                current = automaton.step(current, token[at])
                path[++at] = current
            }
            walked = at
            reached[id] = current
        }
        return reached
    }

    companion object {
        /** What is in [file]. Throws [BundleException] where it is damaged or another kind. */
        fun read(file: File): Vocabulary {
            val arrays = readSafetensors(file, "vocabulary").tensors
            val flat = arrays["bytes"]
            val lengths = arrays["lengths"]
            val kinds = listOf(flat, lengths).map { it?.type to it?.shape?.size }
            val cut = lengths?.takeIf { kinds == listOf("U8" to 1, "U32" to 1) }?.ints()
            if (flat == null || cut == null || cut.sumOf(Int::toLong) != flat.size.toLong()) {
                throw BundleException(
                    "$file: not a valid vocabulary: 'lengths' do not cut 'bytes' into tokens; export " +
                        "the bundle again.",
                )
            }
            val text = bytes(flat.data)
            var at = 0
            return Vocabulary(Array(cut.size) { text.copyOfRange(at, at + cut[it]).also { at += it.size } })
        }
    }
}

private fun compare(a: ByteArray, b: ByteArray): Int {
    val shared = sharedLength(a, b)
    if (shared == minOf(a.size, b.size)) return a.size - b.size
    return (a[shared].toInt() and 0xff) - (b[shared].toInt() and 0xff)
}

private fun sharedLength(a: ByteArray, b: ByteArray): Int {
    var length = 0
    while (length < a.size && length < b.size && a[length] == b[length]) length++
    return length
}
