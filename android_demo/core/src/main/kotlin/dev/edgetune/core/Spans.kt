package dev.edgetune.core

/**
 * The spans of whole words in what was said in some turns, as values of the parameters [keys].
 *
 * A small model that writes a name letter by letter can slip from one that it read into one that it
 * knows. Where a parameter is known to be copied, its value may only go on as some span of whole words
 * goes on in what was said. It knows texts and keys, neither token ids nor logits.
 */
internal class Spans(turns: List<Turn>, keys: Collection<String>) {
    private val keys = keys.map { escaped(it).encodeToByteArray() }
    private val sources = if (keys.isEmpty()) emptyList() else turns.mapNotNull(::said).map(::Source)

    /** No value is copied: every token is admitted. */
    val isFree: Boolean get() = keys.isEmpty()

    /**
     * Whether copied values stay spans, or beginnings of spans, when [token] is written.
     *
     * [written] is an arguments object's JSON text as far as it goes. A value that was no span before
     * stays free, so that a schema that allows none is no dead end.
     */
    fun admits(written: ByteArray, token: ByteArray): Boolean {
        if (isFree) return true
        val text = written + token
        var admitted = true
        forEachValue(text) { key, start, end, closed ->
            if (admitted && end >= written.size && keys.any { it.contentEquals(key) }) {
                val now = text.copyOfRange(start, end)
                val before = written.copyOfRange(minOf(start, written.size), written.size)
                admitted = isSpan(now, closed) || !isSpan(before, closed = false)
            }
        }
        return admitted
    }

    private fun isSpan(value: ByteArray, closed: Boolean) = sources.any { it.has(value, closed) }
}

private fun said(turn: Turn): String? = when (turn) {
    is Turn.User -> turn.text
    is Turn.Result -> turn.text
    else -> null
}

/** A text as it would stand in a JSON string, with the places where spans may begin and end. */
private class Source(said: String) {
    private val text: ByteArray
    private val starts = HashSet<Int>()
    private val ends = HashSet<Int>()

    init {
        val codes = said.codePoints().toArray().dropLastWhile(::isBlank)
        val whole = StringBuilder()
        var at = 0
        codes.forEachIndexed { index, code ->
            val inside = index > 0 && isWord(codes[index - 1]) && isWord(code)
            if (index > 0 && !inside && !isBlank(codes[index - 1])) ends.add(at)
            if (!inside && !isBlank(code)) starts.add(at)
            val written = escaped(String(Character.toChars(code)))
            whole.append(written)
            at += written.encodeToByteArray().size
        }
        ends.add(at)
        text = whole.toString().encodeToByteArray()
    }

    /** Whether a span is [value], or begins with it where it is not [closed]. */
    fun has(value: ByteArray, closed: Boolean): Boolean {
        if (closed && value.isEmpty()) return false
        return starts.any { start ->
            start + value.size <= text.size &&
                (!closed || start + value.size in ends) &&
                value.indices.all { text[start + it] == value[it] }
        }
    }
}

/** Letters, digits, the underscore, and the marks that are part of the letter before them. */
private fun isWord(code: Int): Boolean = when (Character.getType(code).toByte()) {
    Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.COMBINING_SPACING_MARK,
    Character.LETTER_NUMBER, Character.OTHER_NUMBER,
    -> true
    else -> Character.isLetterOrDigit(code) || code == '_'.code
}

/** Unicode's White_Space, and the separators that Python counts among it. */
private fun isBlank(code: Int): Boolean = isSpace(code) || code in 0x1C..0x1F

/**
 * The string values of the outermost object of a JSON text that may still go on: for each its key,
 * where it begins and ends between its quotes, and whether it is closed.
 */
private inline fun forEachValue(
    text: ByteArray,
    each: (key: ByteArray, start: Int, end: Int, closed: Boolean) -> Unit,
) {
    var depth = 0
    var key: ByteArray? = null
    var at = 0
    while (at < text.size) {
        when (text[at++].toInt().toChar()) {
            '{', '[' -> depth++
            '}', ']' -> depth--
            ',' -> if (depth == 1) key = null
            '"' -> {
                val start = at
                while (at < text.size && text[at] != '"'.code.toByte()) {
                    if (text[at] == '\\'.code.toByte()) {
                        if (at + 1 == text.size) break
                        at++
                    }
                    at++
                }
                val closed = at < text.size && text[at] == '"'.code.toByte()
                val end = at
                if (closed) at++
                val known = key
                if (depth == 1 && known == null) {
                    key = text.copyOfRange(start, end)
                } else if (depth == 1 && known != null) {
                    each(known, start, if (closed) end else text.size, closed)
                }
            }
        }
    }
}
