package dev.edgetune.demo.tools

import android.content.Intent
import android.provider.AlarmClock
import dev.edgetune.core.values.Said
import dev.edgetune.core.values.SaidReader
import dev.edgetune.demo.R
import dev.edgetune.demo.assistant.Call
import java.time.DayOfWeek
import java.time.LocalDate
import java.time.LocalDateTime
import java.time.LocalTime
import java.util.Calendar

/**
 * Alarms of the phone's own clock, which knows times and days of the week but no dates: an alarm of a
 * day that is not the next one at this time repeats on that weekday, as the words say.
 */
class AlarmTool(
    private val words: Words,
    private val reader: () -> SaidReader,
    private val now: () -> LocalDateTime,
) : PhoneTool {
    override fun plan(call: Call): Plan {
        val said = call.arguments["time"].orEmpty()
        val time = when (val time = reader().time(said)) {
            is Said.Unclear -> return words.asks("time", said, time)
            is Said.Value -> time.value
        }
        val day = call.arguments["day"] ?: return ready(call, time, emptySet())
        reader().weekly(day)?.let { return ready(call, time, it) }
        return when (val on = reader().day(day)) {
            is Said.Unclear -> words.asks("day", day, on)
            is Said.Value -> onDay(call, time, on.value)
        }
    }

    private fun onDay(call: Call, time: LocalTime, day: LocalDate): Plan {
        val today = now().toLocalDate()
        val next = if (today.atTime(time) > now()) today else today.plusDays(1)
        return when {
            day == next -> ready(call, time, emptySet())
            day < next || day > today.plusDays(DAYS_AHEAD) ->
                Plan.Cannot(words.say(R.string.alarm_too_far, words.day(day)))
            else -> ready(call, time, setOf(day.dayOfWeek))
        }
    }

    private fun ready(call: Call, time: LocalTime, days: Set<DayOfWeek>): Plan {
        val intent = Intent(AlarmClock.ACTION_SET_ALARM)
            .putExtra(AlarmClock.EXTRA_HOUR, time.hour)
            .putExtra(AlarmClock.EXTRA_MINUTES, time.minute)
            .putExtra(AlarmClock.EXTRA_SKIP_UI, true)
        call.arguments["label"]?.let { intent.putExtra(AlarmClock.EXTRA_MESSAGE, it) }
        if (days.isNotEmpty()) {
            intent.putIntegerArrayListExtra(AlarmClock.EXTRA_DAYS, ArrayList(days.map(::calendarDay)))
        }
        val at = words.time(time)
        val told = when {
            days.isEmpty() -> words.say(R.string.alarm_at, at)
            else -> words.say(R.string.alarm_every, at, days.joinToString { weekday(it) })
        }
        val label = call.arguments["label"]?.let { "\n" + words.say(R.string.called, it) }.orEmpty()
        return Plan.Ready(told + label, words.starting(intent, R.string.alarm_done))
    }

    private fun weekday(day: DayOfWeek): String =
        day.getDisplayName(java.time.format.TextStyle.FULL, words.context.resources.configuration.locales[0])

    private companion object {
        const val DAYS_AHEAD = 7L

        /** Calendar counts from Sunday, as 1. */
        fun calendarDay(day: DayOfWeek): Int =
            if (day == DayOfWeek.SUNDAY) Calendar.SUNDAY else day.value + 1
    }
}

/** Timers of the phone's own clock. */
class TimerTool(private val words: Words, private val reader: () -> SaidReader) : PhoneTool {
    override fun plan(call: Call): Plan {
        val said = call.arguments["duration"].orEmpty()
        val length = when (val length = reader().duration(said)) {
            is Said.Unclear -> return words.asks("duration", said, length)
            is Said.Value -> length.value
        }
        if (length.seconds > LONGEST) return Plan.Cannot(words.say(R.string.timer_too_long))
        val intent = Intent(AlarmClock.ACTION_SET_TIMER)
            .putExtra(AlarmClock.EXTRA_LENGTH, length.seconds.toInt())
            .putExtra(AlarmClock.EXTRA_SKIP_UI, true)
        val label = call.arguments["label"]
        label?.let { intent.putExtra(AlarmClock.EXTRA_MESSAGE, it) }
        val told = words.say(R.string.timer_of, words.length(length)) +
            label?.let { "\n" + words.say(R.string.called, it) }.orEmpty()
        return Plan.Ready(told, words.starting(intent, R.string.timer_done))
    }

    private companion object {
        /** What AlarmClock.EXTRA_LENGTH takes: a day. */
        const val LONGEST = 86_400
    }
}
