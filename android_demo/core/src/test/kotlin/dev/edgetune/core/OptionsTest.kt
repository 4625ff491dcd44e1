package dev.edgetune.core

import org.junit.Test

class OptionsTest {
    @Test
    fun `a value out of its range is named`() {
        assertRefused<InputException>("maxTokens", "0") { Options(maxTokens = 0) }
        assertRefused<InputException>("temperature") { Options(temperature = Double.NaN) }
        assertRefused<InputException>("abstainBelow", "1.5") { Options(abstainBelow = 1.5) }
    }
}
