/**
 * Server types of the Hetzner Cloud: sizes, architecture and places are those of the public API (2026); prices are for
 * orientation. What memory a virtual machine of the region really gets is up to the backend.
 */
import { locations } from "./locations.js";

const EU = ["fsn1", "nbg1", "hel1"];
const US = ["ash", "hil"];
const SIN = ["sin"];
const TB = 1024 ** 4;
/** Hours that make the monthly price, and value-added tax in percent, for the price list. */
export const HOURS_PER_MONTH = 624;
export const VAT_RATE = 19;

export interface Deprecation {
  readonly announced: string;
  readonly unavailable_after: string;
}

export interface ServerType {
  readonly id: number;
  readonly name: string;
  readonly cores: number;
  /** GiB. */
  readonly memory: number;
  /** GiB. */
  readonly disk: number;
  readonly category: string;
  readonly cpuType: "shared" | "dedicated";
  readonly architecture: "x86" | "arm";
  /** Net price a month in euros, in the cheapest location. */
  readonly price: number;
  readonly locations: readonly string[];
  /** Location name to what is announced there. */
  readonly deprecations: Readonly<Record<string, Deprecation>>;
}

interface Family {
  readonly category: string;
  readonly architecture?: "x86" | "arm";
  readonly cpuType?: "shared" | "dedicated";
  readonly locations: readonly string[];
  readonly deprecated?: { readonly in: readonly string[]; readonly when: Deprecation };
}

/** id, name, cores, memory, disk, price. */
type Row = readonly [number, string, number, number, number, number];

function family(shape: Family, rows: readonly Row[]): ServerType[] {
  const deprecations = Object.fromEntries((shape.deprecated?.in ?? []).map((name) => [name, shape.deprecated?.when]));
  return rows.map(([id, name, cores, memory, disk, price]) => ({
    id,
    name,
    cores,
    memory,
    disk,
    price,
    category: shape.category,
    architecture: shape.architecture ?? "x86",
    cpuType: shape.cpuType ?? "shared",
    locations: shape.locations,
    deprecations: deprecations as Record<string, Deprecation>,
  }));
}

const GENERATION_CHANGE: Deprecation = {
  announced: "2025-10-16T06:00:00+00:00",
  unavailable_after: "2025-12-31T23:59:59+00:00",
};

export const serverTypes: readonly ServerType[] = [
  ...family({ category: "Cost-Optimized", locations: EU }, [
    [114, "cx23", 2, 4, 40, 3.49],
    [115, "cx33", 4, 8, 80, 5.49],
    [116, "cx43", 8, 16, 160, 9.49],
    [117, "cx53", 16, 32, 320, 17.49],
  ]),
  ...family({ category: "Cost-Optimized", locations: EU, deprecated: { in: EU, when: GENERATION_CHANGE } }, [
    [104, "cx22", 2, 4, 40, 3.79],
    [105, "cx32", 4, 8, 80, 6.8],
    [106, "cx42", 8, 16, 160, 16.4],
    [107, "cx52", 16, 32, 320, 32.4],
  ]),
  ...family({ category: "Regular Performance", locations: [...EU, ...SIN] }, [
    [108, "cpx12", 1, 2, 40, 5.99],
    [109, "cpx22", 2, 4, 80, 6.49],
    [110, "cpx32", 4, 8, 160, 10.99],
    [111, "cpx42", 8, 16, 320, 19.99],
    [112, "cpx52", 12, 24, 480, 28.49],
    [113, "cpx62", 16, 32, 640, 38.99],
  ]),
  ...family(
    {
      category: "Regular Performance",
      locations: [...EU, ...US, ...SIN],
      deprecated: { in: [...EU, ...SIN], when: GENERATION_CHANGE },
    },
    [
      [22, "cpx11", 2, 2, 40, 4.35],
      [23, "cpx21", 3, 4, 80, 7.55],
      [24, "cpx31", 4, 8, 160, 13.6],
      [25, "cpx41", 8, 16, 240, 25.2],
      [26, "cpx51", 16, 32, 360, 54.9],
    ],
  ),
  ...family({ category: "Cost-Optimized", architecture: "arm", locations: EU }, [
    [45, "cax11", 2, 4, 40, 3.79],
    [93, "cax21", 4, 8, 80, 6.49],
    [94, "cax31", 8, 16, 160, 12.49],
    [95, "cax41", 16, 32, 320, 24.49],
  ]),
  ...family({ category: "General Purpose", cpuType: "dedicated", locations: [...EU, ...US, ...SIN] }, [
    [96, "ccx13", 2, 8, 80, 12.49],
    [97, "ccx23", 4, 16, 160, 24.49],
    [98, "ccx33", 8, 32, 240, 48.49],
    [99, "ccx43", 16, 64, 360, 96.49],
    [100, "ccx53", 32, 128, 600, 192.49],
    [101, "ccx63", 48, 192, 960, 288.49],
  ]),
];

/** The server type of this name. Throws for names that are in no catalog: a state from elsewhere. */
export function serverTypeNamed(name: string): ServerType {
  const found = serverTypes.find((item) => item.name === name);
  if (!found) throw new Error(`there is no server type ${name}`);
  return found;
}

/** Whether new servers of the type can be made in the location at that time. */
export function isOffered(type: ServerType, location: string, now: string): boolean {
  if (!type.locations.includes(location)) return false;
  const deprecation = type.deprecations[location];
  return deprecation === undefined || Date.parse(now) < Date.parse(deprecation.unavailable_after);
}

export function price(net: number): { net: string; gross: string } {
  return { net: net.toFixed(4), gross: (net * (1 + VAT_RATE / 100)).toFixed(4) };
}

function isAmericanOrAsian(location: string): boolean {
  return !EU.includes(location);
}

/** What something costs in each location; `net` is the monthly price in the cheapest. */
export function pricesOf({ price: net, locations: places }: Pick<ServerType, "price" | "locations">) {
  return places.map((location) => {
    const monthly = isAmericanOrAsian(location) ? net * 1.2 : net;
    return {
      location,
      price_hourly: price(monthly / HOURS_PER_MONTH),
      price_monthly: price(monthly),
      included_traffic: (isAmericanOrAsian(location) ? 1 : 20) * TB,
      price_per_tb_traffic: price(isAmericanOrAsian(location) ? 7.4 : 1),
    };
  });
}

/** Traffic in bytes that a server may send a month without extra cost. */
export function includedTraffic(type: ServerType, location: string): number {
  return pricesOf(type).find((entry) => entry.location === location)?.included_traffic ?? TB;
}

export function serverTypeView(type: ServerType) {
  const everywhere = type.locations.map((name) => type.deprecations[name]);
  const deprecation = everywhere.every((entry) => entry !== undefined) ? (everywhere[0] ?? null) : null;
  return {
    id: type.id,
    name: type.name,
    description: type.name.toUpperCase(),
    category: type.category,
    cores: type.cores,
    memory: type.memory,
    disk: type.disk,
    storage_type: "local",
    cpu_type: type.cpuType,
    architecture: type.architecture,
    deprecated: deprecation !== null,
    deprecation,
    locations: type.locations.map((name) => ({
      id: locations.find((item) => item.name === name)?.id,
      name,
      deprecation: type.deprecations[name] ?? null,
    })),
    prices: pricesOf(type),
  };
}
