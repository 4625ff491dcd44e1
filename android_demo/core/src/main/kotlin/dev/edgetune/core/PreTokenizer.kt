package dev.edgetune.core

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull

/** Splits a text into pieces that no token reaches across; nothing of it is lost. */
internal fun interface Splitter {
    fun split(text: String): List<String>
}

/** How GPT-2 splits words: what `ByteLevel` does by itself where `use_regex` says so. */
private const val GPT2 =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/** Unicode's White_Space, between the brackets of a class. */
private const val SPACES =
    "\\t-\\r \\x85\\xA0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000"

/** The splitters that a `pre_tokenizer` names, in order. Throws IllegalArgumentException for others. */
internal fun splitters(part: JsonElement?): List<Splitter> {
    val parts = flat(part)
    require(parts.lastOrNull()?.let(::kind) == "ByteLevel") { "its pre-tokenizer is not byte-level" }
    return parts.flatMap(::splitter)
}

private fun flat(part: JsonElement?): List<JsonObject> = when {
    part !is JsonObject -> emptyList()
    kind(part) == "Sequence" -> (part["pretokenizers"] as? JsonArray).orEmpty().flatMap(::flat)
    else -> listOf(part)
}

private fun splitter(part: JsonObject): List<Splitter> = when (val kind = kind(part)) {
    "Digits" -> {
        require(flag(part, "individual_digits")) { "its pre-tokenizer keeps digits together" }
        listOf(isolating("\\p{N}"))
    }
    "Split" -> {
        val behavior = (part["behavior"] as? JsonPrimitive)?.content
        require(behavior == "Isolated" && !flag(part, "invert")) { "its pre-tokenizer is $behavior" }
        val pattern = part["pattern"] as? JsonObject
        val regex = (pattern?.get("Regex") as? JsonPrimitive)?.content
        val literal = (pattern?.get("String") as? JsonPrimitive)?.content
        require(regex != null || literal != null) { "its pre-tokenizer has no pattern" }
        listOf(if (regex != null) isolating(regex) else isolating(Regex(Regex.escape(literal!!))))
    }
    "ByteLevel" -> {
        val spaced = Splitter { listOf(if (it.startsWith(" ")) it else " $it") }
        listOfNotNull(
            spaced.takeIf { flag(part, "add_prefix_space") },
            isolating(GPT2).takeIf { flag(part, "use_regex", default = true) },
        )
    }
    else -> throw IllegalArgumentException("its pre-tokenizer is $kind")
}

private fun flag(part: JsonObject, name: String, default: Boolean = false): Boolean =
    (part[name] as? JsonPrimitive)?.booleanOrNull ?: default

private fun isolating(pattern: String): Splitter = isolating(Regex(everywhere(pattern)))

/** Each match is a piece, and so is what lies between two. */
private fun isolating(regex: Regex): Splitter = Splitter { text ->
    val pieces = ArrayList<String>()
    var at = 0
    for (match in regex.findAll(text)) {
        if (match.value.isEmpty()) continue
        if (match.range.first > at) pieces.add(text.substring(at, match.range.first))
        pieces.add(match.value)
        at = match.range.last + 1
    }
    if (at < text.length) pieces.add(text.substring(at))
    pieces
}

/**
 * [pattern], written for Oniguruma, so that the JVM's regular expressions and Android's (ICU) take it
 * alike: `\s` and `\d` are Unicode's, case is folded by listing, and `[` in a class is itself.
 */
internal fun everywhere(pattern: String): String = buildString {
    var inClass = false
    val folds = ArrayDeque<Boolean>()
    var at = 0
    while (at < pattern.length) {
        val character = pattern[at]
        val next = pattern.getOrNull(at + 1)
        when {
            character == '\\' && next == 's' -> append(if (inClass) SPACES else "[$SPACES]")
            character == '\\' && next == 'S' -> {
                require(!inClass) { "its pattern has \\S in a class" }
                append("[^$SPACES]")
            }
            character == '\\' && next == 'd' -> append("\\p{Nd}")
            character == '\\' -> append(character).append(next ?: '\\')
            inClass && character == '[' -> append("\\[")
            character == '[' -> append('[').also { inClass = true }
            character == ']' -> append(']').also { inClass = false }
            inClass -> append(character)
            pattern.startsWith("(?i:", at) -> {
                append("(?:")
                folds.addLast(true)
                at += 3
            }
            character == '(' -> append('(').also { folds.addLast(folds.lastOrNull() ?: false) }
            character == ')' -> append(')').also { folds.removeLastOrNull() }
            folds.lastOrNull() == true && character.isLetter() -> append(anyCase(character))
            else -> append(character)
        }
        at += if (character == '\\') 2 else 1
    }
}

/** A class of all cases of a letter; the long s is one of s, the sign of Kelvin one of k. */
private fun anyCase(letter: Char): String {
    val more = mapOf('s' to "\u017F", 'k' to "\u212A")
    val small = letter.lowercaseChar()
    return "[$small${letter.uppercaseChar()}${more[small].orEmpty()}]"
}

/** Whether Unicode calls a code point White_Space. */
internal fun isSpace(code: Int): Boolean = when (code) {
    in 0x09..0x0D, 0x20, 0x85, 0xA0, 0x1680, in 0x2000..0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000 -> true
    else -> false
}
