package dev.edgetune.core

/** What a bundle costs on this machine: times in ms, sizes in bytes, speeds in tokens a second. */
public class Profile internal constructor(
    public val loadMs: Double,
    /** What loading the base and running it once added to this process. */
    public val base: Memory,
    public val kvBytes: Long,
    public val adapters: List<AdapterProfile>,
    public val prefillTokensPerS: Double,
    public val decodeTokensPerS: Double,
    /** With the first adapter bound; null where the bundle has none. */
    public val decodeWithAdapterTokensPerS: Double?,
    /** Of a request after a first one: adapters are warm and static prefixes kept. */
    public val call: Timing,
)

/** One adapter, loaded, swapped there and back, and evicted. */
public class AdapterProfile internal constructor(
    public val name: String,
    public val rank: Int,
    public val blobBytes: Long,
    public val coldMs: Double,
    public val warmMs: Double,
    public val residentBytes: Long,
    /** What the process holds with it beyond the base. */
    public val added: Memory,
)

/** What a process holds in RAM: its share of all pages, and those that it alone has written. */
public data class Memory(val pssBytes: Long, val privateDirtyBytes: Long) {
    public operator fun minus(other: Memory): Memory =
        Memory(pssBytes - other.pssBytes, privateDirtyBytes - other.privateDirtyBytes)
}

/** What [profile] has just done. */
public enum class Done { OPENED, BASE, LOADED, SWAPPED, EVICTED }

private const val PREFILL_TOKENS = 128
private const val DECODE_TOKENS = 32
private const val REPEATS = 5
private const val REQUEST = "Wake me up at half past seven tomorrow and call it gym"

/**
 * Measures [bundle] on an engine of its own, which is closed afterwards; takes a while.
 *
 * [memory] is how this system tells what the process holds. [told] is told each thing done, the name
 * of the adapter or base, what the process held then, and the ms that it took. Throws
 * [BundleException] and [InputException] as [openEngine] does.
 */
public fun profile(
    bundle: Bundle,
    factory: EngineFactory,
    threads: Int? = null,
    memory: () -> Memory,
    told: (Done, String, Memory, Double) -> Unit = { _, _, _, _ -> },
): Profile {
    val before = memory()
    told(Done.OPENED, bundle.manifest.name, before, 0.0)
    val begin = System.nanoTime()
    val engine = bundle.openEngine(factory, threads)
    val loadMs = millisSince(begin)
    return Agent(bundle, engine).use { agent ->
        val ids = promptIds(bundle)
        engine.forward(ids.copyOf(1))
        val loaded = memory()
        told(Done.BASE, bundle.manifest.base.name, loaded, loadMs)
        val decode = speed(engine, ids)
        val adapters = bundle.assets.adapters.values.map { measured(bundle, engine, it, loaded, memory, told) }
        val bound = bundle.assets.adapters.keys.firstOrNull()?.let { name ->
            AdapterPool(engine, bundle.assets.adapters).use { pool ->
                pool.activate(name)
                speed(engine, ids).second
            }
        }
        engine.rewind(0)
        Profile(
            loadMs, loaded - before, engine.kvBytes, adapters,
            decode.first, decode.second, bound, call(agent),
        )
    }
}

private fun measured(
    bundle: Bundle,
    engine: Engine,
    source: AdapterSource,
    base: Memory,
    memory: () -> Memory,
    told: (Done, String, Memory, Double) -> Unit,
): AdapterProfile {
    val name = source.name
    val profile = AdapterPool(engine, bundle.assets.adapters).use { pool ->
        val cold = pool.activate(name)
        engine.rewind(0)
        engine.forward(intArrayOf(bundle.assets.vocabulary.textIds.first()))
        val held = memory()
        told(Done.LOADED, name, held, cold)
        val warm = median(List(REPEATS) { pool.activate(null).let { pool.activate(name) } })
        told(Done.SWAPPED, name, memory(), warm)
        val resident = pool.residentBytes.getValue(name)
        AdapterProfile(name, source.rank, source.bytes, cold, warm, resident, held - base)
    }
    told(Done.EVICTED, name, memory(), 0.0)
    return profile
}

/** Tokens a second of prefill and of decode, with whatever adapter is bound. */
private fun speed(engine: Engine, ids: IntArray): Pair<Double, Double> {
    val prefill = median(
        List(REPEATS) {
            seconds {
                engine.rewind(0)
                engine.forward(ids)
            }
        },
    )
    val tokens = ids.take(DECODE_TOKENS)
    val decode = median(
        List(REPEATS) {
            engine.rewind(ids.size)
            seconds { for (id in tokens) engine.forward(intArrayOf(id)) }
        },
    )
    return ids.size / prefill to tokens.size / decode
}

private fun call(agent: Agent): Timing {
    val toolset = agent.bundle.assets.toolsets.values.first()
    val system = if (toolset.selector == null) Options.System.BASE else Options.System.DECOUPLED
    return List(2) {
        agent.step(listOf(Turn.User(REQUEST)), toolset.toolset.name, Options(system)).timing
    }.last()
}

/** 128 ids of text as the base really reads it, repeated where the prompt is shorter. */
private fun promptIds(bundle: Bundle): IntArray {
    val toolset = bundle.assets.toolsets.values.first()
    val turns = listOf(Turn.User(REQUEST))
    val text = renderPrompt(bundle.assets.pieces, toolset.prompts.base, turns, words = false)
    val ids = bundle.assets.tokenizer.encode(text)
    return IntArray(PREFILL_TOKENS) { ids[it % ids.size] }
}

private fun median(values: List<Double>): Double = values.sorted()[values.size / 2]

private fun seconds(work: () -> Unit): Double {
    val begin = System.nanoTime()
    work()
    return millisSince(begin) / 1_000
}
