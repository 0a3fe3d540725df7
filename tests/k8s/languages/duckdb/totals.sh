#!/bin/sh
# Flights and minutes of each carrier, by DuckDB: it is told of folders by its environment, and reads no JSON.
set -eu
exec "${DUCKDB:-duckdb}" -c "
COPY (
    SELECT carrier, CAST(sum(flights) AS BIGINT) AS flights, CAST(sum(minutes) AS BIGINT) AS minutes
    FROM read_parquet('$TEAMSPARK_INPUT_DELAYS/**/*.parquet', hive_partitioning = false)
    GROUP BY carrier
) TO '$TEAMSPARK_OUTPUT_DEFAULT/totals.parquet' (FORMAT parquet)"
