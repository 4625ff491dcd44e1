package dev.edgetune.demo

import android.content.Context
import android.util.AttributeSet
import android.view.View
import android.view.ViewGroup

/** Lays its children side by side, and in another row where the width ends: buttons in any language. */
class Flow(context: Context, attributes: AttributeSet) : ViewGroup(context, attributes) {
    private val gap = (GAP_DP * resources.displayMetrics.density).toInt()

    private val shown: List<View> get() = (0 until childCount).map(::getChildAt).filter { it.visibility != GONE }

    override fun onMeasure(widthSpec: Int, heightSpec: Int) {
        val width = MeasureSpec.getSize(widthSpec)
        val room = MeasureSpec.makeMeasureSpec(width, MeasureSpec.AT_MOST)
        val free = MeasureSpec.makeMeasureSpec(0, MeasureSpec.UNSPECIFIED)
        for (child in shown) child.measure(room, free)
        val height = placed(width) { _, _, _ -> }
        setMeasuredDimension(width, resolveSize(height, heightSpec))
    }

    override fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) {
        placed(width) { child, x, y ->
            val start = if (layoutDirection == LAYOUT_DIRECTION_RTL) width - x - child.measuredWidth else x
            child.layout(start, y, start + child.measuredWidth, y + child.measuredHeight)
        }
    }

    /** Tells where each child goes, from the start of the line; how high all rows are. */
    private fun placed(width: Int, place: (View, Int, Int) -> Unit): Int {
        var x = 0
        var y = 0
        var row = 0
        for (child in shown) {
            if (x > 0 && x + child.measuredWidth > width) {
                y += row + gap
                x = 0
                row = 0
            }
            place(child, x, y)
            x += child.measuredWidth + gap
            row = maxOf(row, child.measuredHeight)
        }
        return y + row
    }

    override fun generateLayoutParams(attributes: AttributeSet): LayoutParams = LayoutParams(context, attributes)

    private companion object {
        const val GAP_DP = 8
    }
}
