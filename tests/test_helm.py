"""The Helm chart, rendered by the real helm: what must be in it, and what it says when values do not fit together."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge import __version__, config
from bridge.cli import parser
from tests.requirements import require
from tests.serving import ROOT

CHART = ROOT / "deploy" / "helm" / "callbridge"
RULES = ROOT / "deploy" / "prometheus" / "callbridge.rules.yml"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"

CONFIG = """\
storage: {url: sqlite:////var/lib/callbridge/callbridge.db}
gateway: {api_key_file: secrets/api_key}
people: {alice: {phone: +491711234567}}
policies: {default: {steps: [{call: [alice]}]}}
route: {policy: default}
"""
SHARED = CONFIG.replace("url: sqlite:////var/lib/callbridge/callbridge.db", "url_file: secrets/database")
SMALL: dict[str, Any] = {"config": CONFIG, "existingSecret": "phone", "web": {"existingSecret": "web"}}
LARGE: dict[str, Any] = {
    "config": SHARED,
    "templates": {"call.txt.j2": "Mine: {{ total }}."},
    "existingSecret": "phone",
    "replicas": 3,
    "database": {"kind": "postgresql"},
    "web": {"existingSecret": "web", "tls": True, "externalUrl": "https://callbridge.example"},
    "ingress": {"enabled": True, "host": "callbridge.example", "className": "nginx", "tlsSecret": "tls"},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "tlsConfig": {"serverName": "x"}},
    "prometheusRule": {"enabled": True},
    "dashboards": {"enabled": True},
    "networkPolicy": {"enabled": True, "egress": [{"ports": [{"port": 5432}]}]},
    "priorityClassName": "high",
    "extraArgs": ["--web.route-prefix=/"],
}


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = require("helm", "helm", advice="make test fetches it")
    return subprocess.run([command, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)


def template(folder: Path, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    path = folder / "values.yaml"
    path.write_text(json.dumps(values))
    return helm("template", "night", CHART, "--namespace=monitoring", "-f", path)


def rendered(folder: Path, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every object of the release, by its kind (a second ConfigMap: by kind and name)."""
    told = template(folder, values)
    assert told.returncode == 0, told.stderr
    found: dict[str, dict[str, Any]] = {}
    for one in filter(None, yaml.safe_load_all(told.stdout)):
        kind = one["kind"]
        found[kind if kind not in found else f"{kind} {one['metadata']['name']}"] = one
    return found


def pod(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return spec


def config_map(objects: dict[str, dict[str, Any]]) -> dict[str, str]:
    (data,) = (one["data"] for one in objects.values() if "callbridge.yaml" in one.get("data", {}))
    return dict(data)


@pytest.mark.parametrize("values", [SMALL, LARGE], ids=["small", "large"])
def test_lint(tmp_path: Path, values: dict[str, Any]) -> None:
    """`helm lint --strict` has nothing to say of the chart."""
    path = tmp_path / "values.yaml"
    path.write_text(json.dumps(values))

    told = helm("lint", "--strict", CHART, "-f", path)

    assert told.returncode == 0, told.stdout
    assert "[WARNING]" not in told.stdout


def test_the_chart_is_of_this_version() -> None:
    """The chart runs the image of the version that it lies beside, and every value has its place in the schema."""
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())

    assert about["appVersion"] == __version__
    assert set(schema["properties"]) - {"global"} == set(values)
    for key, one in schema["properties"].items():
        if "properties" in one:
            assert set(one["properties"]) == set(values[key]), key


@pytest.mark.parametrize("values", [SMALL, LARGE], ids=["small", "large"])
def test_the_pod_is_restricted(tmp_path: Path, values: dict[str, Any]) -> None:
    """What Pod Security calls restricted, for every container; the root cannot be written, no token is mounted."""
    spec = pod(rendered(tmp_path, values))
    whole = spec["securityContext"]

    assert (whole["runAsNonRoot"], whole["runAsUser"], whole["fsGroup"]) == (True, 65534, 65534)
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize("values", [SMALL, LARGE], ids=["small", "large"])
def test_the_pod_starts_what_there_is(tmp_path: Path, values: dict[str, Any]) -> None:
    """Every command line is one that the program takes, and every file it names lies in a volume that is there."""
    spec = pod(rendered(tmp_path, values))
    volumes = {one["name"] for one in spec["volumes"]}

    for container in (*spec["containers"], *spec.get("initContainers", ())):
        arguments = container["args"]
        parser(arguments).parse_args(arguments)
        mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
        files = re.findall(r"=(/etc\S+)", " ".join(arguments))
        assert files
        assert all(any(file.startswith(path) for path in mounts) for file in files)
        assert set(mounts.values()) <= volumes
        # A folder mounted into a read-only volume could not be made.
        assert not any(a != b and b.startswith(f"{a}/") for a in mounts for b in mounts)
    (serving,) = spec["containers"]
    assert {serving[f"{one}Probe"]["httpGet"]["path"] for one in ("startup", "readiness")} == {"/-/ready"}
    assert serving["livenessProbe"]["httpGet"]["path"] == "/-/healthy"


def test_one_replica_on_a_volume(tmp_path: Path) -> None:
    """On SQLite the old pod ends before the new one begins, and its file outlives the release."""
    objects = rendered(tmp_path, SMALL)

    assert objects["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    assert objects["PersistentVolumeClaim"]["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    data = next(one for one in pod(objects)["volumes"] if one["name"] == "data")
    assert data["persistentVolumeClaim"]["claimName"] == objects["PersistentVolumeClaim"]["metadata"]["name"]
    assert set(objects) == {"Deployment", "Service", "ServiceAccount", "ConfigMap", "PersistentVolumeClaim"}


def test_several_replicas_on_postgresql(tmp_path: Path) -> None:
    """On PostgreSQL the schema is upgraded before the start, replicas keep apart, and one of them may be drained."""
    objects = rendered(tmp_path, LARGE)
    spec = pod(objects)

    assert "PersistentVolumeClaim" not in objects
    assert objects["Deployment"]["spec"]["replicas"] == 3
    # Servers of the old version must not run on the new schema.
    assert objects["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    assert spec["initContainers"][0]["args"][:2] == ["db", "upgrade"]
    assert "podAntiAffinity" in spec["affinity"]
    assert objects["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert objects["PodDisruptionBudget"]["spec"]["selector"] == objects["Deployment"]["spec"]["selector"]


def test_rolling_updates(tmp_path: Path) -> None:
    """Who upgrades the schema by hand has replicas replaced one by one."""
    objects = rendered(tmp_path, LARGE | {"database": {"kind": "postgresql", "upgrade": False}})

    assert objects["Deployment"]["spec"]["strategy"] == {"type": "RollingUpdate"}
    assert "initContainers" not in pod(objects)


def test_the_config_is_taken_as_it_is_written(tmp_path: Path) -> None:
    """The numbers keep their +, templates lie beside the config, and the program can read the whole."""
    data = config_map(rendered(tmp_path, LARGE | {"config": CONFIG, "replicas": 1, "database": {}}))
    path = tmp_path / "callbridge.yaml"
    path.write_text(data.pop("callbridge.yaml"))

    assert config.load(path).people["alice"].phone == "+491711234567"
    assert data == {"call.txt.j2": "Mine: {{ total }}."}


def test_another_config_is_another_pod(tmp_path: Path) -> None:
    """A change of config or templates changes the pod, so that it is rolled out."""
    sums = [
        rendered(tmp_path, values)["Deployment"]["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for values in (SMALL, SMALL | {"config": CONFIG + "\n# x\n"}, SMALL | {"templates": {"a.txt.j2": ""}})
    ]

    assert len(set(sums)) == 3


def test_what_prometheus_gets(tmp_path: Path) -> None:
    """Operator and sidecar get the same rules and dashboards as everybody else, and the job that they look for."""
    objects = rendered(tmp_path, LARGE)
    monitor, rule = objects["ServiceMonitor"]["spec"], objects["PrometheusRule"]["spec"]
    (boards,) = (one["data"] for one in objects.values() if one["metadata"]["name"].endswith("-dashboards"))

    assert monitor["jobLabel"] == "app.kubernetes.io/name"
    assert objects["Service"]["metadata"]["labels"]["app.kubernetes.io/name"] == "callbridge"
    assert monitor["endpoints"][0] | {"interval": "15s"} == {
        "port": "http",
        "path": "/metrics",
        "interval": "15s",
        "scheme": "https",
        "tlsConfig": {"serverName": "x"},
    }
    assert rule == yaml.safe_load(RULES.read_text())
    assert boards == {path.name: path.read_text() for path in DASHBOARDS.glob("*.json")}
    assert len(boards) >= 3


def test_what_comes_from_outside(tmp_path: Path) -> None:
    """From outside only the gateway's reports and the links of calls are let in, and only the port is open."""
    objects = rendered(tmp_path, LARGE)
    (rule,) = objects["Ingress"]["spec"]["rules"]
    policy = objects["NetworkPolicy"]["spec"]

    assert [one["path"] for one in rule["http"]["paths"]] == ["/webhook/sms77", "/webhook/keypress"]
    assert [port["port"] for one in policy["egress"] for port in one["ports"]] == [53, 53, 443, 5432]
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"config": ""}, "config is empty: write callbridge.yaml there as text"),
        ({"existingConfigMap": "x"}, "config and existingConfigMap are both set"),
        ({"config": "", "existingConfigMap": "x", "templates": {"a.txt.j2": ""}}, "templates would be ignored"),
        ({"existingSecret": ""}, "existingSecret is empty: name a Secret with the key api_key"),
        ({"replicas": 2}, "replicas: 2 needs database.kind: postgresql"),
        ({"web": {}}, "web.existingSecret is empty"),
        ({"ingress": {"enabled": True}}, "ingress.host is empty"),
        ({"config": "a: [b"}, "config is no YAML"),
        ({"config": SHARED}, "config has storage of PostgreSQL: set database.kind: postgresql"),
        ({"config": "route: {}"}, "config must keep its database in the volume"),
        ({"database": {"kind": "postgresql"}}, "config has neither storage.url: postgresql"),
        ({"database": {"kind": "mysql"}}, "at '/database/kind'"),
        ({"config": {"people": {}}}, "at '/config'"),
        ({"replica": 2}, "additional properties 'replica' not allowed"),
        ({"web": {"externalUrl": "callbridge.example"}}, "at '/web/externalUrl'"),
        ({"templates": {"../x": ""}}, "invalid propertyName '../x'"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    """Values that do not fit together are refused with a sentence that says what would be right."""
    said = template(tmp_path, SMALL | change)

    assert said.returncode != 0
    assert told in said.stderr


def test_other_ways(tmp_path: Path) -> None:
    """A ConfigMap, a claim and an account that are there already are used, and none is made."""
    objects = rendered(
        tmp_path,
        {
            "existingConfigMap": "mine",
            "existingSecret": "phone",
            "web": {"allowUnauthenticated": True},
            "persistence": {"existingClaim": "old"},
            "serviceAccount": {"create": False},
            "affinity": {"nodeAffinity": {}},
        },
    )
    volumes = {one["name"]: one for one in pod(objects)["volumes"]}

    assert set(objects) == {"Deployment", "Service"}
    assert volumes["config"]["configMap"] == {"name": "mine"}
    assert volumes["data"]["persistentVolumeClaim"] == {"claimName": "old"}
    assert "--web.allow-unauthenticated" in pod(objects)["containers"][0]["args"]
