package dev.edgetune.demo.tools

/** A call, what the sheet says of it, what is said when it is done, and all that [happens] to the phone. */
class Trial(
    val tool: String,
    val arguments: Map<String, String>,
    val words: String,
    val done: String,
    val happens: Map<String, String>,
)

/** Requests to every tool of `phone_actions`. */
val TRIALS: Map<String, Trial> = mapOf(
    "wake me at half past six" to Trial(
        "set_alarm", mapOf("time" to "half past six"), "Set an alarm for 6:30", "given to the clock",
        intent("android.intent.action.SET_ALARM", "HOUR" to 6, "MINUTES" to 30, "SKIP_UI" to true),
    ),
    "set a timer for 5 minutes" to Trial(
        "set_timer", mapOf("duration" to "5 minutes"), "Start a timer of 5 minutes", "given to the clock",
        intent("android.intent.action.SET_TIMER", "LENGTH" to 300, "SKIP_UI" to true),
    ),
    "remind me to call Tim at eight tonight" to Trial(
        "set_reminder", mapOf("task" to "call Tim", "when" to "8 pm"), "Remind you to call Tim", "open in the calendar",
        intent(
            "android.intent.action.INSERT",
            "title" to "call Tim", "allDay" to false, "beginTime" to millis("2026-06-17T20:00"),
        ) + mapOf("data" to "content://com.android.calendar/events"),
    ),
    "put the dentist into my calendar" to Trial(
        "create_event", mapOf("title" to "dentist"), "Put “dentist” into the calendar", "open in the calendar",
        intent("android.intent.action.INSERT", "title" to "dentist") +
            mapOf("data" to "content://com.android.calendar/events"),
    ),
    "text 555 0199 that I'm late" to Trial(
        "send_message", mapOf("contact" to "555 0199", "text" to "I'm late"),
        "Write a message to 555 0199", "send it there",
        intent("android.intent.action.SENDTO", "sms_body" to "I'm late") + mapOf("data" to "smsto:555%200199"),
    ),
    "call 555 0199" to Trial(
        "make_call", mapOf("contact" to "555 0199"), "Call 555 0199", "call from there",
        intent("android.intent.action.DIAL") + mapOf("data" to "tel:555%200199"),
    ),
    "how do I get to Mill Lane?" to Trial(
        "navigate", mapOf("destination" to "Mill Lane"), "Show the way to Mill Lane", "on the map",
        intent("android.intent.action.VIEW") + mapOf("data" to "geo:0,0?q=Mill%20Lane"),
    ),
    "play some jazz" to Trial(
        "play_music", mapOf("genre" to "jazz"), "Play jazz", "asked to play it",
        intent(
            "android.media.action.MEDIA_PLAY_FROM_SEARCH",
            "focus" to "vnd.android.cursor.item/genre", "genre" to "jazz", "query" to "jazz",
        ),
    ),
    "switch the wifi off" to Trial(
        "change_setting", mapOf("setting" to "wifi", "state" to "off"), "Switch off Wi-Fi", "panel is open",
        intent("android.settings.panel.action.WIFI"),
    ),
    "light, please" to Trial(
        "change_setting", mapOf("setting" to "flashlight", "state" to "on"), "Switch on the flashlight", "Done.",
        mapOf("lamp" to "true"),
    ),
    "not so loud" to Trial(
        "set_level", mapOf("target" to "volume", "percent" to "20"), "Set the volume to 20 %", "Done.",
        mapOf("volume" to "3"),
    ),
    "search for banana bread" to Trial(
        "search_web", mapOf("query" to "banana bread"), "Search the web for “banana bread”", "search is open",
        intent("android.intent.action.WEB_SEARCH", "query" to "banana bread"),
    ),
    "take a screenshot" to Trial(
        "take_screenshot", emptyMap(), "Take a picture of this window", "The picture is edgetune-",
        mapOf("picture" to "PNG"),
    ),
)

/** What [Phone] says of an intent with these [extras], named by their last words. */
private fun intent(action: String, vararg extras: Pair<String, Any>): Map<String, String> =
    mapOf("intent" to action) + extras.associate { (name, value) -> name to value.toString() }
