/** Locations and data centers of the Hetzner Cloud, as its API lists them. */

export interface Location {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  readonly country: string;
  readonly city: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly network_zone: string;
}

function location(
  id: number,
  name: string,
  [city, country, description = city]: readonly [string, string, string?],
  [latitude, longitude]: readonly [number, number],
  network_zone: string,
): Location {
  return { id, name, description, country, city, latitude, longitude, network_zone };
}

/** In the order in which a server without a wish gets one. */
export const locations: readonly Location[] = [
  location(1, "fsn1", ["Falkenstein", "DE", "Falkenstein DC Park 1"], [50.47612, 12.370071], "eu-central"),
  location(2, "nbg1", ["Nuremberg", "DE", "Nuremberg DC Park 1"], [49.452102, 11.076665], "eu-central"),
  location(3, "hel1", ["Helsinki", "FI", "Helsinki DC Park 1"], [60.169855, 24.938379], "eu-central"),
  location(4, "ash", ["Ashburn, VA", "US"], [39.045821, -77.487073], "us-east"),
  location(5, "hil", ["Hillsboro, OR", "US"], [45.54222, -122.951924], "us-west"),
  location(6, "sin", ["Singapore", "SG"], [1.283333, 103.833333], "ap-southeast"),
];

export const networkZones: readonly string[] = [...new Set(locations.map((item) => item.network_zone))];

/** Data centers are deprecated but still part of servers and primary IPs; there is one a location. */
export const datacenters: readonly { readonly id: number; readonly name: string; readonly location: string }[] = [
  { id: 2, name: "nbg1-dc3", location: "nbg1" },
  { id: 3, name: "hel1-dc2", location: "hel1" },
  { id: 4, name: "fsn1-dc14", location: "fsn1" },
  { id: 5, name: "ash-dc1", location: "ash" },
  { id: 6, name: "hil-dc1", location: "hil" },
  { id: 7, name: "sin-dc1", location: "sin" },
];

/** The location of this name. Throws for names that are in no catalog: a state from elsewhere. */
export function locationNamed(name: string): Location {
  const found = locations.find((item) => item.name === name);
  if (!found) throw new Error(`there is no location ${name}`);
  return found;
}
