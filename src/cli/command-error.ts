/** A failure the user can do something about: its message is all there is to say. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}
