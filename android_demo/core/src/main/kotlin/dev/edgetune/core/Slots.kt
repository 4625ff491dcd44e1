package dev.edgetune.core

private const val A = ".lora_A"
private const val B = ".lora_B"

/** What a blob calls A and B of [slot]. */
public fun tensorNames(slot: Slot): List<String> = listOf(slot.name + A, slot.name + B)

/** How a delta blob may store its numbers, by the type's name in a header of safetensors. */
internal val BLOB_TYPES: Map<String, BlobType> =
    listOf(BlobType("F32", "float32"), BlobType("F16", "float16")).associateBy { it.safetensors }

/** One type of a blob; engines bind float32, what is stored otherwise is widened at load. */
internal class BlobType(val safetensors: String, val manifest: String)

/**
 * Each tensor is one half of a slot, `lora_A` `[in, r]` or `lora_B` `[r, out]`, r at most [maxRank].
 *
 * Throws [AdapterException] naming the tensor, what was found and what the base takes.
 */
public fun checkTensors(tensors: Tensors, slots: List<Slot>, maxRank: Int? = null) {
    val byName = slots.associateBy { it.name }
    for (name in tensors.keys) check(name, tensors, byName, maxRank)
}

private fun check(name: String, tensors: Tensors, slots: Map<String, Slot>, maxRank: Int?) {
    val tensor = tensors.getValue(name)
    fun wrong(what: String) = AdapterException("tensor '${name.take(200)}': $what.")
    val axis = if (name.endsWith(B)) 1 else 0
    val slot = if (name.endsWith(A) || name.endsWith(B)) slots[name.dropLast(A.length)] else null
    slot ?: throw wrong("this base has no such slot; use an adapter that was trained on it")
    if (tensor.type !in BLOB_TYPES) {
        throw wrong("found ${tensor.type}, expected ${BLOB_TYPES.keys.joinToString(" or ")}")
    }
    val otherName = slot.name + if (axis == 0) B else A
    val other = tensors[otherName]
        ?: throw wrong("its other half '$otherName' is missing; export the adapter again")
    val wide = if (axis == 0) slot.inFeatures else slot.outFeatures
    val shape = tensor.shape
    if (shape.size != 2 || other.shape.size != 2 || shape[axis] != wide) {
        val expected = if (axis == 0) "[$wide, r]" else "[r, $wide]"
        throw wrong(
            "found shape $shape, this base takes $expected; use an adapter that was trained on it",
        )
    }
    val rank = shape[1 - axis]
    if (rank != other.shape[axis]) {
        throw wrong(
            "found shape $shape of rank $rank, but its other half has rank ${other.shape[axis]}; " +
                "export the adapter again",
        )
    }
    if (maxRank != null && rank > maxRank) {
        throw wrong(
            "found shape $shape of rank $rank, but $maxRank is the most here; export the bundle " +
                "with this adapter, or train it with a smaller rank",
        )
    }
}
