package dev.edgetune.core

/** Token ids that grow at their end. */
internal class IntList(capacity: Int = 16) {
    private var values = IntArray(capacity)

    var size: Int = 0
        private set

    fun add(value: Int) {
        if (size == values.size) values = values.copyOf(2 * size + 1)
        values[size++] = value
    }

    fun addAll(more: IntArray) {
        for (value in more) add(value)
    }

    fun clear() {
        size = 0
    }

    fun toIntArray(): IntArray = values.copyOf(size)
}
