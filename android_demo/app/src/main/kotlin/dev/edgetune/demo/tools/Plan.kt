package dev.edgetune.demo.tools

import android.content.Context
import android.content.Intent
import android.graphics.Bitmap
import dev.edgetune.demo.assistant.Call

/** What a call comes to on this phone, before anything is done. */
sealed interface Plan {
    /** [words] say what [deed] would do; nothing is done until somebody agreed. */
    class Ready(val words: String, val deed: Deed) : Plan

    /** Nobody can know what [said] of [argument] means: [question] has to be answered first. */
    class Asks(val argument: String, val said: String, val question: String) : Plan

    /** It can't be done here, and [why]. */
    class Cannot(val why: String) : Plan
}

/** Does something with the phone, and says what came of it. */
fun interface Deed {
    suspend fun carryOut(hand: Hand): String
}

/** What only the activity in front can do. */
interface Hand {
    val context: Context

    /** False where the phone has no app for [intent]. */
    fun start(intent: Intent): Boolean

    /** Whether the user lets the app have [permission]; asks where nobody has been asked. */
    suspend fun permit(permission: String): Boolean

    /** A picture of the app's own window. */
    fun picture(): Bitmap
}

/** A function of the phone behind a tool of the same name. */
fun interface PhoneTool {
    fun plan(call: Call): Plan
}
