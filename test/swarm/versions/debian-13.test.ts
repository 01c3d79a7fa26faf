import { versionSuite } from "./suite.js";

versionSuite({ image: "debian-13", region: "deb13", docker: "26.1" });
