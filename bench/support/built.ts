type PoolModule = typeof import("../../src/pool/pool.ts");
type VerifyTokensModule = typeof import("../../src/pool/verify-tokens.ts");

/** The code that is shipped; Node starts a thread from JavaScript only. */
export const { openPool } = await load<PoolModule>("pool/pool.js");
export const { makeTokenVerifier } = await load<VerifyTokensModule>("pool/verify-tokens.js");

function load<Module>(path: string): Promise<Module> {
  return import(new URL(`../../dist/${path}`, import.meta.url).href);
}
