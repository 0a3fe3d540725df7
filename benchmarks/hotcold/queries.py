"""The reads: queries 1, 3, 6 and 18 of TPC-H (specification 3.0.1, section 2.4, with the validation parameters).

Each names its tables as ``{lineitem}``, so that the same text reads any place.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TABLES: Final = ("lineitem", "orders", "customer")

TPCH: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Q1": """
            SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice),
                   sum(l_extendedprice * (1 - l_discount)), sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)),
                   avg(l_quantity), avg(l_extendedprice), avg(l_discount), count(*)
            FROM {lineitem} WHERE l_shipdate <= date'1998-12-01' - interval 90 days
            GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus""",
        "Q3": """
            SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate, o_shippriority
            FROM {customer}, {orders}, {lineitem}
            WHERE c_mktsegment = 'BUILDING' AND c_custkey = o_custkey AND l_orderkey = o_orderkey
              AND o_orderdate < date'1995-03-15' AND l_shipdate > date'1995-03-15'
            GROUP BY l_orderkey, o_orderdate, o_shippriority ORDER BY revenue DESC, o_orderdate LIMIT 10""",
        "Q6": """
            SELECT sum(l_extendedprice * l_discount) AS revenue FROM {lineitem}
            WHERE l_shipdate >= date'1994-01-01' AND l_shipdate < date'1995-01-01'
              AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24""",
        "Q18": """
            SELECT c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity)
            FROM {customer}, {orders}, {lineitem}
            WHERE o_orderkey IN (SELECT l_orderkey FROM {lineitem} GROUP BY l_orderkey HAVING sum(l_quantity) > 300)
              AND c_custkey = o_custkey AND o_orderkey = l_orderkey
            GROUP BY c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
            ORDER BY o_totalprice DESC, o_orderdate LIMIT 100""",
    }
)
"""The four of which the hoped-for ratios speak."""

NARROW: Final = "SELECT sum(l_quantity), max(l_shipdate) FROM {lineitem}"
NARROW_COLUMNS: Final = ("l_quantity", "l_shipdate")
"""Two of sixteen columns."""


def text(query: str, tables: Mapping[str, str]) -> str:
    """``query`` with the name of each table's view in place of the table."""
    return query.format_map(dict(tables))
