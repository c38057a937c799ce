"""What deploy/ has can be read by what it is for, and every command in it is one of ours."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from dedup.cli.main import cli
from dedup.settings import ENVIRONMENT_PREFIX, SETTING_NAMES

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
FILES = sorted(DEPLOY.iterdir())
COMMAND = re.compile(r"(?:^|[\s/])dedup (?=--|[a-z])")


def commands(file: Path) -> Iterator[list[str]]:
    """Yield the commands of a file: its comments' and its values', as shells and as lists of words."""
    text = file.read_text("utf-8")
    if file.suffix == ".yaml":
        yield from in_values(yaml.safe_load(text))
    else:
        yield from (words(line) for line in text.splitlines() if re.match(r"(ExecStart|CMD)", line))
    for line in text.splitlines():
        if line.lstrip().startswith("#") and COMMAND.search(line) and "`" not in line:
            yield words(line)


def in_values(value: Any) -> Iterator[list[str]]:
    if isinstance(value, dict):
        for each in value.values():
            yield from in_values(each)
    elif isinstance(value, list) and value and value[0] == "dedup":
        yield value[1:]
    elif isinstance(value, list):
        for each in value:
            yield from in_values(each)
    elif isinstance(value, str) and COMMAND.match(value):
        yield words(value)


def words(line: str) -> list[str]:
    said = line.replace('"', "").replace("[", "").replace("]", "").replace(",", "")
    return shlex.split(said[COMMAND.search(said).end() :]) if COMMAND.search(said) else []


def parsed(said: list[str]) -> str:
    """Parse a command as `dedup` would, and return its name."""
    context = cli.make_context("dedup", list(said), resilient_parsing=False)
    name, command, rest = cli.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None
    command.make_context(name, list(rest), parent=context)
    return str(name)


ALL = [(file.name, said) for file in FILES for said in commands(file) if said]


@pytest.mark.parametrize(("file", "said"), ALL, ids=[f"{file}-{at}" for at, (file, _) in enumerate(ALL)])
def test_every_command_is_one_of_ours(file: str, said: list[str]) -> None:
    known = {option for parameter in cli.commands["run"].params for option in parameter.opts}
    if "--engine" in said and "--engine" not in known:
        pytest.skip("this dedup has no engines yet")
    if said[-1] == "--help":
        said = said[:-1] or ["status"]
    parsed(said)


def test_commands_are_found() -> None:
    assert {file for file, _ in ALL} >= {
        "compose.yaml",
        "ray-cluster.yaml",
        "rayjob.yaml",
        "question-dedup.service",
    }
    with pytest.raises(click.UsageError):
        parsed(["run", "dump.csv", "--no-such-option"])


@pytest.mark.parametrize("file", [file for file in FILES if file.suffix == ".yaml"], ids=lambda file: file.name)
def test_every_variable_is_a_setting(file: Path) -> None:
    known = {ENVIRONMENT_PREFIX + name.upper() for name in SETTING_NAMES}
    used = set(re.findall(rf"\b{ENVIRONMENT_PREFIX}[A-Z_]+", file.read_text("utf-8")))
    assert used <= known


def test_the_ray_cluster_is_as_rays_own_schema_has_it() -> None:
    """By ray's own schema, where ray is installed; its package is not loaded for it."""
    validator = pytest.importorskip("jsonschema_rs", reason="needs question-dedup[test]")
    found = importlib.util.find_spec("ray")
    if found is None or not found.submodule_search_locations:
        pytest.skip("needs question-dedup[ray]")
    schema = Path(found.submodule_search_locations[0], "autoscaler", "ray-schema.json")
    config = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text("utf-8"))
    assert validator.is_valid(json.loads(schema.read_text("utf-8")), config)
    assert not validator.is_valid(json.loads(schema.read_text("utf-8")), {**config, "workers": 3})


def test_the_ray_job_mounts_what_its_containers_name() -> None:
    job = yaml.safe_load((DEPLOY / "rayjob.yaml").read_text("utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        pod = group["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            assert {entry["name"] for entry in container["env"]} >= {"DEDUP_DB", "PGPASSFILE"}
    sizes = [(group["minReplicas"], group["replicas"], group["maxReplicas"]) for group in cluster["workerGroupSpecs"]]
    assert all(list(each) == sorted(each) for each in sizes)


def test_the_compose_file_names_only_what_it_declares() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    assert set(compose) == {"services", "secrets", "volumes"}
    for service in compose["services"].values():
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        named = {volume.split(":")[0] for volume in service["volumes"] if not volume.startswith((".", "/"))}
        assert named <= set(compose["volumes"])
    database = compose["services"]["database"]["command"]
    assert "maintenance_work_mem=2GB" in database  # the graph is made in it
    assert compose["services"]["database"]["shm_size"] == "3gb"  # by several processes, which share it
