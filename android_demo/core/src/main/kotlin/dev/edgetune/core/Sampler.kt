package dev.edgetune.core

import java.nio.FloatBuffer
import kotlin.math.ln

private const val STEP = -7046029254386353131L // SplitMix64's increment

/**
 * What is largest where a choice falls: on the largest logit, or at random above [temperature] 0.
 *
 * Adding Gumbel noise and taking the largest samples softmax(logits / temperature) without computing
 * it (Maddison et al. 2014, "A* Sampling"), which no overflow can turn into a forbidden token. The
 * noise of a token is a function of [seed], the choice and the token's id, so nothing is kept.
 */
internal class Sampler(private val temperature: Double, private val seed: Long) {
    private var choice = 0L

    /** The next choice has other noise. */
    fun next() {
        choice++
    }

    fun score(logits: FloatBuffer, id: Int): Double {
        val logit = logits.get(id).toDouble()
        return if (temperature == 0.0) logit else logit + temperature * gumbel(id)
    }

    private fun gumbel(id: Int): Double {
        val mixed = mix(mix(mix(seed + STEP) + choice + STEP) + id + STEP)
        val uniform = ((mixed ushr 11) + 0.5) / (1L shl 53) // strictly between 0 and 1
        return -ln(-ln(uniform))
    }

    /** SplitMix64's finalizer (Steele et al. 2014). */
    private fun mix(value: Long): Long {
        var mixed = value
        mixed = (mixed xor (mixed ushr 30)) * -4658895280553007687L
        mixed = (mixed xor (mixed ushr 27)) * -7723592293110705685L
        return mixed xor (mixed ushr 31)
    }
}
