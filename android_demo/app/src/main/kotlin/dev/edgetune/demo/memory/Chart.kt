package dev.edgetune.demo.memory

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.util.TypedValue
import android.view.View
import dev.edgetune.demo.R
import dev.edgetune.demo.assistant.Sample
import java.util.Locale
import kotlin.math.ceil

/** A bar for each sample: what the process held, and in front what it alone had written. */
class Chart(context: Context, attributes: AttributeSet) : View(context, attributes) {
    private val paint = Paint(Paint.ANTI_ALIAS_FLAG)
    private var samples: List<Sample> = emptyList()

    fun show(samples: List<Sample>) {
        this.samples = samples
        contentDescription = if (samples.isEmpty()) "" else resources.getString(
            R.string.chart_says,
            samples.size,
            megabytes(samples.minOf { it.pssBytes }),
            megabytes(samples.maxOf { it.pssBytes }),
        )
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        if (samples.isEmpty()) return
        paint.textSize = TypedValue.applyDimension(TypedValue.COMPLEX_UNIT_SP, LABEL_SP, resources.displayMetrics)
        val most = ceil(samples.maxOf { it.pssBytes } / MEGABYTE) * MEGABYTE
        val labels = listOf(0.0, most / 2, most)
        val edge = labels.maxOf { paint.measureText(megabytes(it.toLong())) } + paint.textSize / 2
        val (top, bottom) = paint.textSize to height - paint.textSize / 2
        fun y(bytes: Double) = (bottom - (bottom - top) * bytes / most).toFloat()
        val isRtl = layoutDirection == LAYOUT_DIRECTION_RTL
        val left = if (isRtl) 0f else edge
        val room = width - edge
        for (bytes in labels) {
            paint.color = context.getColor(R.color.line)
            canvas.drawRect(left, y(bytes), left + room, y(bytes) + 1, paint)
            paint.color = context.getColor(R.color.faint)
            val text = megabytes(bytes.toLong())
            val x = if (isRtl) width - paint.measureText(text) else edge - paint.textSize / 2 - paint.measureText(text)
            canvas.drawText(text, x, y(bytes) + paint.textSize / 3, paint)
        }
        val step = room / samples.size
        samples.forEachIndexed { index, sample ->
            val place = if (isRtl) samples.size - 1 - index else index
            val x = left + step * place
            paint.color = context.getColor(R.color.accent)
            bar(canvas, x + step * MARGIN, y(sample.pssBytes.toDouble()), x + step * (1 - MARGIN), bottom)
            paint.color = context.getColor(R.color.dirty)
            bar(canvas, x + step * INNER, y(sample.privateDirtyBytes.toDouble()), x + step * (1 - INNER), bottom)
        }
    }

    /** A bar that is round at its top and stands on its foot. */
    private fun bar(canvas: Canvas, left: Float, top: Float, right: Float, bottom: Float) {
        val round = minOf((right - left) / 2, ROUND_DP * resources.displayMetrics.density, bottom - top)
        canvas.drawRoundRect(left, top, right, bottom, round, round, paint)
        canvas.drawRect(left, bottom - round, right, bottom, paint)
    }

    companion object {
        private const val LABEL_SP = 11f
        private const val ROUND_DP = 4
        private const val MARGIN = 0.1f
        private const val INNER = 0.3f
        private const val MEGABYTE = 1024.0 * 1024

        /** "12.3 MB", as the chart and its list say it. */
        fun megabytes(bytes: Long): String =
            String.format(Locale.getDefault(), "%.1f\u00A0MB", bytes / MEGABYTE)
    }
}
