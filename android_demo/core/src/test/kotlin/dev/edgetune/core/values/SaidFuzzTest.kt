package dev.edgetune.core.values

import io.kotest.property.Arb
import io.kotest.property.arbitrary.element
import io.kotest.property.arbitrary.int
import io.kotest.property.arbitrary.list
import io.kotest.property.arbitrary.string
import io.kotest.property.checkAll
import java.time.LocalDateTime
import kotlinx.coroutines.runBlocking
import org.junit.Test

/** Whatever is said is a value or a question, and never an exception. */
class SaidFuzzTest {
    private val reader = SaidReader(LocalDateTime.of(2026, 2, 28, 23, 59))

    private val words = listOf(
        "half past quarter to an a and in at on the of every next this tomorrow today noon midnight am pm hour hours",
        "minutes seconds days week weeks months year percent maximum up down by one seven thirty twelve first friday",
        "february may weekdays morning night 31st 0 00:00 24:00 25:61 7:30 7.30 29/2 -1 1e9 99999999999999999999",
    ).flatMap { it.split(' ') }

    private fun read(text: String) {
        reader.duration(text)
        Bare.values().forEach { reader.time(text, it) }
        reader.day(text)
        reader.weekly(text)
        reader.moment(text)
        reader.level(text)
    }

    @Test
    fun `any words in any order, and any text`() = runBlocking<Unit> {
        checkAll(3000, Arb.list(Arb.element(words), 0..8)) { read(it.joinToString(" ")) }
        checkAll(1000, Arb.string(0..60)) { read(it) }
    }
}
