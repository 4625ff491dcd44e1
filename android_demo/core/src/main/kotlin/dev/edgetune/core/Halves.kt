package dev.edgetune.core

/** The bits of a float32 that has the value of a float16 (IEEE 754, 3.6). */
public fun widened(half: Short): Int {
    val bits = half.toInt()
    val sign = (bits and 0x8000) shl 16
    val exponent = (bits ushr 10) and 0x1f
    val fraction = bits and 0x3ff
    return when (exponent) {
        0 -> sign or (fraction * (1f / (1 shl 24))).toRawBits()
        0x1f -> sign or 0x7f800000 or (fraction shl 13)
        else -> sign or ((exponent + 127 - 15) shl 23) or (fraction shl 13)
    }
}
