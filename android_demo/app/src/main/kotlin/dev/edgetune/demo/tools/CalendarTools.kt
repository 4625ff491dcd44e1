package dev.edgetune.demo.tools

import android.content.Intent
import android.provider.CalendarContract
import android.provider.CalendarContract.Events
import dev.edgetune.core.values.Moment
import dev.edgetune.core.values.Said
import dev.edgetune.core.values.SaidReader
import dev.edgetune.demo.R
import dev.edgetune.demo.assistant.Call

/** A reminder is an entry of the calendar at its time: the phone's own calendar tells of it. */
class ReminderTool(private val words: Words, private val reader: () -> SaidReader) : PhoneTool {
    override fun plan(call: Call): Plan {
        val said = call.arguments["when"].orEmpty()
        val task = call.arguments["task"].orEmpty()
        return when (val moment = reader().moment(said)) {
            is Said.Unclear -> words.asks("when", said, moment)
            is Said.Value -> Plan.Ready(
                words.say(R.string.remind_of, task, words.saying(moment.value)),
                words.starting(entry(task, moment.value, null), R.string.calendar_done),
            )
        }
    }
}

/** A new entry of the calendar, opened there to be looked at and saved. */
class EventTool(private val words: Words, private val reader: () -> SaidReader) : PhoneTool {
    override fun plan(call: Call): Plan {
        val (day, time) = call.arguments["day"] to call.arguments["time"]
        val title = call.arguments["title"].orEmpty()
        val place = call.arguments["place"]
        val moment = if (day == null && time == null) null else {
            when (val said = reader().moment(day, time)) {
                is Said.Unclear -> return unclear(day, time, said)
                is Said.Value -> said.value
            }
        }
        val told = listOfNotNull(
            words.say(R.string.event_of, title),
            moment?.let(words::saying),
            place?.let { words.say(R.string.event_at, it) },
        )
        return Plan.Ready(
            told.joinToString("\n"),
            words.starting(entry(title, moment, place), R.string.calendar_done),
        )
    }

    /** Asks for the one of both that nobody understands, the time where each alone is clear. */
    private fun unclear(day: String?, time: String?, said: Said.Unclear): Plan {
        val dayIsClear = day == null || reader().moment(day) is Said.Value
        return if (time == null || !dayIsClear) words.asks("day", day.orEmpty(), said)
        else words.asks("time", time, said)
    }
}

private fun Words.saying(moment: Moment): String =
    if (moment.wholeDay) day(moment.at.toLocalDate()) else moment(moment.at)

private fun entry(title: String, moment: Moment?, place: String?): Intent {
    val intent = Intent(Intent.ACTION_INSERT, Events.CONTENT_URI).putExtra(Events.TITLE, title)
    moment?.let {
        intent.putExtra(CalendarContract.EXTRA_EVENT_BEGIN_TIME, Words.millis(it.at))
            .putExtra(CalendarContract.EXTRA_EVENT_ALL_DAY, it.wholeDay)
    }
    place?.let { intent.putExtra(Events.EVENT_LOCATION, it) }
    return intent
}
