package dev.edgetune.demo.assistant

import dev.edgetune.core.Profile
import org.json.JSONArray
import org.json.JSONObject

/**
 * [profile] with the fields of `edgetune profile --json`, and those that only a phone has
 * (docs/phone.md): `device`, and what each adapter adds to the process.
 */
fun profileJson(profile: Profile, device: Map<String, String>): JSONObject = JSONObject()
    .put("device", JSONObject(device))
    .put(
        "base",
        JSONObject().put("load_ms", profile.loadMs).put("rss_bytes", profile.base.pssBytes)
            .put("kv_bytes", profile.kvBytes),
    )
    .put(
        "adapters",
        JSONArray(
            profile.adapters.map {
                JSONObject().put("name", it.name).put("rank", it.rank).put("blob_bytes", it.blobBytes)
                    .put("cold_swap_ms", it.coldMs).put("warm_swap_ms", it.warmMs)
                    .put("resident_bytes", it.residentBytes).put("pss_bytes", it.added.pssBytes)
                    .put("private_dirty_bytes", it.added.privateDirtyBytes)
            },
        ),
    )
    .put("prefill_tokens_per_s", profile.prefillTokensPerS)
    .put(
        "decode_tokens_per_s",
        JSONObject().put("base", profile.decodeTokensPerS)
            .put("adapter", profile.decodeWithAdapterTokensPerS ?: JSONObject.NULL),
    )
    .put(
        "call",
        JSONObject().put("prefill_tokens", profile.call.prefillTokens)
            .put("decode_steps", profile.call.decodeSteps)
            .put("forced_tokens", profile.call.forcedTokens).put("ms", profile.call.ms),
    )
