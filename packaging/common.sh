# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# shellcheck shell=bash
#
# What install and uninstall both know.

# shellcheck disable=SC2034 # used by those who source this
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=siw
# Of the provider; the module is DKMS's.
package=siw-provider
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' "$top/dkms.conf")
source_dir=/usr/src/$name-$version
plugin_dir=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null ||
	echo x86_64-linux-gnu)/libibverbs
# The provider interface ours is built for; see rdma-provider/.
plugin=$plugin_dir/libsiw-rdmav34.so
# Goes before librspreload.so: tools/rsselect.c
preload=/usr/local/lib/librsselect.so
diverted=$plugin_dir/libsiw-rdmav34.so.distrib

die()
{
	echo "siw: $*" >&2
	exit 1
}

need_root()
{
	[ "$(id -u)" = 0 ] || die "run this as root (sudo make ${0##*/})"
}

# systemd is not running in a container, a chroot or a test guest.
reload_systemd()
{
	[ ! -d /run/systemd/system ] || systemctl daemon-reload
}
