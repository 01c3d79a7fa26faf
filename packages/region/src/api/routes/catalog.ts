/** What the region offers: nothing here can be changed. */
import type { FastifyInstance } from "fastify";
import { imageNamed, imageView } from "../catalog/images.js";
import { loadBalancerTypes } from "../catalog/loadBalancerTypes.js";
import { datacenters, locations } from "../catalog/locations.js";
import { HOURS_PER_MONTH, price, pricesOf, serverTypes, serverTypeView, VAT_RATE } from "../catalog/serverTypes.js";
import { datacenterView } from "../catalog/views.js";
import type { Context } from "../context.js";
import { actionRoutes, readRoutes } from "./common.js";

/** Net monthly prices in euros, for orientation. */
const PRICES = { floatingIp: 3, imageGb: 0.011, primaryIpv4: 0.5, primaryIpv6: 0, volumeGb: 0.044 };

export function catalogRoutes(app: FastifyInstance, { engine, backend }: Context): void {
  readRoutes(app, engine, {
    plural: "images",
    singular: "image",
    all: async () => (await backend.images()).map((name) => ({ ...imageNamed(name), architecture: "x86" })),
    view: imageView,
    filter: (image, query) =>
      (query.architecture === undefined || query.architecture === image.architecture) &&
      (query.type.length === 0 || query.type.includes("system")) &&
      (query.status.length === 0 || query.status.includes("available")),
  });
  actionRoutes(app, engine, "images", "image", () => undefined);
  readRoutes(app, engine, {
    plural: "server_types",
    singular: "server_type",
    all: () => serverTypes,
    view: serverTypeView,
  });
  readRoutes(app, engine, {
    plural: "load_balancer_types",
    singular: "load_balancer_type",
    all: () => loadBalancerTypes,
    view: (type) => type,
  });
  readRoutes(app, engine, {
    plural: "locations",
    singular: "location",
    all: () => locations,
    view: (location) => location,
  });
  readRoutes(app, engine, {
    plural: "isos",
    singular: "iso",
    all: (): { id: number; name: string }[] => [],
    view: (iso) => iso,
  });

  const datacenterOf = (item: (typeof datacenters)[number]) => datacenterView(item.location, engine.now());
  readRoutes(app, engine, {
    plural: "datacenters",
    singular: "datacenter",
    all: () => datacenters,
    view: datacenterOf,
    more: { recommendation: datacenters[0]?.id },
  });

  app.get("/pricing", async () => ({ pricing: pricing() }));
}

function pricing() {
  const monthly = (net: number) => locations.map(({ name }) => ({ location: name, price_monthly: price(net) }));
  const hourly = (net: number) =>
    monthly(net).map((entry) => ({ ...entry, price_hourly: price(net / HOURS_PER_MONTH) }));
  return {
    currency: "EUR",
    vat_rate: VAT_RATE.toFixed(6),
    image: { price_per_gb_month: price(PRICES.imageGb) },
    floating_ip: { price_monthly: price(PRICES.floatingIp) },
    floating_ips: ["ipv4", "ipv6"].map((type) => ({ type, prices: monthly(PRICES.floatingIp) })),
    primary_ips: [
      { type: "ipv4", prices: hourly(PRICES.primaryIpv4) },
      { type: "ipv6", prices: hourly(PRICES.primaryIpv6) },
    ],
    server_types: serverTypes.map((type) => ({ id: type.id, name: type.name, prices: pricesOf(type) })),
    load_balancer_types: loadBalancerTypes.map(({ id, name, prices }) => ({ id, name, prices })),
    server_backup: { percentage: "20.000000" },
    volume: { price_per_gb_month: price(PRICES.volumeGb) },
  };
}
