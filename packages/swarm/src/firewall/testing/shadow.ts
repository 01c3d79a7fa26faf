/** Finds rules that can never decide because an earlier one of their chain decides for all their packets. For tests. */
import { type Bundle, contains, familyOf, networkList, words } from "../../testing/evaluator";

/** Conditions of a line by option, such as `-p` or `conntrack --ctstate`; a negated one has `!` before it. */
type Conditions = ReadonlyMap<string, string>;

/** Each as `later line <- earlier line`. */
export function shadowedRules(bundle: Bundle, elements: ReadonlyMap<string, readonly string[]>): readonly string[] {
  return [...bundle.chains.values()].flatMap((lines) =>
    lines.flatMap((later, index) => {
      const earlier = lines
        .slice(0, index)
        .find((line) => decides(line) && coversAll(conditionsOf(line), conditionsOf(later), elements));
      return earlier === undefined ? [] : [`${later} <- ${earlier}`];
    }),
  );
}

function decides(line: string): boolean {
  return !line.includes("-j LOG") && !line.includes("-m hashlimit") && !line.includes("-m limit");
}

function conditionsOf(line: string): Conditions {
  const conditions = new Map<string, string>();
  const queue = [...words(line).slice(2)];
  let module = "";
  for (;;) {
    let word = queue.shift();
    if (word === undefined || word === "-j" || word === "-g") return conditions;
    if (word === "-m") {
      module = `${queue.shift()} `;
      continue;
    }
    const negated = word === "!" ? "! " : "";
    if (negated !== "") word = queue.shift() ?? "";
    const values: string[] = [];
    while (queue[0] !== undefined && !/^(-|!)/.test(queue[0])) values.push(queue.shift() ?? "");
    if (!module.startsWith("comment")) conditions.set(`${negated}${module}${word}`, values.join(" "));
  }
}

/** Whether each condition of `outer` holds wherever all of `inner` do. */
function coversAll(outer: Conditions, inner: Conditions, elements: ReadonlyMap<string, readonly string[]>): boolean {
  return [...outer].every(([option, value]) => {
    if (["-s", "-d", "set --match-set"].includes(option)) return coversNetworks(option, value, inner, elements);
    const other = inner.get(option);
    if (other === undefined) return false;
    if (option === "-i" && value.endsWith("+")) return other.startsWith(value.slice(0, -1));
    if (option.endsWith("port")) return rangeCovers(value, other);
    return value === other;
  });
}

function coversNetworks(
  option: string,
  value: string,
  inner: Conditions,
  elements: ReadonlyMap<string, readonly string[]>,
): boolean {
  if (inner.get(option) === value) return true;
  const sideOf = (text: string | undefined) => text?.split(" ")[1];
  const ofSet = (text: string | undefined) => elements.get(text?.split(" ")[0] ?? "");
  const isSet = option === "set --match-set";
  const side = isSet ? sideOf(value) : option === "-s" ? "src" : "dst";
  const address = inner.get(side === "src" ? "-s" : "-d");
  const set = inner.get("set --match-set");
  const outerNetworks = isSet ? ofSet(value) : [value];
  const innerNetworks = address !== undefined ? [address] : sideOf(set) === side ? ofSet(set) : undefined;
  if (outerNetworks === undefined || innerNetworks === undefined) return false;
  return innerNetworks.every((network) => outerNetworks.some((outer) => networkCovers(outer, network)));
}

function networkCovers(outer: string, inner: string): boolean {
  const [address = "", prefix] = inner.split("/");
  const width = familyOf(address) === "ipv6" ? 128 : 32;
  return Number(outer.split("/")[1] ?? width) <= Number(prefix ?? width) && contains(networkList([outer]), address);
}

function rangeCovers(outer: string, inner: string): boolean {
  const [outerFirst = 0, outerLast = outerFirst] = outer.split(":").map(Number);
  const [innerFirst = 0, innerLast = innerFirst] = inner.split(":").map(Number);
  return outerFirst <= innerFirst && innerLast <= outerLast;
}
