package dev.edgetune.demo.ask

import android.text.SpannableStringBuilder
import android.text.Spanned
import android.text.style.ForegroundColorSpan
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.ProgressBar
import android.widget.TextView
import dev.edgetune.core.RESPOND
import dev.edgetune.demo.R
import dev.edgetune.demo.assistant.Times
import dev.edgetune.demo.showText
import dev.edgetune.demo.spoken
import java.text.NumberFormat

/** Draws one [Exchange] into `exchange.xml`, as often as it changes. */
class ExchangeView(parent: ViewGroup) {
    val root: View = LayoutInflater.from(parent.context).inflate(R.layout.exchange, parent, false)
    private val context = root.context
    private var drawn: Exchange? = null

    /** [isBusy] while the model is at work, and not the user who has to say something. */
    fun draw(exchange: Exchange, isBusy: Boolean) {
        root.findViewById<View>(R.id.busy).visibility = if (isBusy) View.VISIBLE else View.GONE
        if (exchange == drawn) return
        text(R.id.asked, exchange.request)
        text(R.id.route, exchange.toolset?.let { context.getString(R.string.routed, spoken(it)) })
        if (exchange.chances != drawn?.chances) drawChances(exchange.chances)
        text(R.id.arguments, shaded(exchange.arguments).takeUnless { it?.toString() == NO_ARGUMENTS })
        text(R.id.times, exchange.times?.let(::told))
        text(R.id.answer, exchange.result.ifEmpty { exchange.reply }.ifEmpty { quiet(exchange) })
        text(R.id.problem, exchange.problem)
        drawn = exchange
    }

    /** What is said where nothing else is: that it was stopped, or that no tool fits. */
    private fun quiet(exchange: Exchange): String? = when {
        exchange.end == End.STOPPED -> context.getString(R.string.stopped)
        exchange.end == End.DONE -> context.getString(R.string.no_tool)
        else -> null
    }

    private fun drawChances(chances: List<Pair<String, Double>>) {
        val list = root.findViewById<ViewGroup>(R.id.chances)
        list.removeAllViews()
        chances.forEachIndexed { index, (name, chance) ->
            val row = LayoutInflater.from(context).inflate(R.layout.chance, list, false)
            val percent = NumberFormat.getPercentInstance().format(chance)
            for ((id, text) in listOf(R.id.name to said(name), R.id.percent to percent)) {
                val view = row.findViewById<TextView>(id)
                view.text = text
                if (index == 0) view.setTextAppearance(R.style.Picked)
            }
            val bar = row.findViewById<ProgressBar>(R.id.bar)
            bar.progress = (bar.max * chance).toInt()
            list.addView(row)
        }
    }

    private fun said(name: String): String =
        if (name == RESPOND) context.getString(R.string.respond) else spoken(name)

    /** What nothing else could stand for is fainter than what the model decided. */
    private fun shaded(pieces: List<Piece>): CharSequence? {
        if (pieces.isEmpty()) return null
        val text = SpannableStringBuilder()
        for (piece in pieces) {
            val color = context.getColor(if (piece.forced) R.color.faint else R.color.accent)
            text.append(piece.text, ForegroundColorSpan(color), Spanned.SPAN_EXCLUSIVE_EXCLUSIVE)
        }
        return text
    }

    private fun told(times: Times): String = context.getString(
        R.string.times,
        times.swapMs,
        times.chooseMs,
        times.writeMs,
        context.resources.getQuantityString(R.plurals.tokens_read, times.prefillTokens, times.prefillTokens),
        context.resources.getQuantityString(R.plurals.steps, times.decodeSteps, times.decodeSteps),
    )

    private fun text(id: Int, text: CharSequence?) = root.findViewById<TextView>(id).showText(text)

    private companion object {
        const val NO_ARGUMENTS = "{}"
    }
}
