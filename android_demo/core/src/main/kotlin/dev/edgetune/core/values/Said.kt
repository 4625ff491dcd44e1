package dev.edgetune.core.values

import java.time.DateTimeException
import java.time.DayOfWeek
import java.time.Duration
import java.time.LocalDate
import java.time.LocalDateTime
import java.time.LocalTime
import java.time.temporal.TemporalAdjusters.next
import java.time.temporal.TemporalAdjusters.nextOrSame

/** What the user's words mean: a value, or what has to be asked because they don't say it. */
public sealed interface Said<out T> {
    public data class Value<out T>(val value: T) : Said<T>

    public data class Unclear(val ask: Question) : Said<Nothing>
}

/** What to ask the user; how it is put is for whoever speaks their language. */
public enum class Question { HOW_LONG, WHAT_TIME, WHICH_DAY, WHEN, HOW_MUCH }

/** A point in time, or with [wholeDay] a day of which no time was said ([at] is then its morning). */
public data class Moment(val at: LocalDateTime, val wholeDay: Boolean = false)

/** How to read an hour from one to six of which nobody said whether it is before or after noon. */
public enum class Bare {
    /** As on a clock of 24 hours: an alarm at six rings in the morning. */
    AS_IT_STANDS,

    /** In the afternoon: nobody meets at two at night. */
    BY_DAY,
}

/**
 * Reads times, days, durations and levels as people say them in English: the arguments of a call are
 * the user's words, and this is the one place that knows what they mean.
 *
 *     SaidReader(LocalDateTime.now()).duration("an hour and a half")   // Value(PT1H30M)
 *     SaidReader(LocalDateTime.now()).moment("when I get home")        // Unclear(WHEN)
 *
 * A word that it doesn't know makes the whole unclear: it never guesses from a part. What it reads and
 * what it asks about stands in `said.tsv`, which the tests of both languages hold it to.
 */
public class SaidReader(private val now: LocalDateTime) {
    /** A length of time: "8 minutes", "half an hour", "1h 30m"; longer than nothing. */
    public fun duration(text: String): Said<Duration> {
        val phrase = Phrase.of(text).apply { take("for") }
        val length = phrase.duration()?.takeIf { phrase.isOver && it > Duration.ZERO }
        return value(length, Question.HOW_LONG)
    }

    /** A time of day: "half past seven", "quarter to nine in the evening", "19:30". */
    public fun time(text: String, bare: Bare = Bare.AS_IT_STANDS): Said<LocalTime> {
        val parts = parts(text)?.takeIf { it.length == null }
        return value(parts?.time(bare), Question.WHAT_TIME)
    }

    /** A day: "tomorrow", "next Friday", "the 3rd of May"; the first one from today on. */
    public fun day(text: String): Said<LocalDate> {
        val parts = parts(text)
        val days = parts?.length?.takeIf { it.toMinutes() % MINUTES_A_DAY == 0L }
        return value(parts?.day ?: days?.let { now.plus(it).toLocalDate() }, Question.WHICH_DAY)
    }

    /** Days of every week: "every Monday", "weekdays", "Tuesday and Friday"; null for anything else. */
    public fun weekly(text: String): Set<DayOfWeek>? {
        val phrase = Phrase.of(text).apply { take("on") }
        val repeats = phrase.take("every") || phrase.take("each")
        val days = LinkedHashSet<DayOfWeek>()
        var plural = false
        do {
            val word = phrase.word()
            val one = WEEKDAYS[word] ?: WEEKDAYS[word?.removeSuffix("s")]?.also { plural = true }
            days += GROUPS[word] ?: setOf(one ?: return null)
            plural = plural || word in GROUPS
        } while (phrase.take("and") || !phrase.isOver)
        return days.takeIf { repeats || plural || days.size > 1 }
    }

    /** A point in time still to come: "tomorrow at 8", "in ten minutes", "on Monday morning". */
    public fun moment(text: String): Said<Moment> {
        val parts = parts(text) ?: return Said.Unclear(Question.WHEN)
        return value(moment(parts)?.takeIf { it.isToCome() }, Question.WHEN)
    }

    /** The moment that a day and a time mean together, either of which may be missing. */
    public fun moment(day: String?, time: String?): Said<Moment> {
        if (time != null && time(time) is Said.Unclear) return Said.Unclear(Question.WHAT_TIME)
        if (day != null && moment(day) is Said.Unclear) return Said.Unclear(Question.WHICH_DAY)
        return moment(listOfNotNull(day, time).joinToString(" at "))
    }

    /** A level in percent: "50", "fifty percent", "half", "maximum". */
    public fun level(text: String): Said<Int> {
        val phrase = Phrase.of(text).apply { take("to") || take("at") }
        val level = phrase.longest(LEVELS) ?: phrase.number().also { phrase.take("percent") }
        return value(level?.takeIf { phrase.isOver && it in 0..100 }, Question.HOW_MUCH)
    }

    private fun Moment.isToCome(): Boolean =
        if (wholeDay) at.toLocalDate() >= now.toLocalDate() else at > now

    private fun moment(parts: Parts): Moment? {
        val (day, length) = parts.day to parts.length
        val time = parts.time(Bare.BY_DAY)
        val today = now.toLocalDate()
        return when {
            length != null && day == null && time == null ->
                Moment(now.plus(length), wholeDay = length.toMinutes() % MINUTES_A_DAY == 0L)
            length != null -> null
            day != null && time != null -> Moment(day.atTime(time))
            day != null -> Moment(day.atTime(Part.MORNING.hour, 0), wholeDay = true)
            time == null -> null
            today.atTime(time) > now -> Moment(today.atTime(time))
            else -> Moment(today.plusDays(1).atTime(time))
        }
    }

    /** Every word of [text] put where it belongs; null where one belongs nowhere or says it twice. */
    private fun parts(text: String): Parts? {
        val phrase = Phrase.of(text)
        val parts = Parts()
        while (!phrase.isOver) {
            val before = phrase.at
            val understood = phrase.tryAll(
                { besideClock()?.let { found -> parts.clock.fill(found) { parts.clock = found } } },
                { take("in").let { duration() }?.let { parts.length.fill(it) { parts.length = it } } },
                { fixed()?.let { found -> parts.clock.fill(found) { parts.clock = found } } },
                { tonight(parts) },
                { day(this)?.let { found -> parts.day.fill(found) { parts.day = found } } },
                { part()?.let { found -> parts.part.fill(found) { parts.part = found } } },
                { clock()?.let { found -> parts.clock.fill(found) { parts.clock = found } } },
                { if (word() in FILLERS && !isOver) true else null },
            )
            if (understood != true || phrase.at == before) return null
        }
        return parts.takeIf { !it.isEmpty }
    }

    private fun Phrase.tonight(parts: Parts): Boolean? {
        if (!take("tonight") || parts.day != null || parts.part != null) return null
        parts.day = now.toLocalDate()
        parts.part = Part.NIGHT
        return true
    }

    private fun day(phrase: Phrase): LocalDate? = with(phrase) {
        val today = now.toLocalDate()
        tryAll(
            { if (take("today")) today else null },
            { if (take("tomorrow")) today.plusDays(1) else null },
            { take("the"); if (take("day", "after", "tomorrow")) today.plusDays(2) else null },
            { take("this") || take("the"); if (take("weekend")) weekend(today) else null },
            { if (take("next", "weekend")) weekend(today).plusWeeks(1) else null },
            { thisDay(today) },
            { weekday(today) },
            { date(today) },
        )
    }

    private fun weekend(today: LocalDate): LocalDate =
        if (today.dayOfWeek == DayOfWeek.SUNDAY) today else today.with(nextOrSame(DayOfWeek.SATURDAY))

    /** "This morning" is one of today. */
    private fun Phrase.thisDay(today: LocalDate): LocalDate? =
        if (take("this") && peek() in PARTS) today else null

    private fun Phrase.weekday(today: LocalDate): LocalDate? {
        val which = longest(mapOf("this" to 0, "coming" to 0, "next" to 1))
        val weekday = WEEKDAYS[word()] ?: return null
        val nextWeek = take("next", "week")
        return when {
            nextWeek || which == 1 -> today.with(next(DayOfWeek.MONDAY)).with(nextOrSame(weekday))
            which == 0 -> today.with(nextOrSame(weekday))
            else -> today.with(next(weekday))
        }
    }

    /** "The 3rd of May", "May 3rd", "3 May", "the 3rd", "2026-05-03". */
    private fun Phrase.date(today: LocalDate): LocalDate? {
        peek()?.let(ISO::matchEntire)?.let {
            word()
            return made { LocalDate.parse(it.value) }
        }
        take("the")
        val leading = MONTHS[peek()]?.also { word(); take("the") }
        val day = number() ?: return null
        val ordinal = word(ORDINALS)
        take("of")
        val month = leading ?: MONTHS[peek()]?.also { word() }
        if (month == null && !ordinal) return null
        val year = peek()?.toIntOrNull()?.takeIf { it in YEARS }?.also { word() }
        if (year != null) return month?.let { made { LocalDate.of(year, it, day) } }
        return generateSequence(today.withDayOfMonth(1)) { it.plusMonths(1) }.take(MONTHS_AHEAD)
            .filter { month == null || it.monthValue == month }
            .mapNotNull { made { it.withDayOfMonth(day) } }
            .firstOrNull { it >= today }
    }

    private fun <T> value(found: T?, ask: Question): Said<T> =
        if (found == null) Said.Unclear(ask) else Said.Value(found)

    private fun made(make: () -> LocalDate): LocalDate? = try {
        make()
    } catch (_: DateTimeException) {
        null
    }

    private companion object {
        const val MINUTES_A_DAY = 24L * 60
        const val MONTHS_AHEAD = 49
        val YEARS = 2000..2199
        val ISO = Regex("\\d{4}-\\d{2}-\\d{2}")
        val FILLERS = setOf("at", "on", "by", "for", "around", "about", "from")
        val ORDINALS = setOf("st", "nd", "rd", "th")
        val WEEKDAYS = DayOfWeek.entries.associateBy { it.name.lowercase() }
        val GROUPS = mapOf(
            "day" to DayOfWeek.entries.toSet(),
            "weekday" to DayOfWeek.entries.take(5).toSet(),
            "weekdays" to DayOfWeek.entries.take(5).toSet(),
            "weekend" to DayOfWeek.entries.drop(5).toSet(),
            "weekends" to DayOfWeek.entries.drop(5).toSet(),
        )
        val MONTHS = java.time.Month.entries.associate { it.name.lowercase() to it.value }
        val LEVELS = mapOf(
            "maximum" to 100, "the maximum" to 100, "max" to 100, "full" to 100, "all the way up" to 100,
            "half" to 50, "halfway" to 50,
            "minimum" to 0, "the minimum" to 0, "min" to 0, "zero" to 0, "mute" to 0, "off" to 0,
        )
    }
}

/** A time as it was said: the half of the day may still be open. */
internal class Clock(val hour: Int, val minute: Int, val isSure: Boolean)

/** The parts of a day, and when they begin for whoever says no time. */
internal enum class Part(val hour: Int) { MORNING(9), AFTERNOON(15), EVENING(19), NIGHT(21) }

internal val PARTS: Map<String, Part> = Part.entries.associateBy { it.name.lowercase() }

private class Parts {
    var day: LocalDate? = null
    var clock: Clock? = null
    var part: Part? = null
    var length: Duration? = null

    val isEmpty: Boolean get() = day == null && clock == null && part == null && length == null

    fun time(bare: Bare): LocalTime? {
        val said = clock ?: return part?.let { LocalTime.of(it.hour, 0) }
        val hour = said.hour
        val adjusted = when {
            said.isSure || hour == 0 || hour > NOON -> hour
            part == Part.MORNING -> hour % NOON
            part == Part.NIGHT && (hour == NOON || hour < SMALL_HOURS) -> hour % NOON
            part != null -> hour % NOON + NOON
            bare == Bare.BY_DAY && hour <= LAST_BARE -> hour + NOON
            else -> hour
        }
        return LocalTime.of(adjusted, said.minute)
    }

    private companion object {
        const val NOON = 12
        const val SMALL_HOURS = 5
        const val LAST_BARE = 6
    }
}

/** Puts [value] where nothing stands yet; null where something does. */
private fun <T : Any> T?.fill(value: T, put: (T) -> Unit): Boolean? =
    if (this == null) true.also { put(value) } else null
