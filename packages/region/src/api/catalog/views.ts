/** Lookups and views that join locations, data centers and server types. */
import { invalidField } from "../errors.js";
import { datacenters, locationNamed, locations } from "./locations.js";
import { isOffered, serverTypes } from "./serverTypes.js";

type Datacenter = (typeof datacenters)[number];

function datacenterOf(location: string): Datacenter {
  const found = datacenters.find((item) => item.location === location);
  if (!found) throw new Error(`there is no data center in ${location}`);
  return found;
}

/** The data center object of a location, with the server types that it offers at that time. */
export function datacenterView(location: string, now: string) {
  const datacenter = datacenterOf(location);
  const place = locationNamed(location);
  const supported = serverTypes.filter((type) => type.locations.includes(location));
  const available = supported.filter((type) => isOffered(type, location, now)).map((type) => type.id);
  return {
    id: datacenter.id,
    name: datacenter.name,
    description: `${place.city} ${datacenter.name.replace(/^.*-dc/, "DC ")}`,
    location: place,
    server_types: {
      supported: supported.map((type) => type.id),
      available,
      available_for_migration: available,
    },
  };
}

/** Name of the data center of a location: the availability zone of the metadata service. */
export function datacenterName(location: string): string {
  return datacenterOf(location).name;
}

/**
 * The name of the location that a request asks for by id or name, or by the deprecated data center; undefined when it
 * asks for none. Throws `invalid_input` when both are given or there is no such place.
 */
export function findLocation(location: string | undefined, datacenter: string | undefined): string | undefined {
  if (location !== undefined && datacenter !== undefined) {
    throw invalidField("location", "must not be used together with datacenter");
  }
  if (location !== undefined) {
    const found = locations.find((item) => item.name === location || String(item.id) === location);
    if (!found) throw invalidField("location", `location '${location}' not found`);
    return found.name;
  }
  if (datacenter !== undefined) {
    const found = datacenters.find((item) => item.name === datacenter || String(item.id) === datacenter);
    if (!found) throw invalidField("datacenter", `datacenter '${datacenter}' not found`);
    return found.location;
  }
  return undefined;
}
