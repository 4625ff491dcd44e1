package dev.edgetune.core

import java.nio.FloatBuffer

/** What wants to know of a step while it goes on, or to end it. */
internal interface Watch {
    /** Is asked before each forward pass; whatever it throws ends the step. */
    fun check() {}

    fun routed(selection: Selection) {}

    fun selected(toolset: String, selection: Selection) {}

    fun wrote(text: String, forced: Boolean) {}

    fun said(text: String) {}

    companion object {
        val NONE: Watch = object : Watch {}
    }
}

/** An engine whose forward passes can be held off. */
internal class WatchedEngine(private val engine: Engine) : Engine by engine {
    var watch: Watch = Watch.NONE

    /** Set from another thread: no forward pass begins any more. */
    @Volatile
    var closing: Boolean = false

    override fun forward(ids: IntArray): FloatBuffer {
        if (closing) throw InputException("agent: it was closed meanwhile; open another one.")
        watch.check()
        return engine.forward(ids)
    }
}
