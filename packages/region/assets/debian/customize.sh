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
  systemd-pstore.service systemd-hwdb-update.service systemd-binfmt.service \
  systemd-network-generator.service modprobe@drm.service modprobe@fuse.service getty@tty1.service \
  sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount dev-hugepages.mount \
  proc-sys-fs-binfmt_misc.automount

# Generators run at every boot and at every daemon-reload, of which an installation of Docker has several.
mkdir -p "$root/etc/systemd/system-generators"
for generator in debug gpt-auto hibernate-resume rc-local run ssh system-update sysv tpm2; do
  ln -sf /dev/null "$root/etc/systemd/system-generators/systemd-$generator-generator"
done

# Rules for hardware that no server has are tried against every device.
for rules in 50-firmware 60-autosuspend 60-cdrom_id 60-drm 60-fido-id 60-infiniband 60-persistent-alsa \
  60-persistent-storage-mtd 60-persistent-storage-tape 60-persistent-v4l 60-sensor 64-btrfs 66-azure-ephemeral \
  70-camera 70-joystick 70-memory 70-mouse 70-touchpad 70-uaccess 71-seat 73-seat-late 75-probe_mtd 78-sound-card \
  90-iocost 96-e2scrub; do
  ln -sf /dev/null "$root/etc/udev/rules.d/$rules.rules"
done

ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
# The initramfs mounts the root file system as it shall be: an entry would make boots wait for udev and fsck.
: >"$root/etc/fstab"
: >"$root/etc/machine-id"
rm -f "$root"/boot/initrd* "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/var/lib/dbus/machine-id"

# Linker cache, journal catalogue and users are up to date: without these marks each first boot makes them again.
chroot "$root" journalctl --update-catalog
chroot "$root" ldconfig
touch "$root/etc/.updated" "$root/var/.updated"
