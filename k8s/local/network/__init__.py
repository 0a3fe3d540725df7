"""NetworkPolicy, enforced on a node whose pods are all routed: policies, pods and namespaces become one nftables table.

    ranges      sets of addresses and of ports, as sorted ranges
    facts       what matters of pods and namespaces
    selecting   labels, peers and ports of a policy's rule
    reaching    what each pod may take and open
    compiling   the script for nft
    watching    follows the API server, applies

Decisions:

* **An unknown address is closed.** A pod's address is known to us some moments after the pod has it; until then it reaches
  nobody and nobody reaches it, but for the node itself. So no pod is ever open before its rules are there.
* **The last rules stay** when the API server is gone, when nft fails and when this program ends. Nothing here removes the table.
* **A packet must come in where its source is routed to**, which the table checks by itself. *Rejected*: the kernel's strict
  ``rp_filter`` alone, whose default is off; a pod then takes the rules of whose address it writes.
* **IPv4 only.** IPv6 neither passes from pod to pod nor from a pod to the node: the link-local addresses which every
  interface has would else go around all rules.
* **Connections that are established stay**, also when a new policy would deny them; Kubernetes leaves that open.
* **Rules see what kube-proxy made of a packet**: the pod or the node behind a Service, never the Service's own address. An
  ``ipBlock`` that is to permit a Service names what is behind it.
* **Pods on the node's network are the node**: policies do not hold for them, and no ``podSelector`` finds them.
* **What cannot be read permits nobody**: an ``ipBlock`` that is no network, a namespace that is not known yet.

Belongs here: what NetworkPolicy means. Does not: Services, addresses and routes of pods, which kube-proxy and the CNI plugin make.
"""
