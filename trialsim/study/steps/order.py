"""The steps that a protocol asks for, in their order."""

from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.steps.cohort import make_load_step


def list_steps(job: Job, *, until: str | None = None) -> list[Step]:
    """Return the steps of a study; a step's module is imported only if it is asked for.

    Parameters
    ----------
    job
        The study's work.
    until
        The step whose result is wanted, with those that it stands on; all when None.

    Raises
    ------
    ModelError
        If the protocol names a model that is not there.
    DesignError
        Looks or sample sizes that no trial can have.
    """
    from trialsim.study.steps.screening import learns_from_archive
    from trialsim.study.steps.selection import make_compare_step, make_score_step

    steps = [make_load_step(job), *_list_scan_steps(job)]
    archive = _make_archive_step(job, [step.name for step in steps])
    steps += [] if archive is None else [archive]
    # who is ranked needs no archive, unless a strategy learns there what predictions are worth
    known = [step.name for step in steps if step is not archive or learns_from_archive(job)]
    steps.append(make_score_step(job, known, is_last=until == "score"))
    earlier = [step.name for step in steps]
    steps.append(make_compare_step(job, earlier))
    if until is not None and until in {step.name for step in steps}:
        return _take_until(steps, until)
    if until != "optimize":
        from trialsim.study.steps.simulation import make_simulation_step

        steps.append(make_simulation_step(job, earlier))
    if job.protocol.optimize is not None or until == "optimize":
        from trialsim.study.steps.optimization import make_optimization_step

        steps.append(make_optimization_step(job, earlier))
    if job.protocol.interim is not None and until != "optimize":
        from trialsim.study.steps.interim import make_interim_step

        steps.append(make_interim_step(job, job.protocol.interim, [*earlier, "simulate"]))
    if until is None:
        return steps
    # looks are at the trials that `simulate` sizes: who asks for power asks for both
    looks = until == "simulate" and job.protocol.interim is not None
    return _take_until(steps, "interim" if looks else until)


def _take_until(steps: list[Step], name: str) -> list[Step]:
    needed = {name, *next(step.stands_on for step in steps if step.name == name)}
    return [step for step in steps if step.name in needed]


def _make_archive_step(job: Job, stands_on: list[str]) -> Step | None:
    section = job.protocol.prediction
    if section is None:
        return None
    from trialsim.study.steps.archive_prediction import make_archive_step

    return make_archive_step(job, section, stands_on)


def _list_scan_steps(job: Job) -> list[Step]:
    section = job.protocol.prediction
    if section is None:
        return []
    from trialsim.study.steps.prediction import make_prediction_step
    from trialsim.study.steps.preparation import make_preprocess_step, make_segment_step

    return [
        make_preprocess_step(job, ["load"]),
        make_segment_step(job, ["load", "preprocess"]),
        make_prediction_step(job, section, ["load", "preprocess", "segment"]),
    ]
