package dev.edgetune.demo.memory

import dev.edgetune.core.EdgetuneException
import dev.edgetune.demo.assistant.Report
import dev.edgetune.demo.assistant.Sample
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** All that the place *Memory* shows. */
data class MemoryState(
    /** What is measured or was; null where there is no bundle. */
    val bundle: String? = null,
    val samples: List<Sample> = emptyList(),
    val report: Report? = null,
    val running: Boolean = false,
    val problem: String? = null,
)

/** Measures the bundle that answers: base and adapters, one after another. */
class MemoryModel(
    private val scope: CoroutineScope,
    private val worker: CoroutineDispatcher,
    /** Measures the bundle of this name. */
    private val measure: (String, (Sample) -> Unit) -> Report,
    /** Keeps the JSON where a computer finds it. */
    private val keep: (String) -> Unit,
) {
    private val mutable = MutableStateFlow(MemoryState())

    val state: StateFlow<MemoryState> = mutable

    fun use(bundle: String?) {
        if (bundle != state.value.bundle) mutable.value = MemoryState(bundle)
    }

    fun measure() {
        val bundle = state.value.bundle ?: return
        if (state.value.running) return
        mutable.value = MemoryState(bundle, running = true)
        scope.launch {
            val (report, problem) = try {
                withContext(worker) {
                    measure(bundle) { sample -> tell(bundle) { it.copy(samples = it.samples + sample) } }
                        .also { keep(it.json) }
                } to null
            } catch (error: EdgetuneException) {
                null to error.message
            }
            tell(bundle) { it.copy(report = report, problem = problem, running = false) }
        }
    }

    /** Changes what is shown, unless another bundle is by now. */
    private fun tell(bundle: String, change: (MemoryState) -> MemoryState) = mutable.update {
        if (it.bundle == bundle) change(it) else it
    }
}
