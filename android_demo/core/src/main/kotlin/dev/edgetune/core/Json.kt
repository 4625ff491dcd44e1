package dev.edgetune.core

import java.io.File
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** The deepest that values of a bundle nest: a parser must not run out of stack over them. */
private const val DEEPEST = 500

/** The JSON value in [file]. Throws [BundleException] where there is none. */
internal fun readJson(file: File): JsonElement = parseJson(readSmall(file), file)

/** [content] as a JSON value; [file] names it in a [BundleException]. */
internal fun parseJson(content: ByteArray, file: File): JsonElement {
    if (depth(content) > DEEPEST) {
        throw BundleException("$file: nests deeper than $DEEPEST levels; export the bundle again.")
    }
    try {
        return Json.parseToJsonElement(content.decodeToString(throwOnInvalidSequence = true))
    } catch (error: IllegalArgumentException) {
        throw unreadable(file, error)
    } catch (error: CharacterCodingException) {
        throw unreadable(file, error)
    }
}

private fun unreadable(file: File, error: Exception): BundleException {
    val what = error.message.orEmpty().lineSequence().first().take(200)
    return BundleException("$file: cannot be read ($what); export the bundle again.", error)
}

/** How deep objects and lists nest in a JSON text; brackets inside strings don't count. */
private fun depth(content: ByteArray): Int {
    var depth = 0
    var deepest = 0
    var quoted = false
    var index = 0
    while (index < content.size) {
        when (content[index].toInt().toChar()) {
            '\\' -> if (quoted) index++
            '"' -> quoted = !quoted
            '{', '[' -> if (!quoted) deepest = maxOf(deepest, ++depth)
            '}', ']' -> if (!quoted) depth--
        }
        index++
    }
    return deepest
}

/** [value] without spaces, as Python's `json.dumps(…, ensure_ascii=False)` writes it. */
internal fun compactJson(value: JsonElement): String = buildString { appendJson(value) }

private fun StringBuilder.appendJson(value: JsonElement) {
    when (value) {
        is JsonObject -> {
            append('{')
            value.entries.forEachIndexed { index, (key, child) ->
                if (index > 0) append(',')
                append('"').append(escaped(key)).append("\":")
                appendJson(child)
            }
            append('}')
        }
        is JsonArray -> {
            append('[')
            value.forEachIndexed { index, child ->
                if (index > 0) append(',')
                appendJson(child)
            }
            append(']')
        }
        is JsonPrimitive ->
            if (value.isString) {
                append('"').append(escaped(value.content)).append('"')
            } else {
                append(value.content)
            }
    }
}

/** [text] as it stands between the quotes of a JSON string. */
internal fun escaped(text: String): String {
    if (text.none { it == '"' || it == '\\' || it < ' ' }) return text
    return buildString(text.length + 8) {
        for (character in text) {
            when {
                character == '"' -> append("\\\"")
                character == '\\' -> append("\\\\")
                character == '\n' -> append("\\n")
                character == '\r' -> append("\\r")
                character == '\t' -> append("\\t")
                character == '\b' -> append("\\b")
                character == '\u000c' -> append("\\f")
                character < ' ' -> append("\\u").append(character.code.toString(16).padStart(4, '0'))
                else -> append(character)
            }
        }
    }
}
