"""The commands under `trialsim samplesize`: calculators that need no cohort."""

from trialsim.cli.asking.once import Commands
from trialsim.cli.asking.options import sharing
from trialsim.cli.samplesize.answering import TEST
from trialsim.cli.samplesize.calculators import ancova, means, mmrm, slope
from trialsim.cli.samplesize.enrichment import enrichment
from trialsim.cli.samplesize.multiple import doses, endpoints
from trialsim.cli.samplesize.sequential import sequential
from trialsim.cli.samplesize.twin_slopes import twin_slopes
from trialsim.cli.samplesize.twins import twins

app = Commands(
    no_args_is_help=True,
    help="Calculate sample size, power or detectable effect; leave one of the three out.",
)
app.command()(sharing("test", TEST, distribution="t")(means))
app.command()(sharing("test", TEST, distribution="t")(ancova))
for calculator in (slope, mmrm, enrichment):
    app.command()(sharing("test", TEST)(calculator))
app.command()(twins)
app.command("twin-slopes")(twin_slopes)
app.command()(sequential)
app.command()(doses)
app.command()(endpoints)
