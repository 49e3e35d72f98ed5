# SPDX-License-Identifier: BSD-3-Clause
# The other guest of a virtual network: answers the network workload until it is ended.
ip link set eth0 up && ip addr add 10.0.2.2/24 dev eth0 && netpeer
