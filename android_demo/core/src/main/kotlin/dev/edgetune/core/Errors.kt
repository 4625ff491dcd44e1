package dev.edgetune.core

/**
 * Base of every error raised on purpose.
 *
 * Its message is one sentence for the user: it names the file or field, what was found, what was
 * expected and what to do. Anything else that is thrown is a mistake in this library.
 */
public sealed class EdgetuneException(sentence: String, cause: Throwable? = null) :
    Exception(cause) {
    // What it quotes of a file may be anything.
    override val message: String = oneLine(sentence)
}

/** A request, an option or a place that the caller gave is not as it must be. */
public open class InputException(message: String, cause: Throwable? = null) :
    EdgetuneException(message, cause)

/** A prompt, or a prompt with its call, is longer than the engine's context. */
public class ContextException(message: String) : InputException(message)

/** A bundle or a file of it is damaged, incomplete or does not belong to its base. */
public class BundleException(message: String, cause: Throwable? = null) :
    EdgetuneException(message, cause)

/** An adapter does not fit the base: unknown slot, wrong shape or type. */
public class AdapterException(message: String, cause: Throwable? = null) :
    EdgetuneException(message, cause)

private const val MOST_LETTERS = 1000

/** [text] without line breaks and other characters that move a cursor, and cut in its middle where it is endless. */
private fun oneLine(text: String): String {
    val line = text.map { if (it.isISOControl() || it in "\u2028\u2029") ' ' else it }.joinToString("")
    if (line.length <= MOST_LETTERS) return line
    return line.take(MOST_LETTERS / 2) + "…" + line.takeLast(MOST_LETTERS / 2)
}
