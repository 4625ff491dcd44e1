package dev.edgetune.core

import java.io.Closeable
import java.io.File

/**
 * A delta blob, mapped: its tensors lie as they were written, pages come in as they are used.
 *
 * Throws [BundleException] for a missing, truncated or foreign file.
 */
internal fun readBlob(file: File): Safetensors = readSafetensors(file, "blob")

/**
 * The adapters that are in memory, and the one that is active on an engine.
 *
 * A cold activation loads, prepares and binds; a warm one only binds. Where the number of resident
 * ones is bounded, the least recently used adapter makes room, and what it took is freed at once.
 */
public class AdapterPool internal constructor(
    private val engine: Engine,
    private val sources: Map<String, AdapterSource>,
    private val maxResident: Int? = null,
) : Closeable {
    private val handles = LinkedHashMap<String, Prepared>(16, 0.75f, true)
    private val cold = LinkedHashMap<String, Double>()
    private val warm = LinkedHashMap<String, Double>()

    /** The active adapter; null is the bare base. */
    public var active: String? = null
        private set

    /** How long each adapter's last cold activation took. */
    public val coldMs: Map<String, Double> get() = synchronized(handles) { cold.toMap() }

    /** How long each adapter's last warm activation took. */
    public val warmMs: Map<String, Double> get() = synchronized(handles) { warm.toMap() }

    /** The bytes that each adapter in memory takes, the one that makes room first at the beginning. */
    public val residentBytes: Map<String, Long>
        get() = synchronized(handles) { handles.entries.associate { it.key to it.value.bytes } }

    init {
        if (maxResident != null && maxResident < 1) {
            throw InputException("maxResident: found $maxResident, expected 1 or more.")
        }
        engine.activate(null)
    }

    /**
     * Make adapter [name] (null: the bare base) the active one; how long it took, in ms.
     *
     * Throws [BundleException] or [AdapterException] for a blob that cannot be read or does not fit the
     * base; the adapter that was active then stays so.
     */
    internal fun activate(name: String?): Double {
        val begin = System.nanoTime()
        val isCold = name != null && name !in handles.keys
        if (name == null) {
            engine.activate(null)
        } else {
            engine.activate(handles[name] ?: load(name))
        }
        active = name
        val took = millisSince(begin)
        if (name != null) synchronized(handles) { (if (isCold) cold else warm)[name] = took }
        evict()
        return took
    }

    private fun load(name: String): Prepared {
        val source = sources[name] ?: throw InputException(
            "adapter '$name': not in this bundle, which has ${sources.keys.sorted()}; choose one of " +
                "these.",
        )
        val prepared = try {
            engine.prepare(source.load())
        } catch (error: AdapterException) {
            throw AdapterException("adapter '$name': ${error.message}", error)
        }
        synchronized(handles) { handles[name] = prepared }
        return prepared
    }

    private fun evict() {
        val most = maxResident ?: return
        synchronized(handles) {
            while (handles.size > most) {
                val oldest = handles.keys.first { it != active }
                handles.remove(oldest)?.close()
            }
        }
    }

    /** Frees every adapter; the bare base is active afterwards. */
    override fun close() {
        engine.activate(null)
        active = null
        synchronized(handles) {
            handles.values.forEach(Prepared::close)
            handles.clear()
        }
    }
}

/** Milliseconds since [begin], which `System.nanoTime` gave. */
internal fun millisSince(begin: Long): Double = (System.nanoTime() - begin) / 1e6
