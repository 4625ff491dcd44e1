package dev.edgetune.demo

import android.view.View
import android.widget.TextView

/** Shows [text]; nothing is left of the view where there is none. */
fun TextView.showText(text: CharSequence?) {
    visibility = if (text.isNullOrEmpty()) View.GONE else View.VISIBLE
    if (this.text.toString() != text.orEmpty().toString() || text is android.text.Spanned) this.text = text
}

private fun CharSequence?.orEmpty(): CharSequence = this ?: ""

/** A tool's name as words. */
fun spoken(tool: String): String = tool.replace('_', ' ')
