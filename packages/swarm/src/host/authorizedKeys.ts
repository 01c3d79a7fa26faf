/**
 * Programs that let an SSH key in on a host, and out again. They touch the lines of that key alone: everybody else's stay as they
 * are, byte for byte and in their order.
 */
import { quote } from "../shell";

/** Of root, wherever its home is. */
const keysPath = "~root/.ssh/authorized_keys";

/** Lets a key in, beside all others. Does nothing where it is let in already. Part of a larger program, which has `set -eu`. */
export function addKeyProgram(publicKey: string): string {
  return `${common}
add_key() {
  [ -d ${keysFolder} ] || mkdir -m 700 ${keysFolder}
  keys=$(readlink -f ${keysPath})
  if [ ! -e "$keys" ]; then (umask 077 && : >"$keys"); fi
  if lets_in "$1"; then return 0; fi
  cp -p "$keys" "$keys.next"
  {
    cat "$keys"
    [ -z "$(tail -c 1 "$keys")" ] || echo
    printf '%s %s hcloud-swarm\\n' "$2" "$1"
  } >"$keys.next"
  put_keys
}
add_key ${words(publicKey)} </dev/null
`;
}

/**
 * Takes a key away, in whatever form it stands there, for good. Fails, and changes nothing, where the other one is not let in: it
 * is the one to come in with.
 */
export function removeKeyProgram(publicKey: string, remaining: string): string {
  return `set -eu
${common}
remove_key() {
  keys=$(readlink -f ${keysPath})
  lets_in "$3" || keys_fail "the new key is not in $keys: the old one stays. Deploy again with ssh.previousPrivateKey"
  cp -p "$keys" "$keys.next"
  awk -v "key=$1" "$key_of"' key_of($0) != key' "$keys" >"$keys.next"
  if cmp -s "$keys" "$keys.next"; then rm -f "$keys.next"; else put_keys; fi
}
remove_key ${words(publicKey)} ${words(remaining)} </dev/null
`;
}

const keysFolder = keysPath.slice(0, keysPath.lastIndexOf("/"));

/** `key_of(LINE)` in awk: what stands for the key in a line, as sshd reads it; `restricted` says whether options stand before. */
const keyOf = `
  function key_of(line, at, c, quoted, fields) {
    sub(/\\r$/, "", line)
    sub(/^[ \\t]+/, "", line)
    restricted = 0
    if (line ~ /^(#|$)/) return ""
    if (line !~ /^(ssh|ecdsa|sk|webauthn)-[^ \\t"=,]*[ \\t]/) {
      restricted = 1
      quoted = 0
      for (at = 1; at <= length(line); at++) {
        c = substr(line, at, 1)
        if (!quoted && (c == " " || c == "\\t")) break
        if (c == "\\\\" && substr(line, at + 1, 1) == "\\"") at++
        else if (c == "\\"") quoted = !quoted
      }
      line = substr(line, at)
      sub(/^[ \\t]+/, "", line)
    }
    if (split(line, fields, /[ \\t]+/) < 2) return ""
    return fields[2]
  }
`;

const common = `export LC_ALL=C
keys_fail() { printf 'SSH keys: %s\\n' "$*" >&2; exit 1; }
key_of=${quote(keyOf)}
# Whether a line lets the key do everything.
lets_in() {
  awk -v "key=$1" "$key_of"' key_of($0) == key && !restricted { found = 1 } END { exit !found }' "$keys"
}
# The file changes as a whole, with the mode and the owner that it has.
put_keys() {
  sync "$keys.next"
  mv -f "$keys.next" "$keys"
}
`;

/** The key itself and its type, as words of a command. */
function words(publicKey: string): string {
  const [type = "", key = ""] = publicKey.trim().split(/\s+/);
  return `${quote(key)} ${quote(type)}`;
}
