package dev.edgetune.demo

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Rect
import android.text.Spanned
import android.text.style.ForegroundColorSpan
import android.view.View
import android.widget.ImageView
import android.widget.TextView

/**
 * What of [leaf] stands out too little from what is behind it: WCAG 2.2 AA asks 4.5 of text, 3 of large
 * text and of pictures, and nothing of what can't be used at the moment.
 */
fun tooPale(leaf: View): List<String> {
    if (!leaf.isEnabled) return emptyList()
    val (colors, least) = when (leaf) {
        is TextView -> textColors(leaf) to if (isLarge(leaf)) LARGE else NORMAL
        is ImageView -> listOfNotNull(pictureColor(leaf)) to LARGE
        else -> return emptyList()
    }
    return colors.flatMap { color -> behind(leaf).map { contrast(color, it) to color } }.filter { it.first < least }
        .map { (found, color) -> "stands out by %.2f and not %.1f (#%08X)".format(found, least, color) }
}

private const val NORMAL = 4.5
private const val LARGE = 3.0
private const val LARGE_DP = 24.0
private const val LARGE_BOLD_DP = 18.66

/** What is behind less than this share of a view is an edge of something. */
private const val EDGE = 0.05

private fun isLarge(view: TextView): Boolean {
    val size = view.textSize / view.resources.displayMetrics.density
    return size >= if (view.typeface?.isBold == true) LARGE_BOLD_DP else LARGE_DP
}

private fun textColors(view: TextView): List<Int> {
    val text = view.text
    if (text.isEmpty()) return if (view.hint.isNullOrEmpty()) emptyList() else listOf(view.currentHintTextColor)
    val spans = (text as? Spanned)?.getSpans(0, text.length, ForegroundColorSpan::class.java).orEmpty()
    return (spans.map { it.foregroundColor } + view.currentTextColor).distinct()
}

/** The colour that most of the picture is drawn in. */
private fun pictureColor(view: ImageView): Int? {
    val picture = view.drawable ?: return null
    val pixels = drawn(picture.bounds.width(), picture.bounds.height(), picture::draw)
    return pixels.filter { Color.alpha(it) == 255 }.groupingBy { it }.eachCount().maxByOrNull { it.value }?.key
}

/** The colours behind what [leaf] shows: the backgrounds of all that holds it, drawn one over another. */
private fun behind(leaf: View): Set<Int> {
    val inside = Rect(0, 0, leaf.width, leaf.height)
    when (leaf) {
        is TextView -> inside.inset(
            leaf.totalPaddingLeft, leaf.totalPaddingTop, leaf.totalPaddingRight, leaf.totalPaddingBottom,
        )
        else -> inside.inset(leaf.paddingLeft, leaf.paddingTop, leaf.paddingRight, leaf.paddingBottom)
    }
    val (x, y) = leaf.place()
    val pixels = drawn(inside.width(), inside.height()) { canvas ->
        for (view in generateSequence(leaf) { it.parent as? View }.toList().reversed()) {
            val (viewX, viewY) = view.place()
            val background = view.background ?: continue
            canvas.save()
            canvas.translate((viewX - x - inside.left).toFloat(), (viewY - y - inside.top).toFloat())
            // What is scrolled out of the screen would lie on the same ground in it.
            background.bounds = Rect(0, 0, view.width, view.height).apply { union(leaf.inside(viewX, viewY)) }
            background.draw(canvas)
            canvas.restore()
        }
    }
    return pixels.toList().groupingBy { it }.eachCount().filterValues { it >= EDGE * pixels.size }.keys
}

private fun View.inside(left: Int, top: Int): Rect =
    place().let { (x, y) -> Rect(x - left, y - top, x - left + width, y - top + height) }

private fun View.place(): Pair<Int, Int> = IntArray(2).also(::getLocationInWindow).let { (x, y) -> x to y }

private fun drawn(width: Int, height: Int, draw: (Canvas) -> Unit): IntArray {
    if (width <= 0 || height <= 0) return IntArray(0)
    val bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
    draw(Canvas(bitmap))
    return IntArray(width * height).also { bitmap.getPixels(it, 0, width, 0, 0, width, height) }
}

private fun contrast(one: Int, other: Int): Double {
    val (low, high) = listOf(luminance(one), luminance(other)).sorted()
    return (high + 0.05) / (low + 0.05)
}

/** How light [color] is, from 0 to 1; what shines through it is left out. */
fun luminance(color: Int): Double = Color.luminance(color).toDouble()
