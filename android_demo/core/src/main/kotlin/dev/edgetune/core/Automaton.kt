package dev.edgetune.core

import java.io.File
import java.nio.ByteBuffer

/** The state that no text leads out of. */
internal const val DEAD: Int = 0

/** The distance of a state from which no sequence of tokens reaches a done state. */
internal const val UNREACHABLE: Int = Int.MAX_VALUE

private val TYPES = mapOf(
    "byte_class" to listOf("U8"),
    "transitions" to listOf("U16", "U32"),
    "start" to listOf("U32"),
    "done" to listOf("BOOL"),
    "distance" to listOf("U32"),
    "forced_offsets" to listOf("U32"),
    "forced_ids" to listOf("U32"),
    "opening_ids" to listOf("U32"),
    "pending" to listOf("U8"),
)

/**
 * A tool's grammar as data: the language `pending` + arguments object + the text of the call's close,
 * over bytes.
 *
 * S states, of which 0 is dead; C classes of bytes that no state tells apart. It knows bytes, states
 * and the few token ids that the compiler worked out; no tokenizer, no schema and no logits.
 */
internal class Automaton private constructor(
    private val byteClass: ByteArray,
    /** `[S * C]`: the state after a byte of a class. */
    private val transitions: IntArray,
    private val classes: Int,
    val start: Int,
    private val done: BooleanArray,
    /** `[S]`: the fewest tokens to a done state, [UNREACHABLE] where there is none. */
    val distance: IntArray,
    private val forcedOffsets: IntArray,
    private val forcedIds: IntArray,
    /** Token ids from the invocation on that are the same whatever the arguments are. */
    val openingIds: IntArray,
    /** The text of the opening that [openingIds] do not cover; the language starts with it. */
    val pending: ByteArray,
) {
    /** The arguments object is closed in [state]; nothing more needs decoding. */
    fun isDone(state: Int): Boolean = done[state]

    /** The state after one byte. */
    fun step(state: Int, byte: Byte): Int =
        transitions[state * classes + (byteClass[byte.toInt() and 0xff].toInt() and 0xff)]

    /** The state after all bytes of [text], [DEAD] as soon as one is not allowed. */
    fun walk(state: Int, text: ByteArray): Int = text.fold(state, ::step)

    /** The token ids that [state] may commit without a decode step. */
    fun forced(state: Int): IntArray =
        forcedIds.copyOfRange(forcedOffsets[state], forcedOffsets[state + 1])

    companion object {
        /**
         * The automaton in [file], whose token ids are below [vocabularySize].
         *
         * Walking a wrong one would index out of it or never end, so everything is held against its
         * shape first. Throws [BundleException].
         */
        fun read(file: File, vocabularySize: Int): Automaton {
            val arrays = readSafetensors(file, "grammar").tensors
            val problem = problem(arrays, vocabularySize)
            if (problem != null) {
                throw BundleException("$file: not a valid grammar, $problem; export the bundle again.")
            }
            val automaton = Automaton(
                bytes(arrays.getValue("byte_class").data),
                arrays.getValue("transitions").ints(),
                arrays.getValue("transitions").shape[1],
                arrays.getValue("start").ints()[0],
                bytes(arrays.getValue("done").data).map { it.toInt() != 0 }.toBooleanArray(),
                arrays.getValue("distance").ints(),
                arrays.getValue("forced_offsets").ints(),
                arrays.getValue("forced_ids").ints(),
                arrays.getValue("opening_ids").ints(),
                bytes(arrays.getValue("pending").data),
            )
            if (automaton.distance[automaton.start] == UNREACHABLE) {
                throw BundleException(
                    "$file: not a valid grammar, nothing leads from its start to an end; export the " +
                        "bundle again.",
                )
            }
            return automaton
        }
    }
}

private fun problem(arrays: Tensors, vocabularySize: Int): String? {
    if (arrays.keys != TYPES.keys) {
        return "its arrays are ${arrays.keys.sorted()} where ${TYPES.keys.sorted()} were expected"
    }
    for ((name, types) in TYPES) {
        val type = arrays.getValue(name).type
        if (type !in types) return "$name is $type where ${types.joinToString(" or ")} was expected"
    }
    val table = arrays.getValue("transitions")
    if (table.shape.size != 2 || 0 in table.shape) {
        return "transitions has shape ${table.shape} where [states, classes] was expected"
    }
    val (states, classes) = table.shape
    val shapes = mapOf(
        "byte_class" to 256,
        "start" to 1,
        "done" to states,
        "distance" to states,
        "forced_offsets" to states + 1,
    )
    for ((name, length) in shapes) {
        val shape = arrays.getValue(name).shape
        if (shape != listOf(length)) return "$name has shape $shape where [$length] was expected"
    }
    val offsets = arrays.getValue("forced_offsets").ints()
    val forced = arrays.getValue("forced_ids").ints()
    val rising = (0 until states).all { offsets[it] <= offsets[it + 1] }
    if (offsets.first() != 0 || offsets.last() != forced.size || !rising) {
        return "forced_offsets do not cut forced_ids into one piece per state"
    }
    val leadsTo = table.ints() + arrays.getValue("start").ints()
    if (leadsTo.any { it < 0 || it >= states }) {
        return "it leads to a state that is not among its $states"
    }
    if (bytes(arrays.getValue("byte_class").data).any { (it.toInt() and 0xff) >= classes }) {
        return "byte_class names a class that is not among its $classes"
    }
    if ((forced + arrays.getValue("opening_ids").ints()).any { it < 0 || it >= vocabularySize }) {
        return "it has a token that is not among the vocabulary's $vocabularySize"
    }
    return null
}

/** Unsigned numbers of 16 or 32 bits; those beyond `Int` become [UNREACHABLE]. */
internal fun Tensor.ints(): IntArray = IntArray(size) { index ->
    when (type) {
        "U16" -> data.getShort(2 * index).toInt() and 0xffff
        else -> data.getInt(4 * index).let { if (it < 0) UNREACHABLE else it }
    }
}

internal fun bytes(data: ByteBuffer): ByteArray = ByteArray(data.capacity()).also {
    val from = data.duplicate()
    from.clear()
    from.get(it)
}
