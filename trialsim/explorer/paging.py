"""Long tables in pages: only the page that is seen is made and sent."""

import pandas as pd
from shiny import ui
from shiny.ui import Tag, TagList

ROWS = 15
"""Of a page."""


def find_page(asked: int, n_rows: int) -> tuple[int, int]:
    """Return the page that there is nearest the one asked for, and the last one; 0 is the first."""
    last = max(0, (n_rows - 1) // ROWS)
    return min(max(asked, 0), last), last


def take_page(table: pd.DataFrame, page: int) -> pd.DataFrame:
    """Return a copy of the rows of a page."""
    return table.iloc[page * ROWS : (page + 1) * ROWS].copy()


def make_pager(page: int, last: int, name: str) -> Tag | TagList:
    """Return the buttons that turn pages; none where there is one page.

    Parameters
    ----------
    page, last
        The page that is seen, the last one.
    name
        The input that takes the page.
    """
    if last == 0:
        return TagList()
    turns = [("First", 0), ("Previous", page - 1), ("Next", page + 1), ("Last", last)]
    buttons = [make_button(text, name, min(max(to, 0), last)) for text, to in turns]
    return ui.div(*buttons, class_="pager")


def make_button(text: str, name: str, value: int) -> Tag:
    """Return a button that sends a number to an input, also where it holds that number already."""
    send = f"Shiny.setInputValue('{name}', {int(value)}, {{priority: 'event'}})"
    return ui.tags.button(text, type="button", onclick=send, class_="btn btn-link")
