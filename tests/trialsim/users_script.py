"""A user's script, for mypy alone (`make check`): it is never run.

What is right has a type, not `Any`. Each wrong argument is an error, which is why it is ignored:
where mypy stops finding one, the ignoring itself becomes the error.
"""

from typing import assert_type

import pandas as pd
from matplotlib.figure import Figure

import trialsim as ts
from trialsim.comparison import compare_strategies

study = ts.run(ts.protocol(cohort="x", strategies=["random"]), output="results")
assert_type(study.answer, str)
assert_type(study.table("scores"), pd.DataFrame)
assert_type(study.plot("x"), Figure)

ts.protocol(cohort="x", slowing="much")  # type: ignore[arg-type]
ts.run(3)  # type: ignore[arg-type]
ts.plan(ts.protocol("x"), such=1)  # type: ignore[call-arg]
ts.rank()  # type: ignore[call-arg]
ts.compare("no", such=1)  # type: ignore[call-arg]
ts.power(1)  # type: ignore[arg-type]
ts.optimize(1)  # type: ignore[arg-type]
ts.predict(None)  # type: ignore[arg-type]
ts.open_study(3)  # type: ignore[arg-type]
ts.load_cohort(1)  # type: ignore[arg-type]
ts.analyze("trial.csv", such=1)  # type: ignore[call-arg]
_ = ts.plan(ts.protocol("x")).such  # type: ignore[attr-defined]
ts.load_cohort("x").write("y", such=1)  # type: ignore[call-arg]
ts.load_model(precision="half")  # type: ignore[arg-type]
ts.TrialDesign(visits_months="0,12")  # type: ignore[arg-type]
ts.Costs(money=1)  # type: ignore[call-arg]
ts.open_study("x").plot(1)  # type: ignore[arg-type]
ts.analytic.means(mean="no")  # type: ignore[call-arg]
compare_strategies("no", such=1)  # type: ignore[arg-type, call-arg]
_ = ts.no_such_name  # type: ignore[attr-defined]
ts.protocol("x", strategies="random")  # type: ignore[arg-type]
ts.load_cohort("x", ignore="site")  # type: ignore[arg-type]
