package dev.edgetune.core

/** An adapter that is not loaded yet. */
internal class AdapterSource(
    val name: String,
    val rank: Int,
    /** Hash of its content: the key under which prefixes are cached. */
    val sha256: String,
    val bytes: Long,
    /** Of an activated LoRA: the ids from which on it acts; the bare base reads those before. */
    val invocation: IntArray,
    /** What calibrates the probabilities of a selection that this adapter makes. */
    val selectionTemperature: Double,
    val load: () -> Tensors,
)

/** What [Agent] picks one of by its name: tools, or toolsets. */
internal interface Choice {
    val trie: NameTrie
}

/** One toolset with its prompts, names, grammars and the names of its adapters. */
internal class ToolsetAssets(
    val toolset: Toolset,
    val prompts: ToolsetPrompts,
    /** Of the tools' names and `respond`. */
    override val trie: NameTrie,
    /** Tool name to its grammar. A tool without parameters has none: its arguments are `{}`. */
    val automata: Map<String, Automaton>,
    val selector: String?,
    /** Tool name to adapter name; the bare base writes the arguments of a tool that has none. */
    val arguments: Map<String, String>,
    val monolithic: String?,
    /** Tool name to the parameters whose values are copied from the conversation ([Spans]). */
    val copied: Map<String, List<String>>,
) : Choice

/**
 * What picks the toolset where there are several.
 *
 * A toolset is shown, learnt and decoded as a tool of its own name without parameters, so the same
 * renderer, trie and decoding serve both levels.
 */
internal class RouterAssets(
    val prompts: RouterPrompts,
    /** Of the toolsets' names. */
    override val trie: NameTrie,
    /** Null where the bare base alone routes. */
    val adapter: String?,
) : Choice

/** What an agent needs beside an engine. */
internal class Assets(
    val tokenizer: Tokenizer,
    val vocabulary: Vocabulary,
    val pieces: Pieces,
    /** What stands before the conversation where the bare base answers in words. */
    val reply: String,
    val toolsets: Map<String, ToolsetAssets>,
    val adapters: Map<String, AdapterSource>,
    /** Ids that end what the bare base writes in words. */
    val endTokens: Set<Int>,
    val router: RouterAssets?,
    /** The adapter that serves tools which nobody trained; it reads what the bare base reads. */
    val skill: String?,
)
