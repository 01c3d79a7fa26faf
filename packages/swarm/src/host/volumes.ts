/** What mounts a node's volumes: a program for `sh` that makes the host have those that it is given, and no others of ours. */
import { quote, untilTrue } from "../shell";

export interface MountedVolume {
  /** In Hetzner Cloud. */
  readonly id: string;
  /** Absolute, without anything that is special to a shell or to systemd. */
  readonly mountPath: string;
  /** GB. */
  readonly size: number;
}

/** Where nothing is mounted: directories of the system, and those that Docker and the host agent live in. */
export const systemPath = new RegExp(
  [
    "^/(bin|boot|dev|etc|lib(32|64|x32)?|proc|root|run|sbin|sys|tmp|usr)(/|$)",
    "^/(home|mnt|opt|srv|var)$",
    "^/var/(cache|lib|log|run|spool|tmp)$",
    "^/var/(run|lib/(apt|cloud|containerd|docker|dpkg|hcloud-|systemd)[^/]*)(/|$)",
  ].join("|"),
);

/** Its argument when the volumes are to go. */
export const unmountArgument = "unmount";

/** Seconds that a disk may take to come, and that a file system may be busy when it is to go. */
const bounds = { disk: 60, release: 15 };
/** At most how long the program waits: a server has 16 volumes, and no more may have to go. */
export const mountWaitSeconds = 16 * (bounds.disk + bounds.release);

/** The text holds no secret. Sizes are in it so that a volume that has grown is a reason to run it again. */
export function mountProgram(volumes: readonly MountedVolume[]): string {
  const lines = volumes.map(({ id, mountPath, size }) => `${id} ${mountPath} ${size}\n`).join("");
  return `volumes=${quote(lines)}\n${script}`;
}

const script = `set -eu
[ "\${1:-}" != ${unmountArgument} ] || volumes=
units=/etc/systemd/system
disks=/dev/disk/by-id/scsi-0HC_Volume_
say() { echo "hcloud-swarm: $*" >&2; }
fail() { say "FAILED: $*"; exit 1; }

${untilTrue}
is_disk() { [ -b "$disks$1" ]; }
number_of() { lsblk -dnro MAJ:MIN "$disks$1"; }
where_of() { sed -n 's/^Where=//p' "$1"; }
volume_of() { sed -n 's/^# Made by hcloud-swarm for volume //p' "$1"; }
# A container has a view of its own of what is mounted, and keeps the file system for as long as it runs.
is_free() {
  is_disk "$1" || return 0
  ! cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -q "^[0-9]* [0-9]* $(number_of "$1") "
}

# let_go FILE: unmounts what the unit has mounted, and takes the unit away.
let_go() {
  where=$(where_of "$1") id=$(volume_of "$1") unit=\${1##*/}
  say "unmounting $where"
  systemctl stop "$unit" || :
  if ! until_true ${bounds.release} is_free "$id"; then
    systemctl start "$unit" || :
    fail "$where is in use: stop what uses it, and deploy again"
  fi
  systemctl disable "$unit" >/dev/null 2>&1
  rm "$1"
  systemctl daemon-reload
  chattr -i "$where" 2>/dev/null || :
  rmdir "$where" 2>/dev/null || :
}

for file in "$units"/*.mount; do
  [ -e "$file" ] || continue
  id=$(volume_of "$file")
  [ -n "$id" ] || continue
  if ! printf '%s' "$volumes" | grep -q "^$id $(where_of "$file") "; then let_go "$file"; fi
done

# have ID PATH
have() {
  until_true ${bounds.disk} is_disk "$1" || fail "volume $1 is attached, and $disks$1 has not come within ${bounds.disk} s"
  kind=$(blkid -o value -s TYPE "$disks$1") || fail "volume $1 has no file system"
  unit=$(systemd-escape --path --suffix=mount "$2")
  if ! mountpoint -q "$2"; then
    if [ -e "$2" ] && { [ ! -d "$2" ] || [ -n "$(ls -A "$2")" ]; }; then
      fail "$2 is there already, and is no empty directory"
    fi
    mkdir -p "$2"
    # Nobody writes beside the volume while it is not mounted.
    chattr +i "$2" 2>/dev/null || say "$2 can be written to while its volume is not mounted"
  fi
  cat >"$units/$unit.new" <<UNIT
# Made by hcloud-swarm for volume $1
[Unit]
Description=Volume $1 of Hetzner Cloud
Before=docker.service

[Mount]
What=$disks$1
Where=$2
Type=$kind
Options=discard

[Install]
WantedBy=multi-user.target
UNIT
  mv "$units/$unit.new" "$units/$unit"
  systemctl daemon-reload
  systemctl enable "$unit" >/dev/null 2>&1
  systemctl start "$unit" || fail "volume $1 could not be mounted: $(journalctl --unit "$unit" --lines 5 --output cat --no-pager)"
  [ "$(findmnt -nro MAJ:MIN --mountpoint "$2" | tail -n 1)" = "$(number_of "$1")" ] || fail "something else is mounted at $2"
  case $kind in
    ext4) resize2fs "$disks$1" >/dev/null 2>&1 || fail "the file system of volume $1 could not be made as large as the volume" ;;
    xfs)
      command -v xfs_growfs >/dev/null ||
        DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends xfsprogs >/dev/null
      xfs_growfs "$2" >/dev/null || fail "the file system of volume $1 could not be made as large as the volume"
      ;;
  esac
}

while read -r id path _; do
  [ -z "$id" ] || have "$id" "$path" </dev/null
done <<VOLUMES
$volumes
VOLUMES
`;
