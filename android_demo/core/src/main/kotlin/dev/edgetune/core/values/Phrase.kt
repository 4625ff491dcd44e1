package dev.edgetune.core.values

import java.time.Duration
import java.time.LocalTime
import kotlin.math.roundToLong

/**
 * The words of something said, read from left to right: numbers, durations and clock times.
 *
 * Knows no calendar. Whatever returns null may have moved on; [tryAll] goes back.
 */
internal class Phrase private constructor(private val words: List<String>) {
    var at: Int = 0
        private set

    val isOver: Boolean get() = at == words.size

    fun peek(ahead: Int = 0): String? = words.getOrNull(at + ahead)

    fun word(): String? = peek()?.also { at++ }

    fun word(among: Set<String>): Boolean = (peek() in among).also { if (it) at++ }

    /** Takes [expected] if these are the next words. */
    fun take(vararg expected: String): Boolean {
        val found = expected.withIndex().all { (ahead, word) -> peek(ahead) == word }
        if (found) at += expected.size
        return found
    }

    /** What the first of [readers] gives that knows the next words. */
    fun <T> tryAll(vararg readers: Phrase.() -> T?): T? {
        val start = at
        for (reader in readers) {
            reader()?.let { return it }
            at = start
        }
        return null
    }

    /** The meaning of the longest key of [phrases] that comes next. */
    fun <T> longest(phrases: Map<String, T>): T? {
        val found = phrases.keys.map { it.split(' ') }.filter { key ->
            key.withIndex().all { (ahead, word) -> peek(ahead) == word }
        }.maxByOrNull { it.size } ?: return null
        at += found.size
        return phrases.getValue(found.joinToString(" "))
    }

    /** "7", "seven", "forty five", "a hundred", "two hundred and ten". */
    fun number(): Int? = tryAll({ hundreds() }, { below100() })

    private fun hundreds(): Int? {
        val count = if (take("a")) 1 else below100() ?: return null
        if (!take("hundred")) return null
        return HUNDRED * count + (tryAll({ take("and"); below100() }) ?: 0)
    }

    private fun below100(): Int? {
        val word = word() ?: return null
        if (DIGITS.matches(word)) return word.toInt()
        TENS[word]?.let { tens -> return tens + (tryAll({ UNITS[word()]?.takeIf { it in 1..9 } }) ?: 0) }
        return UNITS[word]
    }

    /** One or several amounts of a unit of time: "1 hour and 20 minutes", "an hour and a half". */
    fun duration(): Duration? {
        var seconds = tryAll({ amountOfTime() }) ?: return null
        while (true) seconds += tryAll({ take("and"); amountOfTime() }) ?: break
        return Duration.ofSeconds(seconds)
    }

    private fun amountOfTime(): Long? {
        val amount = amount() ?: return null
        val unit = UNITS_OF_TIME[word()] ?: return null
        val half = tryAll({ if (take("and", "a", "half")) true else null }) != null
        return ((amount + if (half) HALF else 0.0) * unit).roundToLong()
    }

    private fun amount(): Double? = longest(FRACTIONS) ?: tryAll(
        { number()?.toDouble()?.let { if (take("and", "a", "half")) it + HALF else it } },
        { word()?.takeIf(DECIMAL::matches)?.toDouble() },
        { if (word() in ONE) 1.0 else null },
    )

    /** A time that a word of its own has: "noon", "after work". */
    fun fixed(): Clock? = longest(FIXED)?.let { Clock(it.hour, it.minute, isSure = true) }

    /** "In the morning", "at night"; behind a day the part alone. */
    fun part(): Part? {
        if (take("in")) take("the") else take("at")
        return PARTS[word()]
    }

    /** "7:30 am", "half past seven", "ten to six", "seven forty five", "7 o'clock", "7". */
    fun clock(): Clock? = tryAll({ besideClock() }, { halved(tryAll({ digital() }, { spelt() })) })

    /** "Half past seven", "20 minutes to six pm": of [clock] what begins as a duration could. */
    fun besideClock(): Clock? = halved(beside())

    /** [said], in the half of the day that follows. */
    private fun halved(said: Clock?): Clock? {
        if (said == null) return null
        take("o'clock") || take("oclock")
        val after = longest(HALVES) ?: return said.takeIf { it.hour < HOURS && it.minute < MINUTES }
        return if (said.hour in 1..NOON && said.minute < MINUTES) {
            Clock(said.hour % NOON + after, said.minute, isSure = true)
        } else {
            null
        }
    }

    /** So many minutes before or after an hour. */
    private fun beside(): Clock? {
        take("a")
        val minutes = longest(BESIDE) ?: number()?.also { take("minutes") || take("minute") } ?: return null
        val isAfter = take("past") || take("after")
        if (!isAfter && !take("to")) return null
        val hour = number()?.takeIf { it in 0 until HOURS && minutes in 1 until MINUTES } ?: return null
        return when {
            isAfter -> Clock(hour, minutes, isSure = false)
            hour == 1 -> Clock(NOON, MINUTES - minutes, isSure = false)
            else -> Clock((hour + HOURS - 1) % HOURS, MINUTES - minutes, isSure = false)
        }
    }

    private fun digital(): Clock? {
        val (hour, minute) = CLOCK.matchEntire(word() ?: return null)?.destructured ?: return null
        return Clock(hour.toInt(), minute.toInt(), isSure = false)
    }

    private fun spelt(): Clock? {
        val hour = number() ?: return null
        if (peek() in UNITS_OF_TIME || peek() == "percent") return null
        val minute = tryAll(
            { if (take("oh") || take("o")) UNITS[word()]?.takeIf { it in 1..9 } else null },
            { number()?.takeIf { it in FIRST_SPELT until MINUTES } },
        )
        return Clock(hour, minute ?: 0, isSure = false)
    }

    companion object {
        private const val HUNDRED = 100
        private const val HALF = 0.5
        private const val NOON = 12
        private const val HOURS = 24
        private const val MINUTES = 60
        private const val FIRST_SPELT = 10
        private val DIGITS = Regex("\\d{1,4}")
        private val DECIMAL = Regex("\\d{1,4}\\.\\d{1,2}")
        private val CLOCK = Regex("(\\d{1,2})[:.](\\d{2})")
        private val ONE = setOf("a", "an")

        private val UNITS = listOf(
            "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
            "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
            "nineteen",
        ).withIndex().associate { (value, word) -> word to value }

        private val TENS = listOf(
            "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
        ).withIndex().associate { (index, word) -> word to 10 * (index + 2) }

        private val UNITS_OF_TIME = listOf(
            1 to listOf("second", "seconds", "sec", "secs", "s"),
            60 to listOf("minute", "minutes", "min", "mins", "m"),
            3_600 to listOf("hour", "hours", "hr", "hrs", "h"),
            86_400 to listOf("day", "days"),
            604_800 to listOf("week", "weeks"),
        ).flatMap { (seconds, names) -> names.map { it to seconds } }.toMap()

        private val FRACTIONS = mapOf(
            "half an" to HALF, "half a" to HALF, "a half" to HALF,
            "a quarter of an" to 0.25, "quarter of an" to 0.25, "three quarters of an" to 0.75,
        )

        private val BESIDE = mapOf("half" to 30, "quarter" to 15)

        /** How many hours the halves of the day begin after midnight. */
        private val HALVES = mapOf("am" to 0, "a m" to 0, "pm" to NOON, "p m" to NOON)

        /** What a day's own words mean to somebody who wants to be told something then. */
        private val FIXED = mapOf(
            "noon" to LocalTime.of(12, 0), "midday" to LocalTime.of(12, 0),
            "midnight" to LocalTime.of(0, 0),
            "first thing in the morning" to LocalTime.of(8, 0),
            "first thing" to LocalTime.of(8, 0),
            "after breakfast" to LocalTime.of(9, 0),
            "before lunch" to LocalTime.of(11, 30), "at lunchtime" to LocalTime.of(12, 30),
            "after lunch" to LocalTime.of(13, 30), "after work" to LocalTime.of(18, 0),
            "before dinner" to LocalTime.of(18, 0), "after dinner" to LocalTime.of(20, 0),
            "before bed" to LocalTime.of(22, 0),
        )

        /** [text] in lower case, one word for each thing that stands for itself: `7am` is two. */
        fun of(text: String): Phrase {
            val plain = text.lowercase().replace('’', '\'')
                .replace(Regex("\\b([ap])\\.m\\b\\.?"), "$1m")
                .replace("per cent", "percent").replace("%", " percent ")
                .replace(Regex("[,;!?]|\\.(?=\\s|$)"), " ")
                .replace(Regex("-(?=[a-z])|(?<=[a-z])-"), " ")
                .replace(Regex("(?<=\\d)(?=[a-z])|(?<=[a-z])(?=\\d)"), " ")
            return Phrase(plain.split(' ', '\t', '\n').filter(String::isNotEmpty))
        }
    }
}
