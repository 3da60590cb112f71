"""Units and regions in words."""

from reports.page.formats import show_text

_UNITS = {"mm3": "mm³", "log_percent": "% (100 ln)"}
_DECLINE_UNITS = {"mm3": "mm³", "percent": "% of the volume at baseline"}


def show_unit(unit: str | None) -> str:
    """Return the words for the unit of a trial's outcome; nothing for one not recorded."""
    # files of earlier versions say percent of what is 100 ln(volume)
    return _UNITS.get("log_percent" if unit == "percent" else unit or "", "")


def show_decline_unit(unit: str | None) -> str:
    """Return the words for the unit of the decline that strategies learn."""
    return _DECLINE_UNITS.get(unit or "", "")


def show_region(region: str | None) -> str:
    """Return a region as it is written; the endpoint for one not recorded."""
    return "endpoint" if region is None else show_text(region.replace("_", " "))
