package dev.edgetune.demo

import android.graphics.Rect
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.ImageView
import android.widget.ProgressBar
import android.widget.ScrollView
import android.widget.TextView
import dev.edgetune.demo.memory.Chart

/** What is wrong with what is shown below [root]: cut off, overlapped, unlabelled, too pale, too small to tap. */
fun illegible(root: View): List<String> {
    val leaves = shown(root).filter { it is TextView || it is ImageView || it is ProgressBar || it is Chart }
    val pale = leaves.flatMap { leaf -> tooPale(leaf).map { "${told(leaf)}: $it" } }
    return leaves.flatMap { cutOff(it) + outside(it) + unlabelled(it) } + pale +
        tooSmall(shown(root)) + overlaps(leaves)
}

private fun cutOff(view: View): List<String> {
    if (view !is TextView) return emptyList()
    val text = if (view is EditText && view.text.isEmpty()) view.hint ?: "" else view.text
    if (text.isEmpty()) return emptyList()
    val width = view.width - view.compoundPaddingLeft - view.compoundPaddingRight
    val height = view.height - view.compoundPaddingTop - view.compoundPaddingBottom
    val longest = text.split(Regex("\\s+")).maxOf { view.paint.measureText(it) }
    val layout = view.layout ?: return listOf("${told(view)}: was never laid out")
    val lines = 0 until layout.lineCount
    return listOfNotNull(
        "is cut by an ellipsis".takeIf { lines.any { layout.getEllipsisCount(it) > 0 } },
        "is wider than its view".takeIf { lines.any { layout.getLineMax(it) > width + 1 } },
        "is higher than its view".takeIf { layout.height > height + 1 },
        // An argument or a path may be longer than a line; a word of ours may not be.
        "has a word that breaks".takeIf { longest > width + 1 && text.none("_/{."::contains) },
    ).map { "${told(view)}: $it ($width x $height)" }
}

/** In all that holds it, up to what scrolls. */
private fun outside(view: View): List<String> {
    val rect = Rect(0, 0, view.width, view.height)
    var inner = view
    while (true) {
        val parent = inner.parent as? ViewGroup ?: return emptyList()
        rect.offset(inner.left, inner.top)
        val scrolls = parent is ScrollView
        val isHigh = !scrolls && (rect.top < 0 || rect.bottom > parent.height)
        if (isHigh || rect.left < 0 || rect.right > parent.width) {
            val room = "${parent.javaClass.simpleName} of ${parent.width} x ${parent.height}"
            return listOf("${told(view)}: reaches out of $room ($rect)")
        }
        if (scrolls) return emptyList()
        inner = parent
    }
}

private fun unlabelled(view: View): List<String> {
    if (view.importantForAccessibility == View.IMPORTANT_FOR_ACCESSIBILITY_NO) return emptyList()
    val says = listOf(view.contentDescription, (view as? TextView)?.text, (view as? TextView)?.hint)
    if (says.any { !it.isNullOrBlank() }) return emptyList()
    return listOf("${told(view)}: says nothing to who can't see it")
}

private fun tooSmall(views: List<View>): List<String> = views.filter { it.isClickable }
    .filter { minOf(it.width, it.height) < 48 * it.resources.displayMetrics.density - 1 }
    .map { "${told(it)}: ${it.width} x ${it.height} is less than 48 dp" }

private fun overlaps(leaves: List<View>): List<String> {
    val rects = leaves.mapNotNull { view -> Rect().takeIf(view::getGlobalVisibleRect)?.let { view to it } }
    return rects.flatMapIndexed { index, (first, one) ->
        rects.drop(index + 1).filter { (_, other) -> Rect.intersects(one, other) }
            .map { (second, _) -> "${told(first)} and ${told(second)} overlap" }
    }
}

private fun told(view: View): String {
    val name = if (view.id == View.NO_ID) view.javaClass.simpleName else view.resources.getResourceEntryName(view.id)
    return "$name '${(view as? TextView)?.text?.take(40) ?: ""}'"
}
