"""Where each setting's value comes from, and what is said of one that cannot be."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.errors import SettingsError
from dedup.questions import Metric
from dedup.settings import ABOUT, SETTING_NAMES, IndexKind, Settings, load


@pytest.fixture
def toml(tmp_path):
    def write(content: str) -> Path:
        file = tmp_path / "dedup.toml"
        file.write_text(content, "utf-8")
        return file

    return write


def test_defaults_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    resolved = load(environment={})
    assert resolved.settings == Settings()
    assert resolved.origin == dict.fromkeys(SETTING_NAMES, "default")


def test_file_beats_default_environment_beats_file_flag_beats_all(toml):
    file = toml("threshold = 0.6\nbatch_size = 16\nsource = 'site'\n")
    environment = {"DEDUP_BATCH_SIZE": "32", "DEDUP_SOURCE": "other", "DEDUP_METRIC": "manhattan", "HOME": "/"}
    resolved = load({"source": "third", "metric": None}, environment=environment, config=file)
    assert resolved.settings == Settings(threshold=0.6, batch_size=32, source="third", metric=Metric.MANHATTAN)
    assert {name: where for name, where in resolved.origin.items() if where != "default"} == {
        "threshold": str(file),
        "batch_size": "DEDUP_BATCH_SIZE",
        "source": "--source",
        "metric": "DEDUP_METRIC",
    }


def test_the_file_of_the_current_folder_and_the_process_environment_are_read(toml, monkeypatch):
    monkeypatch.chdir(toml("threshold = 0.7").parent)
    monkeypatch.setenv("DEDUP_INDEX", "PQ")
    resolved = load()
    assert (resolved.settings.threshold, resolved.origin["threshold"]) == (0.7, "dedup.toml")
    assert (resolved.settings.index, resolved.origin["index"]) == (IndexKind.PQ, "DEDUP_INDEX")


def test_an_empty_environment_variable_sets_nothing(toml):
    assert load(environment={"DEDUP_DB": ""}, config=toml("")).origin["db"] == "default"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("threshold", "1", "a number from 0.001 to 0.999"),
        ("threshold", "0", "a number from 0.001 to 0.999"),
        ("threshold", "nan", "a number from 0.001 to 0.999"),
        ("candidate_floor", "half", "a number from 0.001 to 0.999"),
        ("cluster_floor", "-1", "a number from 0.001 to 0.999"),
        ("recall_floor", "1.01", "a number from 0.5 to 1"),
        ("metric", "cosine", "manhattan or euclidean"),
        ("index", "hnsw", "auto or flat or pq or pgvector"),
        ("batch_size", "0", "a whole number of at least 1"),
        ("batch_size", "2.5", "a whole number of at least 1"),
        ("max_bytes", "-1", "a whole number of at least 0"),
        ("db", " ", "a text"),
        ("indexes", " ", "a text"),
        ("encoder", " ", "a text"),
    ],
)
@pytest.mark.parametrize("where", ["file", "environment", "flag"])
def test_a_value_that_cannot_be_names_its_setting_its_origin_and_what_was_expected(name, value, expected, where, toml):
    file = toml(f"{name} = '{value}'" if where == "file" else "")
    variable, flag = f"DEDUP_{name.upper()}", "--" + name.replace("_", "-")
    with pytest.raises(SettingsError) as raised:
        load(
            {name: value} if where == "flag" else {},
            environment={variable: value} if where == "environment" else {},
            config=file,
        )
    origin = {"file": str(file), "environment": variable, "flag": flag}[where]
    assert str(raised.value) == f"{name} is {value!r} (from {origin}); expected {expected}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("recall_floor = true", "recall_floor is True .*expected a number"),
        ("batch_size = true", "batch_size is True .*expected a whole number"),
        ("batch_size = 2.0", r"batch_size is 2\.0 .*expected a whole number"),
        ("threshold = 1" + "0" * 400, "threshold is 10+ .*expected a number"),
        ("threshold = [0.5]", r"threshold is \[0\.5\] .*expected a number"),
        ("db = 3", "db is 3 .*expected a text"),
        ("metric = 1", "metric is 1 .*expected manhattan or euclidean"),
        ("indexes = {}", r"indexes is \{\} .*expected a text"),
    ],
)
def test_a_value_of_another_kind_is_refused(line, said, toml):
    with pytest.raises(SettingsError, match=said):
        load(environment={}, config=toml(line))


def test_an_unknown_name_in_the_file_is_named_beside_the_known_ones(toml):
    with pytest.raises(SettingsError) as raised:
        load(environment={}, config=toml("treshold = 0.5\nbatchsize = 3\n"))
    assert "sets batchsize, treshold; the settings are" in str(raised.value)
    assert all(name in str(raised.value) for name in SETTING_NAMES)


@pytest.mark.parametrize("content", [b"threshold =", b"\xff\xfe", b"threshold = 0.5\nthreshold = 0.6"])
def test_a_file_that_is_not_toml_is_named(content, tmp_path):
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"broken\.toml is not TOML"):
        load(environment={}, config=file)


def test_a_file_that_was_asked_for_has_to_be_there(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.toml cannot be read"):
        load(environment={}, config=tmp_path / "none.toml")


def test_a_low_threshold_pulls_down_the_floors_nobody_set(toml):
    resolved = load({"threshold": "0.05"}, environment={}, config=toml(""))
    assert resolved.settings == Settings(threshold=0.05, candidate_floor=0.05, cluster_floor=0.05)
    assert resolved.origin["candidate_floor"] == resolved.origin["cluster_floor"] == "threshold (--threshold)"
    between = load({"threshold": 0.15}, environment={}, config=toml(""))
    assert between.settings == Settings(threshold=0.15, candidate_floor=0.15)
    assert between.origin["cluster_floor"] == "default"


@pytest.mark.parametrize("floor", ["candidate_floor", "cluster_floor"])
def test_a_floor_somebody_set_above_the_threshold_is_refused(floor, toml):
    with pytest.raises(SettingsError, match=rf"{floor} .*0\.4.* neither floor may be above it"):
        load({"threshold": 0.3}, environment={}, config=toml(f"{floor} = 0.4"))


@repeatable
@given(st.floats(0.001, 0.999))
def test_every_threshold_alone_works(threshold):
    settings = load({"threshold": threshold}, environment={}, config=Path(os.devnull)).settings
    assert settings.threshold == threshold
    assert max(settings.candidate_floor, settings.cluster_floor) <= threshold


def test_every_setting_says_what_it_is_about():
    assert set(ABOUT) == set(SETTING_NAMES)
    assert all(ABOUT.values())
