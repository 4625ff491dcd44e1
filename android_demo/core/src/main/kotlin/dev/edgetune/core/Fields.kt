package dev.edgetune.core

import java.io.File
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.doubleOrNull
import kotlinx.serialization.json.longOrNull

/**
 * The fields of one object of a JSON file, each taken with its type.
 *
 * What is missing, of another type or (where [strict]) not asked for becomes a [BundleException] that
 * names the file and the place.
 */
internal class Fields private constructor(
    private val value: JsonObject,
    private val where: String,
    private val strict: Boolean,
) {
    private val asked = HashSet<String>()

    fun text(key: String): String = primitive(key, "a text") { it.takeIf { it.isString }?.content }

    fun int(key: String): Int = primitive(key, "a whole number") { whole(it)?.toInt() }

    fun long(key: String): Long =
        primitive(key, "a whole number") { if (it.isString) null else it.longOrNull }

    fun double(key: String): Double =
        primitive(key, "a number") { if (it.isString) null else it.doubleOrNull }

    fun flag(key: String): Boolean =
        primitive(key, "true or false") { if (it.isString) null else it.booleanOrNull }

    fun ints(key: String): List<Int> = list(key) { place, each ->
        (each as? JsonPrimitive)?.let(::whole)?.toInt() ?: throw wrong(place, each, "a whole number")
    }

    fun texts(key: String): List<String> = list(key) { place, each ->
        (each as? JsonPrimitive)?.takeIf { it.isString }?.content ?: throw wrong(place, each, "a text")
    }

    fun <T> objects(key: String, read: Fields.() -> T): List<T> =
        list(key) { place, each -> within(each, place, strict, read) }

    fun <T> obj(key: String, read: Fields.() -> T): T =
        within(required(key, "an object"), place(key), strict, read)

    /** An object whose keys are names: each with its value. */
    fun <T> map(key: String, read: Fields.(key: String) -> T): Map<String, T> {
        val found = required(key, "an object")
        return within(found, place(key), strict) { value.keys.associateWith { read(it) } }
    }

    /** What [read] gives, or null where the field is missing or null. */
    fun <T> ifThere(key: String, read: (key: String) -> T): T? {
        asked.add(key)
        val found = value[key]
        return if (found == null || found == JsonNull) null else read(key)
    }

    fun element(key: String): JsonElement = required(key, "a value")

    fun require(holds: Boolean, sentence: () -> String) {
        if (!holds) throw BundleException("$where: ${sentence()}; export the bundle again.")
    }

    /** Where a field stands: `FILE: a.b[0].c`. */
    private fun place(key: String) = if (where.endsWith(":")) "$where $key" else "$where.$key"

    private fun whole(found: JsonPrimitive): Long? =
        found.takeIf { !it.isString }?.longOrNull?.takeIf { it in Int.MIN_VALUE..Int.MAX_VALUE }

    private fun <T> primitive(key: String, expected: String, read: (JsonPrimitive) -> T?): T {
        val found = required(key, expected)
        return (found as? JsonPrimitive)?.let(read) ?: throw wrong(place(key), found, expected)
    }

    private fun <T> list(key: String, read: (place: String, JsonElement) -> T): List<T> {
        val found = required(key, "a list")
        if (found !is JsonArray) throw wrong(place(key), found, "a list")
        return found.mapIndexed { index, each -> read("${place(key)}[$index]", each) }
    }

    private fun required(key: String, expected: String): JsonElement {
        asked.add(key)
        return value[key] ?: throw BundleException(
            "${place(key)}: missing where $expected was expected; export the bundle again.",
        )
    }

    companion object {
        /** The object in [file], read by [read]. */
        fun <T> read(file: File, value: JsonElement, strict: Boolean = true, read: Fields.() -> T): T =
            within(value, "$file:", strict, read)

        private fun <T> within(
            value: JsonElement,
            where: String,
            strict: Boolean,
            read: Fields.() -> T,
        ): T {
            if (value !is JsonObject) throw wrong(where, value, "an object")
            val fields = Fields(value, where, strict)
            val found = fields.read()
            val unknown = value.keys.firstOrNull { strict && it !in fields.asked } ?: return found
            throw BundleException(
                "${fields.place(unknown.take(60))}: a field that is not known here; export the bundle again " +
                    "with this version of edgetune.",
            )
        }

        private fun wrong(where: String, found: JsonElement, expected: String) = BundleException(
            "$where: found ${found.toString().take(60)} where $expected was expected; export the " +
                "bundle again.",
        )
    }
}
