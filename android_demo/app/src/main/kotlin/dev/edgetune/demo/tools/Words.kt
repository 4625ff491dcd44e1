package dev.edgetune.demo.tools

import android.content.Context
import android.content.Intent
import android.text.format.DateFormat
import android.text.format.DateUtils
import dev.edgetune.core.values.Question
import dev.edgetune.core.values.Said
import dev.edgetune.demo.R
import java.time.Duration
import java.time.LocalDate
import java.time.LocalDateTime
import java.time.LocalTime
import java.time.ZoneId

/** How the tools speak: in the phone's language, with its own clock and calendar. */
class Words(val context: Context) {
    fun say(id: Int, vararg with: Any): String = context.getString(id, *with)

    fun time(time: LocalTime): String = format(LocalDate.now().atTime(time), DateUtils.FORMAT_SHOW_TIME)

    fun day(day: LocalDate): String = format(day.atTime(NOON, 0), DAY)

    fun moment(at: LocalDateTime): String = format(at, DAY or DateUtils.FORMAT_SHOW_TIME)

    /** "1 hour, 20 minutes". */
    fun length(length: Duration): String {
        val parts = listOf(
            R.plurals.hours to length.toHours().toInt(),
            R.plurals.minutes to (length.toMinutes() % SIXTY).toInt(),
            R.plurals.seconds to (length.seconds % SIXTY).toInt(),
        )
        return parts.filter { it.second > 0 }
            .joinToString { (id, count) -> context.resources.getQuantityString(id, count, count) }
    }

    private fun format(at: LocalDateTime, flags: Int): String {
        val clock = if (DateFormat.is24HourFormat(context)) DateUtils.FORMAT_24HOUR else DateUtils.FORMAT_12HOUR
        return DateUtils.formatDateTime(context, millis(at), flags or clock)
    }

    /** The question that stands for an [unclear] argument. */
    fun asks(argument: String, said: String, unclear: Said.Unclear): Plan.Asks = Plan.Asks(
        argument,
        said,
        say(
            when (unclear.ask) {
                Question.HOW_LONG -> R.string.ask_how_long
                Question.WHAT_TIME -> R.string.ask_what_time
                Question.WHICH_DAY -> R.string.ask_which_day
                Question.WHEN -> R.string.ask_when
                Question.HOW_MUCH -> R.string.ask_how_much
            },
        ),
    )

    /** Starts [intent] and says [done], or that the phone has no app for it. */
    fun starting(intent: Intent, done: Int = R.string.done): Deed = Deed { hand ->
        say(if (hand.start(intent)) done else R.string.no_app)
    }

    companion object {
        private const val NOON = 12
        private const val SIXTY = 60
        private const val DAY =
            DateUtils.FORMAT_SHOW_WEEKDAY or DateUtils.FORMAT_SHOW_DATE or DateUtils.FORMAT_ABBREV_MONTH

        /** Milliseconds since 1970 of a time here. */
        fun millis(at: LocalDateTime): Long = at.atZone(ZoneId.systemDefault()).toInstant().toEpochMilli()
    }
}
