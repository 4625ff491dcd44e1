package dev.edgetune.core

import java.io.File
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.intOrNull

internal const val MANIFEST: String = "manifest.json"
internal const val DIGEST: String = "manifest.sha256"
private const val TOKENIZER = "tokenizer.json"
private const val TOOLS = "tools.json"
private const val PROMPTS = "prompts.json"
private const val NAMES = "names.json"
private const val VOCABULARY = "vocabulary.safetensors"

/** Role and name of the adapter that serves tools which nobody trained. */
private const val SKILL = "skill"

private val KV_TYPES = listOf("float32", "float16")

/**
 * A bundle that was found whole, but for what belongs to single targets, which [openEngine] checks.
 *
 * Data alone: it holds no native memory but mapped files, and needs no closing.
 */
public class Bundle internal constructor(
    public val folder: File,
    public val manifest: Manifest,
    internal val assets: Assets,
    private val hashes: Boolean,
) {
    /** The toolsets with their tools. */
    public val toolsets: List<Toolset>
        get() = assets.toolsets.values.map { it.toolset }

    /** The file of [target] that an engine loads. */
    public fun model(target: Target): File = inside(folder, target.model)

    /** Another of its files, by its path. Throws [BundleException] for one that the manifest does not list. */
    public fun file(target: Target, path: String): File {
        checkListed(folder, manifest, listOf(path), target.name)
        return inside(folder, path)
    }

    /** The tensors of an adapter's blob, mapped: pages come in as they are read. */
    public fun tensors(adapter: Adapter): Tensors = readBlob(inside(folder, adapter.file)).tensors

    /** Every file of [target] is there as the manifest says. Throws [BundleException] naming one. */
    internal fun checkTarget(target: Target) {
        checkFiles(folder, manifest, target.name, hashes)
        checkListed(folder, manifest, listOf(target.model), target.name)
        if (target.kvType !in KV_TYPES) {
            throw BundleException(
                "${File(folder, MANIFEST)}: target '${target.name}' keeps keys and values in " +
                    "'${target.kvType}', expected ${KV_TYPES.joinToString(" or ")}; export again.",
            )
        }
    }

    /** An option of [target] that is a whole number from 1 on. Throws [BundleException] naming it. */
    public fun number(target: Target, option: String): Int {
        val found = target.options[option]
        return found?.takeIf { !it.isString }?.intOrNull?.takeIf { it >= 1 } ?: throw BundleException(
            "${File(folder, MANIFEST)}: target '${target.name}', option '$option' is $found where a " +
                "whole number was expected; export the bundle again.",
        )
    }
}

/**
 * The bundle in [folder].
 *
 * With [check] the digest of the manifest, the SHA-256 of every file that any engine needs and every
 * blob's base and slots are compared first, and those of a target when its engine is opened; without,
 * only sizes (for a bundle that was checked before). Throws [InputException] where there is no bundle
 * and [BundleException] for the first thing that does not match.
 */
public fun openBundle(folder: File, check: Boolean = true): Bundle {
    val manifest = readManifest(folder)
    checkFiles(folder, manifest, ANY, check)
    val shared = listOf(TOKENIZER, VOCABULARY, TOOLS, PROMPTS, NAMES) +
        manifest.adapters.map { it.file } + manifest.toolsets.flatMap { it.grammars.values }
    checkListed(folder, manifest, shared, ANY)
    if (check) for (adapter in manifest.adapters) checkBlob(folder, manifest, adapter)
    return Bundle(folder, manifest, readAssets(folder, manifest), check)
}

/** The manifest of the bundle in [folder], held against its digest and schema version. */
public fun readManifest(folder: File): Manifest {
    val file = File(folder, MANIFEST)
    if (!file.isFile) {
        throw InputException(
            "$folder: no bundle is here ($MANIFEST is missing); give the folder that 'edgetune " +
                "export' wrote.",
        )
    }
    val content = readSmall(file)
    val digest = File(folder, DIGEST)
    if (!digest.isFile) {
        throw BundleException("$digest: missing, so nothing can be checked; export again.")
    }
    val expected = "${sha256(content)}  $MANIFEST\n"
    if (!readSmall(digest).contentEquals(expected.encodeToByteArray())) {
        throw BundleException(
            "$file: $DIGEST is not its SHA-256 (${expected.take(12)}…) and name: one of the two was " +
                "changed; copy or export the bundle again.",
        )
    }
    val value = parseJson(content, file)
    val version = (value as? JsonObject)?.get("schema_version")
    if ((version as? JsonPrimitive)?.takeIf { !it.isString }?.intOrNull != SCHEMA_VERSION) {
        throw BundleException(
            "$file: schema version $version, but this edgetune reads $SCHEMA_VERSION; export the " +
                "bundle again with this version of edgetune.",
        )
    }
    return manifest(value, file)
}

private fun readAssets(folder: File, manifest: Manifest): Assets {
    val toolsets = readToolsets(File(folder, TOOLS))
    val prompts = readPrompts(File(folder, PROMPTS))
    val tries = readTries(File(folder, NAMES))
    val files = manifest.files.associateBy { it.path }
    val adapters = manifest.adapters.associate { adapter ->
        val entry = files.getValue(adapter.file)
        adapter.name to AdapterSource(
            adapter.name,
            adapter.rank,
            entry.sha256,
            entry.bytes,
            adapter.invocation.toIntArray(),
            adapter.selectionTemperature,
        ) { readBlob(inside(folder, adapter.file)).tensors }
    }
    val tokenizer = Tokenizer.read(File(folder, TOKENIZER))
    val vocabulary = readVocabulary(folder, manifest, tokenizer)
    val known = minOf(vocabulary.size, manifest.base.vocabSize)
    return Assets(
        tokenizer,
        vocabulary,
        prompts.pieces,
        prompts.reply,
        manifest.toolsets.associate { entry ->
            val automata = entry.grammars.mapValues { Automaton.read(inside(folder, it.value), known) }
            entry.name to
                readToolset(folder, manifest, entry, toolsets, prompts, tries, adapters.keys, automata)
        },
        adapters,
        manifest.base.endTokens.toSet(),
        readRouter(folder, manifest, prompts, tries, adapters.keys),
        manifest.adapters.firstOrNull { it.role == SKILL }?.name,
    )
}

/** The bytes of the tokenizer's ids, none beyond the base's logits. */
private fun readVocabulary(folder: File, manifest: Manifest, tokenizer: Tokenizer): Vocabulary {
    val vocabulary = Vocabulary.read(File(folder, VOCABULARY))
    val most = manifest.base.vocabSize
    val (least, largest) = tokenizer.range.first to tokenizer.range.last
    val isKnown = least >= 0 && largest < most && (vocabulary.textIds.lastOrNull() ?: 0) < most
    if (vocabulary.size < tokenizer.size || !isKnown) {
        throw BundleException(
            "${File(folder, VOCABULARY)}: has ${vocabulary.size} tokens where the tokenizer has " +
                "${tokenizer.size}, of ids from $least to $largest, and the base $most; export the bundle again.",
        )
    }
    return vocabulary
}

private fun readRouter(
    folder: File,
    manifest: Manifest,
    prompts: Prompts,
    tries: Tries,
    adapters: Set<String>,
): RouterAssets? {
    val adapter = manifest.router
    if (adapter != null && adapter !in adapters) {
        throw BundleException(
            "${File(folder, MANIFEST)}: routing uses adapter '$adapter', which the bundle does not " +
                "hold; export again.",
        )
    }
    if (adapter != null && prompts.router == null) {
        throw BundleException(
            "${File(folder, PROMPTS)}: has no prompt for the adapter '$adapter'; export again.",
        )
    }
    val routing = prompts.router ?: return null
    val names = manifest.toolsets.map { it.name }
    return RouterAssets(routing, checkTrie(folder, manifest, "the router", tries.router, names), adapter)
}

private fun readToolset(
    folder: File,
    manifest: Manifest,
    entry: ToolsetEntry,
    toolsets: Map<String, Toolset>,
    prompts: Prompts,
    tries: Tries,
    adapters: Set<String>,
    automata: Map<String, Automaton>,
): ToolsetAssets {
    fun wrong(file: String, what: String) =
        BundleException("${File(folder, file)}: $what; export the bundle again.")

    val toolset = toolsets[entry.name]
        ?: throw wrong(TOOLS, "toolset '${entry.name}' of the manifest is missing")
    val prompt = prompts.toolsets[entry.name]
        ?: throw wrong(PROMPTS, "toolset '${entry.name}' of the manifest is missing")
    if (toolsetSha256(toolset) != entry.toolsSha256) {
        throw wrong(TOOLS, "toolset '${entry.name}' is not the one that the bundle was made for")
    }
    val used = listOfNotNull(entry.selector, entry.monolithic) + entry.arguments.values
    used.firstOrNull { it !in adapters }?.let {
        throw wrong(MANIFEST, "toolset '${entry.name}' uses adapter '$it', which it does not hold")
    }
    for (tool in toolset.tools) {
        if (tool.hasParameters && tool.name !in entry.grammars) {
            throw wrong(MANIFEST, "tool '${tool.name}' has no grammar")
        }
        if (tool.name !in prompt.arguments) throw wrong(PROMPTS, "tool '${tool.name}' has no prompt")
    }
    val owner = "toolset '${entry.name}'"
    return ToolsetAssets(
        toolset,
        prompt,
        checkTrie(folder, manifest, owner, tries.toolsets[entry.name], toolset.names),
        automata,
        entry.selector,
        entry.arguments,
        entry.monolithic,
        entry.copied,
    )
}

private fun checkTrie(
    folder: File,
    manifest: Manifest,
    owner: String,
    trie: NameTrie?,
    names: List<String>,
): NameTrie {
    if (trie == null || trie.names.sorted() != names.sorted()) {
        throw BundleException(
            "${File(folder, NAMES)}: $owner has the names ${trie?.names} where $names were expected; " +
                "export the bundle again.",
        )
    }
    if (trie.largestId >= manifest.base.vocabSize) {
        throw BundleException(
            "${File(folder, NAMES)}: $owner has token ${trie.largestId} where the base has " +
                "${manifest.base.vocabSize}; export the bundle again.",
        )
    }
    return trie
}
