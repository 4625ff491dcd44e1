package dev.edgetune.core

import org.junit.Assert.assertEquals
import org.junit.Test

class HalvesTest {
    @Test
    fun `float16 is widened to the same number`() {
        val numbers = mapOf(
            0x3c00 to 1f, 0xc000 to -2f, 0x7bff to 65504f,
            0x0001 to 5.9604645e-8f, 0x0400 to 6.1035156e-5f,
        )
        for ((half, float) in numbers) assertEquals(float, Float.fromBits(widened(half.toShort())), 0f)
        assertEquals(Float.NEGATIVE_INFINITY, Float.fromBits(widened(0xfc00.toShort())), 0f)
        assertEquals(0x80000000.toInt(), widened(0x8000.toShort()))
    }
}
