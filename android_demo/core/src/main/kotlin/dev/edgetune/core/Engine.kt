package dev.edgetune.core

import java.io.Closeable
import java.nio.FloatBuffer

/**
 * Whatever runs the base graph: one base with LoRA slots, one sequence in its KV cache, at most one
 * active adapter.
 *
 * It deals in token ids, logits and bound adapters, never in text, tools or grammars. One thread at a
 * time. Closing it frees every native byte that it holds, adapters that it prepared included.
 */
public interface Engine : Closeable {
    /** Its target's name in a bundle: `onnx`, `executorch`. */
    public val name: String
    public val vocabSize: Int

    /** The most tokens that the KV cache holds. */
    public val contextLength: Int

    /** How many tokens the KV cache holds now. */
    public val position: Int

    /** Bytes that the KV cache occupies. */
    public val kvBytes: Long

    /**
     * Make a blob's tensors ready to bind (pack, pad, widen), once, at load.
     *
     * Throws [AdapterException] for an unknown slot, a wrong shape or type.
     */
    public fun prepare(tensors: Tensors): Prepared

    /**
     * Bind an adapter from [prepare], or none at all: the next [forward] runs with it.
     *
     * The KV cache stays as it is; the caller rewinds to where the adapter's own context begins.
     */
    public fun activate(adapter: Prepared?)

    /**
     * Append [ids] to the KV cache; the logits `[vocabSize]` after the last of them.
     *
     * The buffer is the engine's own and holds until the next call. Throws [ContextException] where
     * the context would be longer than [contextLength].
     */
    public fun forward(ids: IntArray): FloatBuffer

    /** Forget every token from [position] on (0 empties the cache). */
    public fun rewind(position: Int)

    /** A copy of the KV cache up to [position], to be given back to [restore]. */
    public fun snapshot(): Snapshot

    /**
     * Make the KV cache what it was at [snapshot], with the same adapter bound.
     *
     * Returns how many tokens had to be run again for it: 0 where the engine can copy its cache.
     */
    public fun restore(snapshot: Snapshot): Int
}

/** An adapter that is ready to be bound. Closing it frees it; an active one is never closed. */
public interface Prepared : Closeable {
    /** What it takes in memory. */
    public val bytes: Long
}

/** What an engine's KV cache held at some time; opaque to everyone else. */
public interface Snapshot

/** Opens an engine on a bundle's base: what `engine-onnx` and `engine-executorch` offer. */
public interface EngineFactory {
    /** The target that it serves, and the name of its engines. */
    public val name: String

    /**
     * The engine on [target] of [bundle], whose files were found whole.
     *
     * [contextLength] is how many tokens the KV cache shall hold; [threads] null is the engine's own
     * choice. Throws [BundleException] where the graph cannot be loaded.
     */
    public fun open(bundle: Bundle, target: Target, contextLength: Int, threads: Int?): Engine
}
