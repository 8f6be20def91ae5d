"""The rows of a Parquet file, in constant memory whatever their number."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pyarrow
from pyarrow import parquet

from services.archives.inputs import Input, open_raw
from services.common.errors import ConfigurationError
from services.ingester.sources.files.lines import DamagedFile

ROWS_AT_ONCE = 1_024


def records(
    file: Input, wanted: frozenset[str], require: Callable[[list[str]], None]
) -> Iterator[tuple[dict[str, object], float]]:
    """Each row's wanted columns, and which share of the file is read with it. `require` hears the file's columns first.

    ConfigurationError if it is no Parquet file, DamagedFile where it cannot be read on.
    """
    row, done = 0, 0.0
    try:
        with closing(open_raw(file)) as raw, parquet.ParquetFile(raw) as table:
            names = table.schema_arrow.names
            require(names)
            columns = [name for name in names if name in wanted]
            rows = max(1, table.metadata.num_rows)
            for batch in table.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
                for record in batch.to_pylist():
                    row += 1
                    yield record, done
                done = row / rows
    except pyarrow.ArrowInvalid as error:
        if row == 0:
            raise ConfigurationError(f"{file.url} is no Parquet file: {error}") from None
        raise DamagedFile(row + 1, f"the file cannot be read beyond this row: {error}") from None
