/** The last step of a host that the program puts into no swarm: its policy is confirmed, and it is verified. */
import * as pulumi from "@pulumi/pulumi";
import { VerifyMode } from "../args/host";
import { agentDigest } from "../host";
import type { VerificationReport } from "../outputs";
import { confirmationAround, printResult } from "../remote/confirmation";
import { lastStep, type StepPlace } from "../remote/steps";
import { parseReport } from "../verification";

export interface VerifyPlan {
  readonly verify: VerifyMode;
  readonly timeouts: { readonly probation: number };
}

/** Something that is another one on every run, where every `up` is to verify. */
export function nonceOf(verify: VerifyMode): { readonly nonce?: string } {
  return verify === VerifyMode.Always ? { nonce: new Date().toISOString() } : {};
}

export interface VerifiedHost {
  readonly step: pulumi.Resource;
  readonly report: pulumi.Output<VerificationReport>;
}

/** `afterConfirmation`: shell text between the confirmation and the verification. */
export function verifyHost(
  place: StepPlace,
  digest: pulumi.Output<string>,
  plan: VerifyPlan,
  afterConfirmation = "",
): VerifiedHost {
  const step = lastStep(place, {
    kind: "verification",
    digest,
    agent: agentDigest,
    probationSeconds: plan.timeouts.probation,
    program: `set -eu\n${confirmationAround(afterConfirmation)}${printResult}`,
    ...nonceOf(plan.verify),
  });
  return { step, report: pulumi.unsecret(step.stdout).apply(parseReport) };
}
