/** Who a token says it is for. Nothing is verified here: that is the gateway's work. */
export interface Claims {
  tenant: string;
  user: string | undefined;
  roles: readonly string[];
}

/** The tokens of a text: of the fragment of the page's address, or pasted. */
export function tokensOf(text: string): string[] {
  return text
    .replace(/%2c/gi, ",")
    .split(/[\s,]+/)
    .filter((token) => token !== "");
}

/** Undefined when it is not a JWT with a tenant. */
export function claimsOf(token: string): Claims | undefined {
  try {
    const base64 = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const { tenant_id, user_id, sub, roles } = JSON.parse(new TextDecoder().decode(bytes));
    if (tenant_id === undefined) return undefined;
    const user = user_id ?? sub;
    return {
      tenant: String(tenant_id),
      user: user === undefined ? undefined : String(user),
      roles: Array.isArray(roles) ? roles.map(String) : [],
    };
  } catch {
    return undefined;
  }
}
