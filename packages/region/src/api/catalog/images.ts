/** Images: the API's view of the names that the backend can boot. */

export interface Image {
  readonly id: number;
  readonly name: string;
}

/** Ids of Hetzner's own images, for programs that name an image by id. */
const KNOWN_IDS: Readonly<Record<string, number>> = { "debian-12": 114690387, "debian-13": 310557660 };
/** When the images of this catalog were made, for want of a better date. */
const CREATED = "2025-08-18T06:00:00+00:00";
const FLAVORS = ["alma", "centos", "debian", "fedora", "opensuse", "rocky", "ubuntu"];

/** A stable id for a name that Hetzner does not have: FNV-1a, lifted out of the range of other ids. */
function idOfName(name: string): number {
  let hash = 0x811c9dc5;
  for (const char of name) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return 1_000_000_000 + (hash % 1_000_000_000);
}

export function imageNamed(name: string): Image {
  return { id: KNOWN_IDS[name] ?? idOfName(name), name };
}

export function imageView(image: Image) {
  const [flavor = "", ...version] = image.name.split("-");
  const known = FLAVORS.includes(flavor);
  return {
    id: image.id,
    type: "system",
    status: "available",
    name: image.name,
    description: `${flavor.charAt(0).toUpperCase()}${flavor.slice(1)} ${version.join("-")}`.trim(),
    image_size: null,
    disk_size: 5,
    created: CREATED,
    created_from: null,
    bound_to: null,
    os_flavor: known ? flavor : "unknown",
    os_version: known && version.length > 0 ? version.join("-") : null,
    architecture: "x86",
    rapid_deploy: true,
    protection: { delete: false },
    deprecated: null,
    deleted: null,
    labels: {},
  };
}
