import { hashTag } from "../protocol/partition.js";

/** Names of everything the gateway keeps in Redis, besides the streams themselves (protocol/stream.ts). */

/** The consumer group of one running gateway. Every gateway has its own, so that each sees every event. */
export function groupName(host: string, startId: string): string {
  return `${GROUP_PREFIX}${host}:${startId}`;
}

export const GROUP_PREFIX = "ragline-gateway:";

/**
 * The consumer of every stream in a group: the role of its owner, not a worker, so that whoever takes a stream over
 * finds what was delivered and not acknowledged.
 */
export const CONSUMER = "owner";

/** Lives, by its time to live, as long as the gateway of that group does. */
export function aliveKey(group: string): string {
  return `${group}:alive`;
}

/**
 * Holds the entries by which the reader of a stream proves that it reads. In the stream's own hash slot, because one
 * XREADGROUP reads both.
 */
export function canaryKey(group: string, streamKey: string): string {
  return `${group}:canary:{${hashTag(streamKey)}}`;
}

/** When each gateway was last heard of: a sorted set of groups by Unix time in seconds. */
export const SEEN_KEY = `${GROUP_PREFIX}seen`;

/** Of streams that were seen deleted or rolled back, how often, by their key. */
export const EPOCHS_KEY = "ragline:epochs";

/** The stream of what operators tell every gateway. */
export const CONTROL_KEY = "ragline:control";

/** The hash of the limits set for one tenant. */
export function limitsKey(tenant: string): string {
  return `ragline:limits:${tenant}`;
}

/** Remembers how much of its publish rate a tenant has used. */
export function publishRateKey(tenant: string): string {
  return `ragline:publish-rate:${tenant}`;
}

/** Entries that could be delivered to nobody. */
export function deadLetterKey(topic: string): string {
  return `ragline:dlq:${topic}`;
}

/**
 * Remembers the id an event was first added under. Shares the hash slot of its partition's streams, and names their
 * prefix, because two deployments in one Redis have nothing to do with each other.
 */
export function dedupeKey(prefix: string, partition: number, tenant: string, eventId: string): string {
  return `ragline:dedupe:{${partition}}:${prefix.length}:${prefix}${tenant.length}:${tenant}:${eventId}`;
}
