const LEAST_BYTES = 512;

/** The start of a message that is cut, kept for the next one; its memory is used again and again. */
export class HeldBytes {
  bytes = Buffer.alloc(0);
  length = 0;

  add(bytes: Buffer, start: number, end: number): void {
    const length = this.length + end - start;
    if (length > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(LEAST_BYTES, 2 * length));
      this.bytes.copy(larger, 0, 0, this.length);
      this.bytes = larger;
    }
    bytes.copy(this.bytes, this.length, start, end);
    this.length = length;
  }
}
