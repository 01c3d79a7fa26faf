import { versionSuite } from "./suite.js";

versionSuite({ image: "debian-sid", region: "debsid", docker: "28.5" });
