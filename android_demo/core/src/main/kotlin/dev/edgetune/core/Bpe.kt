package dev.edgetune.core

import java.util.PriorityQueue
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonPrimitive

/**
 * Byte-pair encoding over the bytes of one word (Sennrich et al. 2016): of all neighbours the pair
 * that was learnt first is joined, leftmost first, until none is left that was learnt.
 */
internal class Bpe(
    val ids: Set<Int>,
    /** `[256]`: the id of each byte alone, -1 where it has none. */
    private val byteIds: IntArray,
    private val merges: PairTable,
    /** Words that are taken whole, whatever their merges would give; null where there are none. */
    private val whole: Map<String, Int>?,
) {
    /** How many ids the model has. */
    val size: Int get() = ids.size

    operator fun contains(id: Int): Boolean = id in ids

    /** Adds the ids of [word] to [into]. */
    fun encode(word: String, into: IntList) {
        val text = word.encodeToByteArray()
        val known = whole?.get(text.joinToString("") { byteChar(it).toString() })
        if (known != null) {
            into.add(known)
            return
        }
        val symbols = IntArray(text.size)
        var count = 0
        for (byte in text) {
            val id = byteIds[byte.toInt() and 0xff]
            if (id >= 0) symbols[count++] = id
        }
        merge(symbols, count)
        for (place in 0 until count) if (symbols[place] >= 0) into.add(symbols[place])
    }

    /** Joins in place; a symbol that went into the one before it becomes -1. */
    private fun merge(symbols: IntArray, count: Int) {
        val next = IntArray(count) { it + 1 }
        val before = IntArray(count) { it - 1 }
        val queue = PriorityQueue<Long>()
        fun propose(place: Int) {
            if (place < 0 || next[place] >= count) return
            val rank = merges.rank(symbols[place], symbols[next[place]])
            if (rank >= 0) queue.add(rank.toLong() shl Int.SIZE_BITS or place.toLong())
        }
        for (place in 0 until count - 1) propose(place)
        while (true) {
            val top = queue.poll() ?: return
            val place = top.toInt()
            val right = next[place]
            if (symbols[place] < 0 || right >= count) continue
            val rank = (top ushr Int.SIZE_BITS).toInt()
            if (merges.rank(symbols[place], symbols[right]) != rank) continue
            symbols[place] = merges.joined(rank)
            symbols[right] = -1
            next[place] = next[right]
            if (next[place] < count) before[next[place]] = place
            propose(before[place])
            propose(place)
        }
    }
}

/**
 * The `model` of `tokenizer.json`. Throws IllegalArgumentException for another kind than plain BPE over
 * bytes.
 */
internal fun Fields.bpe(): Bpe {
    val type = ifThere("type", ::text) ?: "BPE"
    kotlin.require(type == "BPE") { "its model is $type" }
    for (key in listOf("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")) {
        val found = ifThere(key, ::element)
        kotlin.require(found == null || found == JsonPrimitive("")) { "its model has '$key' $found" }
    }
    kotlin.require(ifThere("byte_fallback", ::flag) != true) { "its model falls back to bytes" }
    val vocabulary = map("vocab") { int(it) }
    fun id(token: String) = requireNotNull(vocabulary[token]) { "its merges need '$token'" }
    val pairs = element("merges") as? JsonArray ?: JsonArray(emptyList())
    val merges = PairTable(pairs.size)
    for (pair in pairs) {
        val (left, right) = sides(pair)
        merges.add(id(left), id(right), id(left + right))
    }
    val byteIds = IntArray(256) { vocabulary[byteChar(it.toByte()).toString()] ?: -1 }
    val whole = vocabulary.takeIf { ifThere("ignore_merges", ::flag) == true }
    return Bpe(vocabulary.values.toSet(), byteIds, merges, whole)
}

private fun sides(pair: JsonElement): List<String> {
    val found = when (pair) {
        is JsonArray -> pair.map { (it as? JsonPrimitive)?.content.orEmpty() }
        is JsonPrimitive -> pair.content.split(' ')
        else -> emptyList()
    }
    require(found.size == 2) { "a merge of it is no pair" }
    return found
}

/** Pairs of ids to the order in which they were learnt: one flat table with open addressing. */
internal class PairTable(count: Int) {
    private val capacity = Integer.highestOneBit(maxOf(count, 4)) * 4
    private val keys = LongArray(capacity) { EMPTY }
    private val ranks = IntArray(capacity)
    private val results = IntArray(count)
    private var added = 0

    /** The next pair; where one is given twice, the later rank counts. */
    fun add(left: Int, right: Int, joined: Int) {
        val place = place(left, right)
        keys[place] = key(left, right)
        ranks[place] = added
        results[added++] = joined
    }

    /** When the pair was learnt, -1 where it never was. */
    fun rank(left: Int, right: Int): Int {
        val place = place(left, right)
        return if (keys[place] == EMPTY) -1 else ranks[place]
    }

    /** What the pair of this rank makes. */
    fun joined(rank: Int): Int = results[rank]

    private fun key(left: Int, right: Int) = left.toLong() shl Int.SIZE_BITS or right.toLong()

    private fun place(left: Int, right: Int): Int {
        val key = key(left, right)
        var place = (key * SPREAD ushr 32).toInt() and (capacity - 1)
        while (keys[place] != key && keys[place] != EMPTY) place = (place + 1) and (capacity - 1)
        return place
    }

    private companion object {
        const val EMPTY = -1L
        const val SPREAD = -7046029254386353131L // 2^64 / golden ratio: neighbours land far apart
    }
}

/** The character by which `tokenizer.json` writes a byte: itself where it can be seen (GPT-2). */
internal fun byteChar(byte: Byte): Char = BYTE_CHARS[byte.toInt() and 0xff]

private val BYTE_CHARS = CharArray(256).also { table ->
    var hidden = 0
    for (byte in 0..255) {
        val seen = byte in 0x21..0x7E || byte in 0xA1..0xAC || byte in 0xAE..0xFF
        table[byte] = if (seen) byte.toChar() else (256 + hidden++).toChar()
    }
}
