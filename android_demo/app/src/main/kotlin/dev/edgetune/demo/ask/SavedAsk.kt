package dev.edgetune.demo.ask

import dev.edgetune.demo.assistant.Times
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** So many exchanges outlive the process: what is saved has to fit into what Android keeps. */
private const val KEPT = 40

/** The conversation as text, for the time that the process is away. */
fun saved(exchanges: List<Exchange>): String =
    JSONArray(exchanges.takeLast(KEPT).map(::json)).toString()

/**
 * The conversation that [saved] wrote; what was running then is stopped now. Nothing where the text is
 * not of that kind: a conversation is never worth a crash.
 */
fun restored(text: String): List<Exchange> = try {
    val array = JSONArray(text)
    List(array.length()) { exchange(array.getJSONObject(it)) }
} catch (_: JSONException) {
    emptyList()
} catch (_: IllegalArgumentException) {
    emptyList()
}

private fun json(exchange: Exchange): JSONObject = with(exchange) {
    JSONObject().put("request", request).put("toolset", toolset ?: JSONObject.NULL)
        .put("chances", JSONArray(chances.map { (name, chance) -> JSONArray(listOf(name, chance)) }))
        .put("arguments", JSONArray(arguments.map { JSONArray(listOf(it.text, it.forced)) }))
        .put("times", times?.let(::json) ?: JSONObject.NULL)
        .put("result", result).put("reply", reply).put("end", end.name).put("problem", problem)
}

private fun json(times: Times): JSONArray = JSONArray(
    listOf(times.swapMs, times.chooseMs, times.writeMs, times.prefillTokens, times.decodeSteps),
)

private fun exchange(json: JSONObject): Exchange {
    val end = End.valueOf(json.getString("end"))
    return Exchange(
        json.getString("request"),
        if (json.isNull("toolset")) null else json.getString("toolset"),
        pairs(json.getJSONArray("chances")) { it.getString(0) to it.getDouble(1) },
        pairs(json.getJSONArray("arguments")) { Piece(it.getString(0), it.getBoolean(1)) },
        json.optJSONArray("times")?.let {
            Times(it.getDouble(0), it.getDouble(1), it.getDouble(2), it.getInt(3), it.getInt(4))
        },
        json.getString("result"),
        json.getString("reply"),
        if (end == End.RUNNING) End.STOPPED else end,
        json.getString("problem"),
    )
}

private fun <T> pairs(array: JSONArray, read: (JSONArray) -> T): List<T> =
    List(array.length()) { read(array.getJSONArray(it)) }
