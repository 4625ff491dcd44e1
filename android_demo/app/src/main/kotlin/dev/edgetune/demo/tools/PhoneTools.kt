package dev.edgetune.demo.tools

import android.content.Context
import dev.edgetune.core.values.SaidReader
import dev.edgetune.demo.R
import dev.edgetune.demo.assistant.Call
import java.time.LocalDateTime

/**
 * The tools of `phone_actions`, by name: each turns a call into a [Plan] of the framework's own intents
 * and services. Whatever else a bundle calls, this phone has no function for.
 */
class PhoneTools(private val context: Context, private val now: () -> LocalDateTime) {
    private val words = Words(context)

    private val tools: Map<String, PhoneTool> = buildMap {
        val reader = { SaidReader(now()) }
        put("set_alarm", AlarmTool(words, reader, now))
        put("set_timer", TimerTool(words, reader))
        put("set_reminder", ReminderTool(words, reader))
        put("create_event", EventTool(words, reader))
        put("send_message", MessageTool(words))
        put("make_call", CallTool(words))
        put("navigate", MapTool(words))
        put("play_music", MusicTool(words))
        put("search_web", SearchTool(words))
        put("change_setting", SettingTool(words))
        put("set_level", LevelTool(words, reader))
        put("take_screenshot", PictureTool(words))
    }

    val names: Set<String> get() = tools.keys

    fun plan(call: Call): Plan =
        tools[call.tool]?.plan(call) ?: Plan.Cannot(context.getString(R.string.tool_unknown, call.tool))
}
