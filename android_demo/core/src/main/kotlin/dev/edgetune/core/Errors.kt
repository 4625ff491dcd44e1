package dev.edgetune.core

/**
 * Base of every error raised on purpose.
 *
 * Its message is one sentence for the user: it names the file or field, what was found, what was
 * expected and what to do. Anything else that is thrown is a mistake in this library.
 */
public sealed class EdgetuneException(override val message: String, cause: Throwable? = null) :
    Exception(message, cause)

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
