package dev.edgetune.onnx

import dev.edgetune.core.Tensor
import dev.edgetune.core.widened
import java.nio.FloatBuffer

/** Writes the rows of a matrix into one whose rows have [width] numbers, the rest of which stays as it is. */
internal fun Tensor.spread(into: FloatBuffer, width: Int) {
    val (rows, columns) = shape
    for (row in 0 until rows) {
        for (column in 0 until columns) into.put(row * width + column, float(row * columns + column))
    }
}

private fun Tensor.float(index: Int): Float =
    if (type == "F32") data.getFloat(4 * index) else Float.fromBits(widened(data.getShort(2 * index)))
