package dev.edgetune.core

/** The most tokens that a KV cache is made for, unless more is asked for. */
private const val CONTEXT_LIMIT = 4096

/**
 * From a bundle to a running engine.
 *
 * The target's files are checked first. Throws [InputException] where the bundle has no such target
 * or the base reads fewer tokens than [contextLength], [BundleException] for a file that is not as
 * the manifest says.
 */
public fun Bundle.openEngine(
    factory: EngineFactory,
    threads: Int? = null,
    contextLength: Int? = null,
): Engine {
    val target = manifest.targets.firstOrNull { it.name == factory.name }
        ?: throw InputException(
            "$folder: has ${manifest.targets.map { it.name }} and nothing for the engine " +
                "'${factory.name}'; export the bundle with that target.",
        )
    if (threads != null && threads < 1) {
        throw InputException("threads: found $threads, expected 1 or more.")
    }
    val longest = target.contextLength
    if (contextLength != null && contextLength !in 1..longest) {
        throw InputException(
            "contextLength: found $contextLength, but this base, or the program made of it, reads " +
                "1 to $longest tokens; ask for fewer.",
        )
    }
    val context = contextLength ?: minOf(longest, CONTEXT_LIMIT)
    checkCache(context)
    checkTarget(target)
    return factory.open(this, target, context, threads)
}

private fun Bundle.checkCache(tokens: Int) {
    val base = manifest.base
    val bytes = 2.0 * Float.SIZE_BYTES * base.layers * base.kvHeads * base.headDim * tokens
    if (bytes <= Int.MAX_VALUE) return
    throw BundleException(
        "$folder: keys and values of $tokens tokens would take ${(bytes / (1 shl 20)).toLong()} MB; ask for a " +
            "shorter contextLength or export the bundle again.",
    )
}
