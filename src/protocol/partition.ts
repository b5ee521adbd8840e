/** Hash slots of Redis Cluster (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/). */
const SLOTS = 16_384;

const CRC16_TABLE = makeCrc16Table();
const utf8 = new TextEncoder();

/** `CLUSTER KEYSLOT key`: 0 to 16383, honouring a `{hash tag}` in the key. */
export function keySlot(key: string): number {
  const bytes = utf8.encode(hashTag(key));
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) ^ CRC16_TABLE[((crc >> 8) ^ byte) & 0xff]!) & 0xffff;
  return crc % SLOTS;
}

/** The partition that holds all of a tenant's events, 0 to `partitions` - 1. */
export function partitionOf(tenant: string, partitions: number): number {
  return keySlot(tenant) % partitions;
}

/** What stands between the first `{` and the next `}`, unless that is nothing; else the whole key. */
export function hashTag(key: string): string {
  const open = key.indexOf("{");
  if (open < 0) return key;
  const close = key.indexOf("}", open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}

/** CRC-16/XMODEM, polynomial 0x1021, as the cluster specification's appendix A gives it. */
function makeCrc16Table(): Uint16Array {
  const table = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
    table[byte] = crc;
  }
  return table;
}
