package dev.edgetune.core

import java.io.File
import kotlinx.serialization.json.JsonPrimitive

/** `names.json`: the trie of each toolset's names, and of the toolsets' own for the router. */
internal class Tries(
    val toolsets: Map<String, NameTrie>,
    /** Null where there is one toolset. */
    val router: NameTrie?,
)

/**
 * The names that a selector chooses among, as canonical token paths after the opening they share.
 *
 * No name's path can begin another's: the text after the name is part of it. It knows which token ids
 * lead to which name; it knows nothing of engines or probabilities.
 */
internal class NameTrie(
    val names: List<String>,
    /** Token ids from the invocation on that are the same for every name. */
    val openingIds: IntArray,
    /** The root first, each behind the one that leads to it; none where there is only one name. */
    val branches: List<Branch>,
) {
    /** The largest token id in it. */
    val largestId: Int
        get() = (branches.flatMap { it.prefix.asList() + it.ids.asList() } + openingIds.asList())
            .maxOrNull() ?: 0
}

/**
 * A branching point: [prefix] has been fed, and each of [ids] leads to a name, or to the branching
 * point whose index is in [below]; the tokens in between are in that one's prefix.
 *
 * [prefix] starts behind the opening that all names share.
 */
internal class Branch(
    val prefix: IntArray,
    val ids: IntArray,
    val names: List<String?>,
    val below: IntArray,
)

/** What `names.json` holds. Throws [BundleException] where walking it would lead astray. */
internal fun readTries(file: File): Tries = Fields.read(file, readJson(file)) {
    Tries(
        map("toolsets") { name -> obj(name) { trie() } },
        ifThere("router") { key -> obj(key) { trie() } },
    )
}

private fun Fields.trie(): NameTrie {
    val trie = NameTrie(texts("names"), tokenIds("opening_ids"), objects("branches") { branch() })
    val found = trie.branches.flatMap { it.names.filterNotNull() }.sorted()
    if (trie.branches.isEmpty()) {
        require(trie.names.size == 1) { "a trie has no branch for its ${trie.names.size} names" }
    } else {
        require(found == trie.names.sorted()) { "it leads to $found where its names are ${trie.names}" }
    }
    val led = trie.branches.flatMap { branch -> branch.below.filter { it >= 0 } }.sorted()
    require(led == (1 until trie.branches.size).toList()) { "it leads to the branches $led, each of which has one way" }
    trie.branches.forEachIndexed { index, branch ->
        require(branch.ids.isNotEmpty()) { "branch $index leads nowhere" }
        for (place in branch.ids.indices) {
            if (branch.names[place] != null) continue
            val child = branch.below[place]
            require(child in index + 1 until trie.branches.size) { "branch $index leads to $child" }
            val begun = branch.prefix + branch.ids[place]
            require(sharedLength(begun, trie.branches[child].prefix) == begun.size) {
                "branch $child does not go on from branch $index"
            }
        }
    }
    return trie
}

private fun Fields.branch(): Branch {
    val children = map("children") { it to element(it) }.values.toList()
    val names = children.map { (_, child) -> (child as? JsonPrimitive)?.takeIf { it.isString }?.content }
    return Branch(
        tokenIds("prefix"),
        IntArray(children.size) { id(children[it].first.toIntOrNull()) },
        names,
        IntArray(children.size) {
            if (names[it] != null) -1 else id((children[it].second as? JsonPrimitive)?.content?.toIntOrNull())
        },
    )
}

private fun Fields.tokenIds(key: String): IntArray = ints(key).map { id(it) }.toIntArray()

private fun Fields.id(found: Int?): Int {
    require(found != null && found >= 0) { "a token id, or a place, is $found" }
    return found ?: 0
}

/** How many token ids both begin with in common. */
internal fun sharedLength(a: IntArray, b: IntArray): Int {
    var length = 0
    while (length < a.size && length < b.size && a[length] == b[length]) length++
    return length
}
