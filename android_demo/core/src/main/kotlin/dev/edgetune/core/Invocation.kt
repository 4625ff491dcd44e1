package dev.edgetune.core

/**
 * Index in [ids] where [invocation] begins for the last time: where an activated LoRA begins to act.
 *
 * PEFT looks for the same place (`alora_invocation_tokens`, arXiv:2504.12397), in training and here
 * alike. Throws [BundleException] where it does not stand in [ids].
 */
internal fun invocationPlace(ids: IntArray, invocation: IntArray): Int {
    for (place in ids.size - invocation.size downTo 0) {
        if (invocation.indices.all { ids[place + it] == invocation[it] }) return place
    }
    throw BundleException(
        "prompts.json: the invocation ${invocation.toList()} of an adapter does not stand in the " +
            "prompt; export the bundle again.",
    )
}
