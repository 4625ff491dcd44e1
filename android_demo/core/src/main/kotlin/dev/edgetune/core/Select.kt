package dev.edgetune.core

import java.nio.FloatBuffer
import kotlin.math.exp

/** Which tool (or toolset), and how sure. */
public data class Selection(
    /** The name with the largest joint probability, as it is before the temperature. */
    val name: String,
    /** Of the likeliest name: [name], or the one that was abstained from. */
    val probability: Double,
    /** Every name whose joint probability is known, the largest first; all of them if [exact]. */
    val probabilities: Map<String, Double>,
    /** All branching points were evaluated, so [probabilities] sum to 1. */
    val exact: Boolean,
    /** Forward passes that a decision waited for, the prefill's among them. */
    val decodeSteps: Int,
    /** Tokens of the call so far that needed no decision. */
    val forcedTokens: Int,
    /** The likeliest name, where it was too unlikely to be called; [name] is `respond` then. */
    val abstainedFrom: String? = null,
)

/**
 * The name in [trie] with the largest joint probability after the prompt.
 *
 * A name's probability is the product, over the branching points on its path, of the softmax over the
 * tokens that go on to some name. Branching points are evaluated in the order of their mass until no
 * unevaluated one outweighs the best name, so the result is the argmax even where a greedy descent
 * would miss it. [exact] evaluates all of them.
 *
 * [temperature] calibrates (Guo et al. 2017) the probabilities that are told; what is chosen does not
 * depend on it. [prompt] are ids to feed before the opening. Afterwards the KV cache holds an
 * unspecified part of the call: rewind it.
 */
internal fun select(
    engine: Engine,
    trie: NameTrie,
    prompt: IntArray = IntArray(0),
    exact: Boolean = false,
    temperature: Double = 1.0,
): Selection {
    if (trie.branches.isEmpty()) {
        val only = trie.names.single()
        return Selection(only, 1.0, mapOf(only to 1.0), true, 0, trie.openingIds.size)
    }
    var unfed = prompt + trie.openingIds
    val start = engine.position + unfed.size
    var fed = IntArray(0)
    val known = LinkedHashMap<String, Double>()
    val told = LinkedHashMap<String, Double>()
    val forced = HashMap<String, Int>()
    val waiting = mutableListOf(Waiting(1.0, 1.0, 0, trie.branches[0]))
    var steps = 0
    while (waiting.isNotEmpty()) {
        val heaviest = waiting.maxBy { it.mass }
        if (!exact && known.isNotEmpty() && known.values.max() >= heaviest.mass) break
        waiting.remove(heaviest)
        val branch = heaviest.branch
        val shared = sharedLength(fed, branch.prefix)
        if (unfed.isEmpty()) engine.rewind(start + shared)
        val logits = engine.forward(unfed + branch.prefix.copyOfRange(shared, branch.prefix.size))
        unfed = IntArray(0)
        fed = branch.prefix
        steps++
        val shares = softmax(logits, branch.ids, 1f)
        val tempered = softmax(logits, branch.ids, temperature.toFloat())
        for (place in branch.ids.indices) {
            val mass = heaviest.mass * shares[place]
            val probability = heaviest.calibrated * tempered[place]
            val name = branch.names[place]
            if (name == null) {
                val below = trie.branches[branch.below[place]]
                waiting.add(Waiting(mass, probability, heaviest.decisions + 1, below))
            } else {
                known[name] = mass
                told[name] = probability
                forced[name] = trie.openingIds.size + branch.prefix.size - heaviest.decisions
            }
        }
    }
    val name = known.entries.maxBy { it.value }.key
    val probabilities = told.entries.sortedByDescending { it.value }.associate { it.toPair() }
    return Selection(
        name,
        probabilities.getValue(name),
        probabilities,
        waiting.isEmpty(),
        steps,
        forced.getValue(name),
    )
}

private class Waiting(
    val mass: Double,
    val calibrated: Double,
    val decisions: Int,
    val branch: Branch,
)

private fun softmax(logits: FloatBuffer, ids: IntArray, temperature: Float): DoubleArray {
    val scaled = FloatArray(ids.size) { logits.get(ids[it]) / temperature }
    val largest = scaled.max()
    val exponentials = DoubleArray(ids.size) { exp(scaled[it].toDouble() - largest) }
    val sum = exponentials.sum()
    return DoubleArray(ids.size) { exponentials[it] / sum }
}
