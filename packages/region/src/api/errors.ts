/**
 * Errors of the hcloud API. Codes and HTTP statuses are those of the public API's error table; each becomes the envelope
 * `{"error": {"code", "message", "details"}}`.
 */

const statuses = {
  json_error: 400,
  unauthorized: 401,
  forbidden: 403,
  resource_limit_exceeded: 403,
  not_found: 404,
  firewall_resource_not_found: 404,
  method_not_allowed: 405,
  uniqueness_error: 409,
  conflict: 409,
  deprecated_api_endpoint: 410,
  resource_unavailable: 412,
  invalid_input: 422,
  service_error: 422,
  unsupported_error: 422,
  invalid_server_type: 422,
  server_not_stopped: 422,
  networks_overlap: 422,
  placement_error: 422,
  server_already_attached: 422,
  ip_not_available: 422,
  no_subnet_available: 422,
  primary_ip_assigned: 422,
  primary_ip_already_assigned: 422,
  primary_ip_datacenter_mismatch: 422,
  primary_ip_version_mismatch: 422,
  must_be_unassigned: 422,
  server_has_ipv4: 422,
  server_has_ipv6: 422,
  resource_in_use: 422,
  server_already_added: 422,
  volume_already_attached: 422,
  firewall_already_applied: 422,
  firewall_managed_by_label_selector: 422,
  private_net_only_server: 422,
  invalid_load_balancer_type: 422,
  load_balancer_already_attached: 422,
  load_balancer_not_attached_to_network: 422,
  load_balancer_public_interface_disabled: 422,
  server_not_attached_to_network: 422,
  source_port_already_used: 422,
  target_already_defined: 422,
  targets_without_use_private_ip: 422,
  missing_ipv4: 422,
  cloud_resource_ip_not_allowed: 422,
  ip_not_owned: 422,
  locked: 423,
  protected: 423,
  rate_limit_exceeded: 429,
  server_error: 500,
  unavailable: 503,
  timeout: 504,
} as const;

export type ErrorCode = keyof typeof statuses;

export const errorCodes = Object.keys(statuses) as [ErrorCode, ...ErrorCode[]];

/** A field of the request that was refused, as in the details of `invalid_input`. */
export interface FieldProblem {
  readonly name: string;
  readonly messages: readonly string[];
}

/** An answer of the API other than success. Thrown by everything below the routes; the app turns it into a response. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly details: Record<string, unknown> | null;

  constructor(code: ErrorCode, message: string, details: Record<string, unknown> | null = null) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return statuses[this.code];
  }
}

/** `invalid_input` for several fields at once. */
export function invalidFields(fields: readonly FieldProblem[]): ApiError {
  const names = fields.map((field) => `'${field.name}'`).join(", ");
  return new ApiError("invalid_input", `invalid input in field${fields.length === 1 ? "" : "s"} ${names}`, { fields });
}

/** `invalid_input` for one field. */
export function invalidField(name: string, message: string): ApiError {
  return invalidFields([{ name, messages: [message] }]);
}

export function notFound(kind: string, id: number | string): ApiError {
  return new ApiError("not_found", `${kind} with ID '${id}' not found`);
}

export function notUnique(kind: string, field = "name"): ApiError {
  return new ApiError("uniqueness_error", `${kind} ${field} is already used`, { fields: [{ name: field }] });
}

export function protectedFrom(kind: string, what: string): ApiError {
  return new ApiError("protected", `${kind} is protected from ${what}`);
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
