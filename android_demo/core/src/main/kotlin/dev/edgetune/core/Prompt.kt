package dev.edgetune.core

import java.io.File

/** One turn of a conversation. */
public sealed interface Turn {
    /** A turn of the user. */
    public data class User(val text: String) : Turn

    /**
     * Words of the assistant, said where no tool was needed.
     *
     * To whoever selects the next tool the turn stands as the call of `respond` that it followed
     * from, which is what selectors are trained on; the bare base, answering in words, sees them.
     */
    public data class Assistant(val text: String = "") : Turn

    /** A call made in an earlier step, its arguments as the JSON text that was written. */
    public data class Called(val tool: String, val arguments: String) : Turn

    /** What a tool gave back. */
    public data class Result(val text: String) : Turn
}

/** The arguments of a call that has none. */
internal const val NO_ARGUMENTS: String = "{}"

/** The strings around every part of a conversation, cut from the base's chat template. */
internal class Pieces(
    /** What stands before and after the text of a user turn. */
    val user: List<String>,
    /** Before and after an assistant turn; the first is the generation prompt. */
    val assistant: List<String>,
    /** Before and after the result of a tool. */
    val result: List<String>,
    /** From the invocation to the tool's name: `<tool_call>\n{"name": "`. */
    val callOpen: String,
    /** From the tool's name to its arguments: `", "arguments": `. */
    val callMiddle: String,
    /** What closes the call after the arguments: `}\n</tool_call>`. */
    val callClose: String,
    /** What stands before an earlier call, where that is not the generation prompt. */
    val earlier: String?,
    /** What stands before earlier words, where that is not what stands before an earlier call. */
    val words: String?,
)

/** The static prefixes (system message and tools) of one toolset, one for each stage. */
internal class ToolsetPrompts(
    val toolsShown: String,
    /** All adapters read the selector's, whose K/V then serve them all (`alora`). */
    val shared: Boolean,
    /** Prefix for the untouched base: the full list of tools. */
    val base: String,
    /** Prefix for the selector and for the monolithic adapter. */
    val selector: String,
    /** Prefix for each tool's arguments adapter. */
    val arguments: Map<String, String>,
)

/** The static prefixes of routing, in which toolsets stand as tools do in a toolset's. */
internal class RouterPrompts(
    /** Prefix for the untouched base. */
    val base: String,
    /** Prefix for the router adapter. */
    val adapter: String,
)

/** `prompts.json`: everything a runtime needs to render text for this bundle. */
internal class Prompts(
    val pieces: Pieces,
    /** Prefix for the bare base where it answers in words. */
    val reply: String,
    val toolsets: Map<String, ToolsetPrompts>,
    /** Null where there is one toolset. */
    val router: RouterPrompts?,
)

/** What `prompts.json` holds. Throws [BundleException] where it has another shape. */
internal fun readPrompts(file: File): Prompts = Fields.read(file, readJson(file)) {
    Prompts(
        obj("pieces") { pieces() },
        text("reply"),
        map("toolsets") { name ->
            obj(name) {
                ToolsetPrompts(
                    text("tools_shown"),
                    ifThere("shared", ::flag) ?: false,
                    text("base"),
                    text("selector"),
                    map("arguments") { text(it) },
                )
            }
        },
        ifThere("router") { key -> obj(key) { RouterPrompts(text("base"), text("adapter")) } },
    )
}

private fun Fields.pieces() = Pieces(
    pair("user"),
    pair("assistant"),
    pair("result"),
    text("call_open"),
    text("call_middle"),
    text("call_close"),
    ifThere("earlier", ::text),
    ifThere("words", ::text),
)

private fun Fields.pair(key: String): List<String> =
    texts(key).also { require(it.size == 2) { "'$key' has ${it.size} texts where 2 were expected" } }

/**
 * Static prefix, the turns so far, the generation prompt: everything before the next call.
 *
 * With [words], everything before a reply in words: the assistant's earlier words are then told as
 * they were said.
 */
internal fun renderPrompt(
    pieces: Pieces,
    prefix: String,
    turns: List<Turn>,
    words: Boolean,
): String = buildString {
    append(prefix)
    for (turn in turns) renderTurn(pieces, turn, words)
    append(pieces.assistant[0])
}

private fun StringBuilder.renderTurn(pieces: Pieces, turn: Turn, words: Boolean) {
    val beforeCall = pieces.earlier ?: pieces.assistant[0]
    when (turn) {
        is Turn.User -> append(pieces.user[0]).append(turn.text).append(pieces.user[1])
        is Turn.Result -> append(pieces.result[0]).append(turn.text).append(pieces.result[1])
        is Turn.Called -> {
            append(beforeCall)
            renderCall(pieces, turn.tool, turn.arguments)
            append(pieces.assistant[1])
        }
        is Turn.Assistant -> {
            if (words) {
                append(pieces.words ?: beforeCall).append(turn.text)
            } else {
                append(beforeCall)
                renderCall(pieces, RESPOND, NO_ARGUMENTS)
            }
            append(pieces.assistant[1])
        }
    }
}

private fun StringBuilder.renderCall(pieces: Pieces, tool: String, arguments: String) {
    append(pieces.callOpen).append(tool).append(pieces.callMiddle)
    append(arguments).append(pieces.callClose)
}
