package dev.edgetune.core

import java.io.File
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

private const val ORIGINAL_NAME = "original_name"

/**
 * The toolsets of `tools.json` by name: `{"toolsets": [{"name", "description", "tools": […]}]}`, each
 * tool in the OpenAI function format.
 *
 * Checks the shape that the rest relies on; whether a JSON Schema is a valid one is not known here.
 * Throws [BundleException].
 */
internal fun readToolsets(file: File): Map<String, Toolset> {
    val value = readJson(file)
    val entries = (value as? JsonObject)?.get("toolsets") as? JsonArray
    if (entries.isNullOrEmpty()) {
        throw BundleException("$file: expected {\"toolsets\": [...]} with at least one toolset.")
    }
    val toolsets = LinkedHashMap<String, Toolset>()
    entries.forEachIndexed { index, entry ->
        val toolset = parseToolset(entry, "$file: toolsets[$index]")
        if (toolsets.put(toolset.name, toolset) != null) {
            throw BundleException("$file: two toolsets are named '${toolset.name}'; export again.")
        }
    }
    return toolsets
}

/** Hash of a toolset's content; the order of properties counts, since prompts show it. */
internal fun toolsetSha256(toolset: Toolset): String {
    val entry = JsonObject(
        linkedMapOf(
            "name" to JsonPrimitive(toolset.name),
            "description" to JsonPrimitive(toolset.description),
            "tools" to JsonArray(toolset.tools.map(::dumpTool)),
        ),
    )
    return sha256(compactJson(entry).encodeToByteArray())
}

private fun dumpTool(tool: Tool): JsonElement {
    val function = linkedMapOf<String, JsonElement>(
        "name" to JsonPrimitive(tool.name),
        "description" to JsonPrimitive(tool.description),
    )
    if (tool.parameters.isNotEmpty()) function["parameters"] = tool.parameters
    val entry = linkedMapOf("type" to JsonPrimitive("function"), "function" to JsonObject(function))
    if (tool.original != null) entry[ORIGINAL_NAME] = JsonPrimitive(tool.original)
    return JsonObject(entry)
}

private fun parseToolset(value: JsonElement, where: String): Toolset {
    val entry = value as? JsonObject
    val tools = entry?.get("tools") as? JsonArray
    if (entry == null || tools == null) {
        throw BundleException(
            "$where: expected an object with 'name', 'description' and 'tools'; export again.",
        )
    }
    val parsed = tools.mapIndexed { index, tool -> parseTool(tool, "$where.tools[$index]") }
    val known = parsed.flatMap { setOf(it.original ?: it.name, it.name) }
    val doubled = known.groupingBy { it }.eachCount().entries.firstOrNull { it.value > 1 }?.key
    if (doubled != null || RESPOND in parsed.map { it.name }) {
        throw BundleException(
            "$where: ${doubled?.let { "two tools are" } ?: "a tool is"} named " +
                "'${doubled ?: RESPOND}'; export the bundle again.",
        )
    }
    return Toolset(text(entry, "name", where), text(entry, "description", where, ""), parsed)
}

private fun parseTool(value: JsonElement, where: String): Tool {
    val entry = value as? JsonObject
    val function = entry?.get("function") as? JsonObject
    val type = entry?.get("type") ?: JsonPrimitive("function")
    if (entry == null || function == null || type != JsonPrimitive("function")) {
        throw BundleException("$where: expected the OpenAI function format; export again.")
    }
    val name = text(function, "name", "$where.function")
    val parameters = when (val found = function["parameters"]) {
        null, JsonNull -> JsonObject(emptyMap())
        is JsonObject -> found
        else -> throw BundleException("$where.function.parameters: expected a JSON Schema for '$name'.")
    }
    if ((parameters["properties"] ?: parameters) !is JsonObject) {
        throw BundleException("$where.function.parameters.properties: expected an object for '$name'.")
    }
    val original = if (ORIGINAL_NAME in entry) text(entry, ORIGINAL_NAME, where) else null
    return Tool(name, text(function, "description", "$where.function", ""), parameters, original)
}

private fun text(value: JsonObject, key: String, where: String, default: String? = null): String {
    val found = value[key] as? JsonPrimitive
    if (found == null && key !in value && default != null) return default
    if (found == null || !found.isString || (default == null && found.content.isEmpty())) {
        throw BundleException(
            "$where.$key: found ${value[key]?.toString()?.take(60)} where a text was expected; " +
                "export the bundle again.",
        )
    }
    return found.content
}
