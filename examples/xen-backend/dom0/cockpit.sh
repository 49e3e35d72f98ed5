# SPDX-License-Identifier: BSD-3-Clause
# The instrument cluster of the cockpit's platform file: the same file as on every other hypervisor.
network_start
truncate -s 64M /run/cluster.img
truncate -s 8M /run/maps.img

backend_start --platform /images/cockpit.dtb --guest cluster \
    --connect cluster-data=file=/run/cluster.img --connect maps=file=/run/maps.img \
    --connect gateway=tap=tap0 --connect cluster-terminal=unix=/run/cluster.port
guest_configure cluster debian "avps.terminal=hvc1 avps.guest=cluster avps.tests=contract,network,console"
guest_start cluster
consolepeer /run/cluster.port /run/cluster.port.1 &
guest_ends cluster 240
backend_stop
