# SPDX-License-Identifier: BSD-3-Clause
# Sockets: bytes both ways at once, many connections, a port without a listener, and a service of the
# guest that this machine uses. Port 5000 of the host sends back what it gets.

vsock_serves() {
    sockets serve 6000 >/dev/console
}

begin vsock 0013
step "8 MiB out and back" sockets echo 5000 8388608
step "a thousand connections, then a hundred at once" sockets many 5000 1000
step "a port without a listener" sockets refused 5001
step "a service for the other side" vsock_serves
finish "8 MiB out and back, 1100 connections, a service for the host"
