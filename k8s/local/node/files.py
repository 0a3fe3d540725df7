"""The configuration of containerd, the container network, kubelet and kube-proxy, as text. Pure.

Each line that is not a default has its reason: a machine without CAP_SYS_RESOURCE, without AppArmor, in whose namespaces
nothing of the host may change.
"""

import json
from typing import Any, Final

import yaml

from k8s.local.node.layout import DOMAIN, NODE, Layout

SOCKET: Final = "/run/containerd/containerd.sock"
PAUSE: Final = "teamspark.local/pause:1"
CNI_PLUGINS: Final = "/usr/lib/cni"
CNI_STATE: Final = "/var/lib/cni"


def files(layout: Layout) -> dict[str, str]:
    """What is written into the folder ``conf``, by name."""
    return {
        "containerd.toml": _containerd(layout),
        "cni/10-pods.conflist": json.dumps(_network(layout)),
        "kubelet.yaml": yaml.safe_dump(_kubelet(layout)),
        "kube-proxy.yaml": yaml.safe_dump(_proxy(layout)),
    }


def _containerd(layout: Layout) -> str:
    unused = [
        "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
        "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp",
    ]  # fmt: skip
    return f"""\
version = 2
root = "{layout.home}/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = {json.dumps(unused)}
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true  # one below our own may not be set without CAP_SYS_RESOURCE
  disable_apparmor = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{layout.conf}/cni"
"""


def _network(layout: Layout) -> dict[str, Any]:
    """Each pod on a cable of its own, no bridge: so every packet between two pods is forwarded, where walls can be."""
    ranges = [[{"subnet": layout.pods}]]
    routes = [{"dst": "0.0.0.0/0"}]
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(layout.home / "cni"),
                    "ranges": ranges,
                    "routes": routes,
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def _kubelet(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.address,
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "failCgroupV1": False,
        "clusterDNS": [layout.dns],
        "clusterDomain": DOMAIN,
        "resolvConf": "",
        "podLogsDir": str(layout.home / "pod-logs"),
        "failSwapOn": False,
        "oomScoreAdj": 0,
        # An image that was imported is never fetched again, so it is never thrown away.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "100Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%",
        },
        "evictionPressureTransitionPeriod": "10s",
        "shutdownGracePeriod": "0s",
        "runtimeRequestTimeout": "2m",
        "serializeImagePulls": True,
        "maxPods": 200,
    }  # fmt: skip


def _proxy(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "bindAddress": layout.address,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "hostnameOverride": NODE,
        "clusterCIDR": layout.pods,
        "detectLocalMode": "ClusterCIDR",
        "oomScoreAdj": 0,
        "clientConnection": {"kubeconfig": str(layout.pki / "proxy.kubeconfig")},
        # Those settings are the machine's, and may not be changed from here.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
