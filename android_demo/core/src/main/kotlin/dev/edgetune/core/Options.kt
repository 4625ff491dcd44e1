package dev.edgetune.core

/**
 * How one request is to be answered. Throws [InputException] for a value out of its range.
 *
 * What lives as long as the process is the [Agent]'s; what a caller may want otherwise at the next
 * request stands here.
 */
public data class Options(
    val system: System = System.DECOUPLED,
    /** The most tokens that the arguments of a call may take. */
    val maxTokens: Int = 256,
    /** The most tokens that a reply in words may take. */
    val maxReplyTokens: Int = 256,
    /** Samples arguments and words above 0; 0 takes the likeliest token. Selection never samples. */
    val temperature: Double = 0.0,
    /** Of the sampling: the same request with the same seed gives the same tokens. */
    val seed: Long = 0,
    /** Evaluate every branching point of the names, so that all probabilities are known. */
    val exact: Boolean = false,
    /** A tool less probable than this is not called: the step is `respond` then. */
    val abstainBelow: Double = 0.0,
) {
    init {
        require("maxTokens", maxTokens, maxTokens >= 1, "1 or more")
        require("maxReplyTokens", maxReplyTokens, maxReplyTokens >= 1, "1 or more")
        require("temperature", temperature, temperature >= 0 && temperature.isFinite(), "0 or more")
        require("seed", seed, seed >= 0, "0 or more")
        require("abstainBelow", abstainBelow, abstainBelow in 0.0..1.0, "a probability from 0 to 1")
    }

    private fun require(name: String, found: Any, holds: Boolean, expected: String) {
        if (!holds) throw InputException("$name: found $found, expected $expected.")
    }

    /** Which adapters serve a request. */
    public enum class System {
        /** A selector and one adapter for each tool. */
        DECOUPLED,

        /** One adapter for whole calls. */
        MONOLITHIC,

        /** One adapter that serves tools which nobody trained, behind the full list of tools. */
        SKILL,

        /** None: the bare base, behind the full list of tools. */
        BASE,
    }
}
