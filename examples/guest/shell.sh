# SPDX-License-Identifier: BSD-3-Clause
# A shell on the virtio console, with all devices ready.
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
stty sane
cat <<'END'

Disk /dev/vda (mkfs.ext4, mount), network eth0 (ping 10.0.2.2), second console port
/dev/vport*p1, entropy /dev/hwrng. `cat /sys/bus/virtio/devices/*/features` shows what the drivers
negotiated. `poweroff` ends it.

END
cd /root
echo "alias poweroff=exit halt=exit reboot='reboot -f'" >/etc/profile
export PATH=/sbin:/bin HOME=/root TERM=vt100 PS1='guest:\w# ' ENV=/etc/profile
setsid -c sh </dev/hvc0 >/dev/hvc0 2>&1
