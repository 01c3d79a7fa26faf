#!/bin/sh
# Run by mmdebstrap after all packages are in; $1 is the root of the image.
set -eu
root=$1
assets=$(dirname "$0")

cp -R "$assets/rootfs/." "$root/"

# Modules are stored compressed; unpacking them at every boot costs seconds under emulation.
find "$root/usr/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -n 64 unxz
for modules in "$root"/usr/lib/modules/*; do
  chroot "$root" depmod "$(basename "$modules")"
done

chroot "$root" systemctl -q enable systemd-networkd.service systemd-resolved.service
# Waits for things that this machine does not have, or work that nobody needs at each boot.
chroot "$root" systemctl -q mask \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
  systemd-pstore.service systemd-hwdb-update.service systemd-binfmt.service systemd-modules-load.service \
  systemd-network-generator.service modprobe@drm.service modprobe@fuse.service getty@tty1.service \
  sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount dev-hugepages.mount \
  proc-sys-fs-binfmt_misc.automount

ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
echo '/dev/vda / ext4 defaults,errors=remount-ro 0 1' >"$root/etc/fstab"
: >"$root/etc/machine-id"
rm -f "$root"/boot/initrd* "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/var/lib/dbus/machine-id"

# Linker cache, journal catalogue and users are up to date: without these marks each first boot makes them again.
chroot "$root" journalctl --update-catalog
chroot "$root" ldconfig
touch "$root/etc/.updated" "$root/var/.updated"
