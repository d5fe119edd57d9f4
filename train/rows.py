"""Tables of runs in docs/*.csv, to which several processes may add at a time."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from model_zoo.tables import write_rows


def stored_rows(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """The rows of a table; none, with these columns, where there is no file yet."""
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=list(columns))


def put_rows(rows: pd.DataFrame, path: Path, key: Sequence[str]) -> None:
    """Put rows at the end of a table of figures with five decimals, in place of those with the same values in the
    columns `key`. The table is read only now, as another process may have added to it while these were computed."""
    table = stored_rows(path, rows.columns)
    others = table[~table.set_index(list(key)).index.isin(rows.set_index(list(key)).index)]
    # By records, as pandas warns of an empty table beside another.
    records = [*others.to_dict("records"), *rows.to_dict("records")]
    write_rows(pd.DataFrame(records, columns=table.columns).round(5), path)
