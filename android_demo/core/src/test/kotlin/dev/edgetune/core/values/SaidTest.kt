package dev.edgetune.core.values

import java.time.DayOfWeek
import java.time.LocalDateTime
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

/** `said.tsv` is written by tests/android/said_table.py, from what requests are made of. */
class SaidTest {
    private val reader = SaidReader(LocalDateTime.parse("2026-06-17T10:00"))

    private val rows = checkNotNull(javaClass.getResource("/said.tsv")).readText().lines()
        .filter { it.isNotEmpty() && !it.startsWith("#") }.map { it.split('\t') }

    private fun meaning(parameter: String, said: String): String {
        val found = when (parameter) {
            "duration" -> reader.duration(said).mapValue { it.seconds.toString() }
            "time" -> reader.time(said).mapValue { it.toString() }
            "day" -> reader.day(said).mapValue { it.toString() }
            "when" -> reader.moment(said).mapValue {
                if (it.wholeDay) it.at.toLocalDate().toString() else it.at.toString()
            }
            "level" -> reader.level(said).mapValue { it.toString() }
            else -> error(parameter)
        }
        return found ?: "?"
    }

    private fun <T> Said<T>.mapValue(text: (T) -> String): String? =
        (this as? Said.Value)?.let { text(it.value) }

    @Test
    fun everythingInTheTableMeansWhatTheTableSays() {
        val wrong = rows.filter { (parameter, said, meaning) -> meaning(parameter, said) != meaning }
            .map { (parameter, said, expected) -> "$parameter '$said': $expected, not ${meaning(parameter, said)}" }
        assertEquals(wrong.joinToString("\n"), 0, wrong.size)
        assertTrue("only ${rows.size} rows", rows.size > 300)
    }

    @Test
    fun howItIsTypedDoesNotMatter() {
        for ((parameter, said, meaning) in rows) {
            assertEquals(said, meaning, meaning(parameter, said.uppercase()))
            assertEquals(said, meaning, meaning(parameter, "  ${said.lowercase()} "))
        }
    }

    @Test
    fun eachReadingAsksItsOwnQuestion() {
        assertEquals(Said.Unclear(Question.HOW_LONG), reader.duration("a while"))
        assertEquals(Said.Unclear(Question.WHAT_TIME), reader.time("soon"))
        assertEquals(Said.Unclear(Question.WHICH_DAY), reader.day("soon"))
        assertEquals(Said.Unclear(Question.WHEN), reader.moment("soon"))
        assertEquals(Said.Unclear(Question.HOW_MUCH), reader.level("more"))
        assertEquals(Said.Unclear(Question.WHAT_TIME), reader.moment("Friday", "soon"))
        assertEquals(Said.Unclear(Question.WHICH_DAY), reader.moment("soon", "7 pm"))
    }

    @Test
    fun anHourUpToSixIsOneOfTheAfternoonInACalendarAndNotOnAnAlarm() {
        assertEquals("06:00", reader.time("6").mapValue { it.toString() })
        assertEquals("18:00", reader.time("6", Bare.BY_DAY).mapValue { it.toString() })
        assertEquals("2026-06-18T18:00", reader.moment("tomorrow", "6").mapValue { it.at.toString() })
    }

    @Test
    fun daysOfEveryWeekAreNotASingleDay() {
        assertEquals(setOf(DayOfWeek.MONDAY), reader.weekly("every Monday"))
        assertEquals(setOf(DayOfWeek.TUESDAY, DayOfWeek.FRIDAY), reader.weekly("Tuesday and Friday"))
        assertEquals(5, reader.weekly("on weekdays")?.size)
        assertEquals(7, reader.weekly("every day")?.size)
        assertEquals(setOf(DayOfWeek.SUNDAY), reader.weekly("Sundays"))
        for (said in listOf("Monday", "tomorrow", "next Monday", "", "every now and then")) {
            assertNull(said, reader.weekly(said))
        }
    }
}
