package dev.edgetune.core

import java.io.File
import kotlinx.serialization.json.JsonObject

/** Who is to blame where what was written is no object: all of them, since a decoder knows no files. */
private val GRAMMARS = File("grammars")

/** The arguments of one call. */
internal class Decoded(
    val arguments: JsonObject,
    /** The JSON text of [arguments] as the model wrote it. */
    val text: String,
    /** What was decoded after the opening, forced tokens included. */
    val tokens: IntArray,
    /** Forward passes that a decision waited for, the prefill's among them. */
    val decodeSteps: Int,
    /** Tokens that needed no decision, those of the opening included. */
    val forcedTokens: Int,
    /** The token budget forbade what the model wanted, or left it no choice: a value may be cut. */
    val truncated: Boolean,
)

/** The arguments of a tool without parameters: known without the model. */
internal val NOTHING_DECODED: Decoded =
    Decoded(JsonObject(emptyMap()), NO_ARGUMENTS, IntArray(0), 0, 0, false)

/**
 * The arguments object that the model writes after a prompt and the opening of an [automaton].
 *
 * Only tokens from which the object can still be closed within [maxTokens] are allowed, so every
 * result is complete and satisfies the schema, whatever the logits are. Forced tokens are fed with the
 * token before them; a forward pass is made only before a real decision. One object, one call.
 */
internal class ArgumentsDecoder(
    private val engine: Engine,
    private val automaton: Automaton,
    private val vocabulary: Vocabulary,
    /** What copied values are held to, as far as the schema and [maxTokens] let them. */
    private val spans: Spans,
    private val maxTokens: Int,
    private val sampler: Sampler,
    /** Is told each piece of the object as it appears, and whether it was forced. */
    private val wrote: (text: String, forced: Boolean) -> Unit = { _, _ -> },
) {
    private val unfed = IntList()
    private val tokens = IntList()
    private val written = WrittenObject(automaton)
    private var state = automaton.start
    private var left = 0
    private var steps = 0
    private var truncated = false

    /**
     * Decodes; [prompt] are ids to feed first.
     *
     * Throws [InputException] where the shortest object takes more than [maxTokens] tokens,
     * [ContextException] where it does not fit the context, [BundleException] where the grammar leads
     * to no end, against its own word, or to what is no object.
     */
    fun decode(prompt: IntArray): Decoded {
        unfed.addAll(prompt)
        unfed.addAll(automaton.openingIds)
        requireRoom()
        while (!automaton.isDone(state)) if (!force()) decide()
        val text = written.text()
        return Decoded(
            parseJson(text.encodeToByteArray(), GRAMMARS) as? JsonObject ?: throw BundleException(
                "$GRAMMARS: one writes '${text.take(60)}' where an object was expected; export the bundle again.",
            ),
            text,
            tokens.toIntArray(),
            steps,
            automaton.openingIds.size + tokens.size - steps,
            truncated,
        )
    }

    private fun requireRoom() {
        val room = engine.contextLength - engine.position - unfed.size
        left = minOf(maxTokens, room)
        val shortest = automaton.distance[state]
        if (left >= shortest) return
        val sentence = "maxTokens: $left tokens are left for the arguments ($maxTokens asked for, in a " +
            "context of ${engine.contextLength}), but the shortest arguments take $shortest; allow " +
            "more tokens or shorten the request."
        throw if (room < shortest) ContextException(sentence) else InputException(sentence)
    }

    /** Commits what the state forces, if it does and the budget lets it. */
    private fun force(): Boolean {
        val forced = automaton.forced(state)
        if (forced.isEmpty()) return false
        val text = vocabulary.text(forced)
        val after = automaton.walk(state, text)
        if (automaton.distance[after] > left - forced.size) return false
        for (id in forced) tokens.add(id)
        unfed.addAll(forced)
        left -= forced.size
        state = after
        wrote(written.add(text), true)
        return true
    }

    /** Commits the best token that is allowed and leaves an end within the budget. */
    private fun decide() {
        val reached = vocabulary.advance(automaton, state)
        var only = -1
        var inTime = 0
        var cut = false
        for (id in vocabulary.textIds) {
            val next = reached[id]
            if (next == DEAD) continue
            if (automaton.distance[next] <= left - 1) {
                only = id
                inTime++
            } else {
                cut = true
            }
        }
        if (inTime == 0) {
            throw BundleException("$GRAMMARS: one leads to no end from state $state; export the bundle again.")
        }
        var chosen = only
        if (inTime > 1) {
            val logits = engine.forward(unfed.toIntArray())
            unfed.clear()
            steps++
            sampler.next()
            chosen = best(reached, left - 1) { sampler.score(logits, it) }
            if (cut) {
                val wished = best(reached, UNREACHABLE) { logits.get(it).toDouble() }
                cut = automaton.distance[reached[wished]] > left - 1
            }
        }
        truncated = truncated || cut
        tokens.add(chosen)
        unfed.add(chosen)
        state = reached[chosen]
        left--
        wrote(written.add(vocabulary[chosen]), inTime == 1)
    }

    /**
     * The best-scored id that is allowed, ends in time and is admitted by the spans; the best of all
     * if there is none such. Of equal ones the first.
     */
    private inline fun best(reached: IntArray, farthest: Int, score: (Int) -> Double): Int {
        var best = -1
        var most = 0.0
        for (id in vocabulary.textIds) {
            val next = reached[id]
            if (next == DEAD || automaton.distance[next] > farthest) continue
            val found = score(id)
            if (best < 0 || found > most) {
                best = id
                most = found
            }
        }
        val before = written.bytes()
        if (spans.admits(before, vocabulary[best])) return best
        // The bytes that may come next leave few tokens to be tried.
        val begins = BooleanArray(256) { spans.admits(before, byteArrayOf(it.toByte())) }
        var admitted = -1
        for (id in vocabulary.textIds) {
            val next = reached[id]
            if (next == DEAD || automaton.distance[next] > farthest) continue
            val token = vocabulary[id]
            if (!begins[token[0].toInt() and 0xff]) continue
            val found = score(id)
            if ((admitted < 0 || found > most) && spans.admits(before, token)) {
                admitted = id
                most = found
            }
        }
        return if (admitted < 0) best else admitted
    }
}

/** What was written of an arguments object, without the opening's rest and the call's close. */
private class WrittenObject(private val automaton: Automaton) {
    private var text = ByteArray(64)
    private var size = 0
    private var state = automaton.start
    private var skipped = 0
    private val pieces = Utf8Pieces()

    /** Adds a token's bytes; the text that became visible by them. */
    fun add(token: ByteArray): String {
        val from = size
        for (byte in token) {
            if (automaton.isDone(state)) break
            state = automaton.step(state, byte)
            if (skipped < automaton.pending.size) {
                skipped++
                continue
            }
            if (size == text.size) text = text.copyOf(2 * size)
            text[size++] = byte
        }
        return pieces.add(text, from, size)
    }

    fun bytes(): ByteArray = text.copyOf(size)

    fun text(): String = text.decodeToString(0, size)
}
