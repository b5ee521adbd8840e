import { Packr, Unpackr } from "msgpackr";

/** Numbers where they are exact, bigint else. The library knows it, its types do not. */
const AUTO = "auto" as "number";

/**
 * MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) as every implementation reads it: plain maps,
 * no msgpackr records. 64-bit integers that a number cannot hold come back as bigint, so that two different tenant
 * numbers never become one.
 */
const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true, useToJSON: false });
/** Without references (`structuredClone`): with them a few bytes could stand for gigabytes. */
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: AUTO, structuredClone: false });

/** The bytes stay as they are: msgpackr goes on behind them, it does not overwrite. */
export function packMessage(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** @throws Error when `bytes` are not exactly one MessagePack value. */
export function unpackMessage(bytes: Uint8Array): unknown {
  return unpackr.unpack(bytes);
}
