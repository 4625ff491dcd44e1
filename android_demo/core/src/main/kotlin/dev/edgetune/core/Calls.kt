package dev.edgetune.core

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull

/** Reserved tool name: no tool is needed, the assistant answers in words. */
public const val RESPOND: String = "respond"

/**
 * A function that the model may call; [parameters] is a JSON Schema of type object.
 *
 * Nothing here knows how a call is rendered for a model or how it is decoded.
 */
public class Tool(
    /** What prompts, adapters and files call it. */
    public val name: String,
    public val description: String = "",
    public val parameters: JsonObject = JsonObject(emptyMap()),
    /** What its server calls it, where prompts and files can't (`files.read`). */
    public val original: String? = null,
) {
    /**
     * What records, steps and results call it: as its server does, unless that is `respond`, which
     * says there that no tool is needed.
     */
    public val publicName: String
        get() = if (original == null || original == RESPOND) name else original

    /** False where the arguments can only be `{}`: no adapter and no decoding is needed. */
    public val hasParameters: Boolean
        get() {
            val more = parameters["additionalProperties"]
            val closed = more == null || (more as? JsonPrimitive)?.booleanOrNull == false
            return !closed || HOLDS_PARAMETERS.any { parameters[it].isFilled() }
        }

    override fun toString(): String = "Tool($publicName)"
}

/** The tools of one source (one MCP server, one app), which one selector chooses among. */
public class Toolset(
    public val name: String,
    public val description: String,
    public val tools: List<Tool>,
) {
    /** The tool that is called so here, or by its server; null where there is none. */
    public operator fun get(name: String): Tool? =
        tools.firstOrNull { it.name == name || it.original == name }

    /** What a selector chooses among: every tool's name, then `respond`. */
    public val names: List<String>
        get() = tools.map { it.name } + RESPOND

    /** What steps and results call the tool of this name; `respond` is called so by everyone. */
    internal fun publicName(name: String): String =
        if (name == RESPOND) name else this[name]?.publicName ?: name

    override fun toString(): String = "Toolset($name, ${tools.size} tools)"
}

/** Keywords of a JSON Schema by which an object may have keys. */
private val HOLDS_PARAMETERS =
    listOf("properties", "patternProperties", "\$ref", "allOf", "anyOf", "oneOf")

private fun JsonElement?.isFilled(): Boolean = when (this) {
    null, JsonNull -> false
    is JsonObject -> isNotEmpty()
    is JsonArray -> isNotEmpty()
    is JsonPrimitive -> if (isString) content.isNotEmpty() else booleanOrNull ?: (content != "0")
}
