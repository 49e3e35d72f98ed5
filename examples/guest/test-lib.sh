# SPDX-License-Identifier: BSD-3-Clause
# What several of the scripts need.

now_ms() {
    awk '{ print int($1 * 1000) }' /proc/uptime
}
