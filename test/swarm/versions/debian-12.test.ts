import { versionSuite } from "./suite.js";

versionSuite({ image: "debian-12", region: "deb12", docker: "20.10" });
