"""`trialsim rank`: whom each strategy would enroll."""

from trialsim.cli.asking.asked import Asked
from trialsim.cli.asking.command import asking


@asking(
    "strategies",
    "fractions_enrolled",
    "scores",
    "predictions",
    "training",
    "folds",
    "endpoint",
    "decline_unit",
    "horizon_months",
    "window_months",
    "measured_by",
)
def rank(asked: Asked) -> None:
    """Score everyone by each strategy: whom it would enroll, whom it would leave out.

    Strategies: random, baseline_volume, regression, boosting, auxiliary, brlp, stacked, oracle,
    and the columns of a score file. What learns from follow-up is cross-fitted, or fitted on
    another cohort.

    Example: trialsim rank cohort --strategies random,regression,brlp --fractions-enrolled 0.3,0.5
    """
    from trialsim.cli.answering.printing import print_table
    from trialsim.study.summaries import summarize_selections

    result = asked.answer("rank")
    with result.study.snapshot():
        if asked.output is not None:
            from trialsim.study.writing.files import write_ranking

            write_ranking(result, asked.output)
        found = summarize_selections(result)
    print_table(found, as_json=asked.as_json)
