"""Which adapters a run trains, on how many examples and in what steps."""

from collections.abc import Mapping, Sequence

from edgetune.config import TrainConfig
from edgetune.settings import TrainSettings
from edgetune.train.adapter import Job
from edgetune.train.batches import DEFAULT_BATCH_SIZE, DEFAULT_EPOCHS, BatchSize, plan_steps
from edgetune.train.examples import AdapterData
from edgetune_runtime.errors import InputError


def plan_jobs(
    config: TrainConfig,
    adapters: Sequence[AdapterData],
    longest: int,
    invocation: tuple[int, ...] = (),
    starts: Mapping[str, str] | None = None,
) -> list[Job]:
    """A job for each adapter, in order; `longest` is the most tokens that an example may have.

    `invocation` are the ids from which on the adapters act, where their kind is alora; `starts` the
    bases that adapters, by name, were begun on, of those that do not start anew. A toolset's
    monolithic baseline draws as many examples as all its others together (design, section 3).
    Raises InputError where an adapter has no example left to train on.
    """
    jobs: list[Job] = []
    for data in adapters:
        if not data.train:
            raise InputError(
                f"{data.name}: none of its {data.dropped} examples has at most "
                f"{longest} tokens ('max_length', or what the base takes); show less of the tools "
                "by 'prompt.tools', or raise 'max_length' where the base takes more."
            )
        settings = config.train if data.is_common else config.train_of(data.role, data.tool)
        lengths = [len(example.ids) for example in data.train]
        size = batch_size(settings)
        if data.role == "monolithic":
            others = [job for job in jobs if job.data.toolset == data.toolset]
            drawn = sum(len(step) for job in others for step in job.plan)
            plan = plan_steps(lengths, size, settings.seed, examples=drawn)
        elif data.is_common:
            drawn = max(1, round(config.arguments.common_epochs * len(lengths)))
            plan = plan_steps(lengths, size, settings.seed, examples=drawn)
        elif settings.steps is not None:
            plan = plan_steps(lengths, size, settings.seed, steps=settings.steps)
        else:
            plan = plan_steps(lengths, size, settings.seed, examples=_examples(settings, lengths))
        start = (starts or {}).get(data.name)
        jobs.append(Job(data, config.adapter_of(data.role), settings, plan, invocation, start))
    return jobs


def batch_size(settings: TrainSettings) -> BatchSize:
    """The limit of a step."""
    return BatchSize(settings.batch_size or DEFAULT_BATCH_SIZE, settings.batch_tokens)


def _examples(settings: TrainSettings, lengths: Sequence[int]) -> int:
    return max(1, round((settings.epochs or DEFAULT_EPOCHS) * len(lengths)))
