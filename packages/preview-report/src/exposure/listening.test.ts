import { describe, expect, test } from "vitest";
import { ListeningError, listeningRules } from "./listening.js";

const output = `
udp   UNCONN 0      0      203.0.113.1%ens3:68        0.0.0.0:*
tcp   LISTEN 0      4096         127.0.0.54:53        0.0.0.0:*
tcp   LISTEN 0      4096      127.0.0.53%lo:53        0.0.0.0:*
tcp   LISTEN 0      128             0.0.0.0:22        0.0.0.0:*
tcp   LISTEN 0      128                [::]:22           [::]:*
tcp   LISTEN 0      4096                  *:80              *:*    users:(("dockerd",pid=812,fd=33))
tcp   LISTEN 0      4096          10.0.0.2:2377        0.0.0.0:*
tcp   LISTEN 0      4096      [2001:db8::1]:9000           [::]:*
tcp   LISTEN 0      4096             [::1]:9001           [::]:*
`;

describe("the sockets that listen on a host", () => {
  test("are openings by family, but for those that the outside cannot reach", () => {
    expect(
      listeningRules(output).map(({ protocol, family, from, to }) => `${protocol}/${from}-${to} ${family}`),
    ).toEqual([
      "udp/68-68 ipv4",
      "tcp/22-22 ipv4",
      "tcp/22-22 ipv6",
      "tcp/80-80 ipv4",
      "tcp/80-80 ipv6",
      "tcp/9000-9000 ipv6",
    ]);
  });

  test("are not guessed from other text", () => {
    expect(() => listeningRules("Netid State Recv-Q Send-Q Local Address:Port\n")).toThrow(ListeningError);
    expect(() => listeningRules("\n")).toThrow(/ss -Htuln/);
    expect(() => listeningRules("tcp LISTEN 0 1 0.0.0.0:70000 *:*")).toThrow(/line 1/);
  });
});
