"""The committed list is whole and readable; what is no list is an error that says where."""

from pathlib import Path

import pytest

from framework.errors import ConfigError
from framework.jars.catalog import Coordinate, as_toml, chosen, load_catalog
from framework.jars.locking import RECIPES, coordinates


def test_the_list_holds_every_set_that_there_is_a_recipe_for() -> None:
    catalog = load_catalog()

    assert set(catalog) == set(RECIPES)
    assert {name: len(one.jars) for name, one in catalog.items() if name != "alluxio-server"} == {
        "alluxio-client": 1,
        "delta": 2,
        "postgres": 1,
        "s3a": 37,
    }


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_set_has_no_two_files_of_one_name_and_no_two_versions_of_one_jar(name: str) -> None:
    jars = load_catalog()[name].jars

    assert len({jar.file for jar in jars}) == len(jars)
    assert len({(j.coordinate.group, j.coordinate.artifact, j.coordinate.classifier) for j in jars}) == len(jars)
    assert all(len(jar.sha256) == 64 and jar.bytes > 0 for jar in jars)


def test_the_versions_fit_the_spark_that_is_installed() -> None:
    import pyspark

    home = Path(pyspark.__file__).parent / "jars"
    (api,) = home.glob("hadoop-client-api-*.jar")
    versions = {jar.coordinate.artifact: jar.coordinate.version for jar in load_catalog()["s3a"].jars}
    assert versions["hadoop-aws"] == api.stem.removeprefix("hadoop-client-api-")
    assert load_catalog()["delta"].jars[0].file.startswith(f"delta-spark_{pyspark.__version__[:3]}_")


def test_none_of_a_sets_jars_is_in_spark_already() -> None:
    import pyspark

    spark = {path.name.rsplit("-", 1)[0] for path in (Path(pyspark.__file__).parent / "jars").glob("*.jar")}
    ours = {jar.coordinate.artifact for name in ("s3a", "delta") for jar in load_catalog()[name].jars}
    assert ours & spark == set()


def test_writing_and_reading_the_list_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(as_toml(load_catalog().values()))

    assert load_catalog(tmp_path / "list") == load_catalog()


@pytest.mark.parametrize("text", ["[s3a", "[s3a]\n", '[s3a]\nabout="x"\njars=["a:b:1 5"]\n'])
def test_what_is_no_list_is_an_error_that_says_where(text: str, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(text)

    with pytest.raises(ConfigError) as caught:
        load_catalog(tmp_path / "list")

    assert str(tmp_path / "list") in str(caught.value)


def test_an_unknown_set_is_told_with_its_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        chosen(["s3"], load_catalog())

    assert "did you mean 's3a'?" in str(caught.value)


@pytest.mark.parametrize("text", ["a:b", "a::1", "a:b:c:d:e"])
def test_a_coordinate_has_three_or_four_parts(text: str) -> None:
    with pytest.raises(ConfigError):
        Coordinate.of(text)


def test_what_maven_lists_is_taken_apart_with_its_classifiers() -> None:
    told = """
The following files have been resolved:
   io.netty:netty-transport-native-epoll:jar:linux-x86_64:4.1.87.Final:runtime -- module io.netty.transport.epoll
   org.slf4j:slf4j-api:jar:1.7.30:compile
   junit:junit:jar:4.13:test
   org.alluxio:alluxio-parent:pom:2.9.6:compile
"""

    assert [one.file for one in coordinates(told)] == [
        "netty-transport-native-epoll-4.1.87.Final-linux-x86_64.jar",
        "slf4j-api-1.7.30.jar",
    ]
