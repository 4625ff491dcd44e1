package dev.edgetune.core

import com.sun.management.ThreadMXBean
import io.kotest.property.Arb
import io.kotest.property.arbitrary.bind
import io.kotest.property.arbitrary.byte
import io.kotest.property.arbitrary.enum
import io.kotest.property.arbitrary.int
import java.lang.management.ManagementFactory
import org.junit.Assert.assertTrue

/** One change of a file, which is as well defined for one of any length. */
internal data class Change(private val kind: Kind, private val place: Int, private val byte: Byte) {
    enum class Kind { BIT, BYTE, GONE, MORE, CUT, TWICE, NUMBER, NEGATIVE }

    fun of(whole: ByteArray): ByteArray {
        val at = if (whole.isEmpty()) 0 else place % whole.size
        val (before, after) = whole.copyOf(at) to whole.copyOfRange(at, whole.size)
        val rest = after.copyOfRange(minOf(1, after.size), after.size)
        return when (kind) {
            Kind.BIT -> before + (after.first().toInt() xor (1 shl (byte.toInt() and 7))).toByte() + rest
            Kind.BYTE -> before + byte + rest
            Kind.GONE -> before + rest
            Kind.MORE -> before + byte + after
            Kind.CUT -> before
            Kind.TWICE -> whole + after
            Kind.NUMBER -> number(whole, at, "2147483647")
            Kind.NEGATIVE -> number(whole, at, "-9223372036854775808")
        }
    }
}

internal val changes: Arb<Change> = Arb.bind(Arb.enum<Change.Kind>(), Arb.int(0..Int.MAX_VALUE), Arb.byte(), ::Change)

/** Puts [number] in place of the first one, written in digits, behind [at]. */
private fun number(whole: ByteArray, at: Int, number: String): ByteArray {
    val text = String(whole, Charsets.ISO_8859_1)
    val found = Regex("\\d+").find(text, at) ?: return whole
    return text.replaceRange(found.range, number).toByteArray(Charsets.ISO_8859_1)
}

/** [work] on a small file takes no memory to speak of. */
internal fun assertModest(work: () -> Unit) {
    val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
    val before = threads.currentThreadAllocatedBytes
    work()
    val taken = (threads.currentThreadAllocatedBytes - before) / (1 shl 20)
    assertTrue("$taken MB were allocated", taken < MOST_MEGABYTES)
}

private const val MOST_MEGABYTES = 8

/** The message is one sentence, of a length that can be shown. */
internal fun assertSentence(error: EdgetuneException) {
    val message = error.message
    assertTrue(message, message.endsWith(".") && '\n' !in message && message.length <= 1001)
}
