"""What a version of Spark can be told: every setting that it registers."""

from typing import Any

from pyspark.sql import SparkSession


def registered(spark: SparkSession) -> dict[str, tuple[str, str]]:
    """Every setting that this Spark knows: its default and its description."""
    java: Any = spark.sparkContext._jvm
    found: dict[str, tuple[str, str]] = {}
    spark.sql("SET -v").count()  # loads them
    java.java.lang.Class.forName("org.apache.spark.deploy.k8s.Config$")
    for holder, field in (
        ("org.apache.spark.internal.config.ConfigEntry$", "knownConfigs"),
        ("org.apache.spark.sql.internal.SQLConf$", "sqlConfEntries"),
    ):
        owner = java.java.lang.Class.forName(holder)
        (kept,) = (one for one in owner.getDeclaredFields() if one.getName().endswith(field))
        kept.setAccessible(True)
        entries = kept.get(owner.getField("MODULE$").get(None))
        for key in list(entries.keys()):
            found[key] = (entries[key].defaultValueString(), entries[key].doc())
    return found
