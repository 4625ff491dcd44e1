package dev.edgetune.demo

import dev.edgetune.demo.tools.Hand
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.filterNotNull
import kotlinx.coroutines.flow.first

/**
 * The activity in front, if any, and the question about a permission that is open: both outlive an
 * activity that is made anew, as when the phone is turned.
 */
class Hands {
    private val front = MutableStateFlow<Hand?>(null)
    private var asked: CompletableDeferred<Boolean>? = null

    /** The activity in front; waits for one. */
    suspend fun hand(): Hand = front.filterNotNull().first()

    fun came(hand: Hand) {
        front.value = hand
    }

    fun went(hand: Hand) {
        front.compareAndSet(hand, null)
    }

    /** What the user says to the question that [ask] puts. */
    suspend fun answer(ask: () -> Unit): Boolean {
        val answer = CompletableDeferred<Boolean>().also { asked = it }
        ask()
        return answer.await()
    }

    fun answered(granted: Boolean) {
        asked?.complete(granted)
    }
}
