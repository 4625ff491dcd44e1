package dev.edgetune.core

/** A static prefix shorter than this is prefilled anew: cheaper than keeping a snapshot. */
private const val PREFIX_TOKENS = 16

/** How many prefixes' ids, and snapshots, are kept at the most. */
private const val KEPT_PREFIXES = 32

/** What the kept snapshots may take: each holds the K/V of one prefix under one adapter. */
private const val KEPT_BYTES = 256L shl 20

/**
 * The prompts of one agent in the KV cache of its engine, with what the cache holds or once held of
 * them put to use.
 *
 * A static prefix is kept in a snapshot for each adapter; an activated LoRA leaves what stands before
 * its invocation to the bare base, whose K/V then serve every adapter. It knows nothing of tools,
 * grammars or decoding.
 */
internal class Prefill(
    private val assets: Assets,
    private val engine: Engine,
    private val pool: AdapterPool,
) {
    private class Kept(val snapshot: Snapshot, val tokens: Int)

    private data class Key(val adapterSha256: String, val prefix: String)

    private val prefixes = LinkedHashMap<String, IntArray>(16, 0.75f, true)
    private val snapshots = LinkedHashMap<Key, Kept>(16, 0.75f, true)
    private var baseRead = IntArray(0)

    /** Time that activating adapters took, until it is set to zero. */
    var swapMs = 0.0

    /** Tokens that were prefilled, or are still to be fed, until it is set to zero. */
    var tokens = 0

    /** Where the last prompt ends in the KV cache. */
    var promptEnd = 0
        private set

    /**
     * Bring the KV cache to the beginning of the prompt and bind [adapter].
     *
     * [opening] are the ids with which the call goes on behind the prompt. Returns the prompt's ids
     * that are still to be fed: with an activated LoRA those from its invocation on.
     */
    fun begin(
        adapter: String?,
        prefix: String,
        turns: List<Turn>,
        opening: IntArray = IntArray(0),
        words: Boolean = false,
    ): IntArray {
        val ids = assets.tokenizer.encode(renderPrompt(assets.pieces, prefix, turns, words))
        promptEnd = ids.size
        val invocation = adapter?.let { assets.adapters.getValue(it).invocation } ?: IntArray(0)
        if (invocation.isEmpty()) {
            baseRead = IntArray(0)
            swapMs += pool.activate(adapter)
            return afterStatic(adapter, prefix, ids)
        }
        val place = minOf(invocationPlace(ids + opening, invocation), ids.size)
        readByBase(prefix, ids.copyOf(place))
        val unread = ids.copyOfRange(place, ids.size)
        tokens += unread.size
        swapMs += pool.activate(adapter)
        return unread
    }

    /**
     * Make the KV cache hold [ids] as the bare base reads them.
     *
     * What it read last is kept where [ids] begin with it: the whole prompt at the second stage of a
     * step, the conversation so far at the next step.
     */
    private fun readByBase(prefix: String, ids: IntArray) {
        val known = baseRead.size
        val unread: IntArray
        if (known == 0 || !begins(ids, baseRead) || engine.position < known) {
            baseRead = IntArray(0) // whatever fails below, the cache no longer holds it
            swapMs += pool.activate(null)
            unread = afterStatic(null, prefix, ids)
        } else {
            engine.rewind(known)
            unread = ids.copyOfRange(known, ids.size)
            tokens += unread.size
            if (unread.isNotEmpty()) swapMs += pool.activate(null)
        }
        if (unread.isNotEmpty()) engine.forward(unread)
        baseRead = ids
    }

    /**
     * Make the KV cache hold the static prefix of [ids] alone; the ids after it.
     *
     * It is always cut at the same place, so that a call does not depend on the calls before it.
     */
    private fun afterStatic(adapter: String?, prefix: String, ids: IntArray): IntArray {
        val static = prefixes.getOrPut(prefix) { assets.tokenizer.encode(prefix) }
        prefixes.trim { prefixes.size > KEPT_PREFIXES }
        engine.rewind(0)
        var unread = ids
        if (static.size >= PREFIX_TOKENS && begins(ids, static)) {
            restore(adapter, prefix, static)
            unread = ids.copyOfRange(static.size, ids.size)
        }
        tokens += unread.size
        return unread
    }

    /** Make the KV cache hold [static] under [adapter], from its snapshot where there is one. */
    private fun restore(adapter: String?, prefix: String, static: IntArray) {
        val key = Key(adapter?.let { assets.adapters.getValue(it).sha256 }.orEmpty(), prefix)
        val kept = snapshots[key]
        if (kept != null) {
            tokens += engine.restore(kept.snapshot)
            return
        }
        engine.forward(static)
        tokens += static.size
        snapshots[key] = Kept(engine.snapshot(), static.size)
        val tokenBytes = engine.kvBytes.toDouble() / engine.contextLength
        snapshots.trim {
            val held = snapshots.values.sumOf { it.tokens }
            snapshots.size > 1 && (snapshots.size > KEPT_PREFIXES || held * tokenBytes > KEPT_BYTES)
        }
    }
}

private fun begins(ids: IntArray, with: IntArray): Boolean =
    with.size <= ids.size && with.indices.all { ids[it] == with[it] }

/** Drops what was used longest ago while there [isTooMuch]. */
private fun LinkedHashMap<*, *>.trim(isTooMuch: () -> Boolean) {
    while (isTooMuch()) entries.iterator().apply { next() }.remove()
}
