import type { Command, CommanderError } from "commander";
import t from "tap";
import { makeProgram } from "../../src/cli/program.ts";
import { runCli } from "./run-cli.ts";

const COMMANDS = ["start", "demo", "token", "publish", "tail", "revoke", "config"];

/** The command line in this process, for what ends before any command is run. */
async function parse(args: readonly string[]): Promise<{ failed: boolean; stdout: string; stderr: string }> {
  const output = { stdout: "", stderr: "" };
  const program = makeProgram();
  const capture = (command: Command) =>
    command.configureOutput({
      writeOut: (text) => {
        output.stdout += text;
      },
      writeErr: (text) => {
        output.stderr += text;
      },
    });
  for (const command of [program, ...program.commands]) capture(command);
  const outcome = await program.parseAsync(args, { from: "user" }).catch((error: CommanderError) => error);
  return { failed: (outcome as CommanderError).exitCode !== 0, ...output };
}

t.test("--help lists the commands, and each explains itself with examples", async (t) => {
  const { failed, stdout } = await parse(["--help"]);
  t.notOk(failed);
  for (const command of COMMANDS) {
    t.match(stdout, new RegExp(`^  ${command} `, "m"));
    const help = await parse([command, "--help"]);
    t.notOk(help.failed, command);
    t.match(help.stdout, `Usage: ragline-gateway ${command} `);
    t.match(help.stdout, new RegExp(`Examples:\n  .*ragline-gateway ${command}`));
    t.equal(help.stderr, "");
  }
});

t.test("a wrong command line is answered with the usage", async (t) => {
  const wrong = [
    [],
    ["fly"],
    ["start", "--fast"],
    ["config", "extra"],
    ["token", "--tenant", "acme"],
    ["token", "--tenant", "acme", "--user", "u", "--ttl", "0"],
    ["token", "--tenant", "acme", "--user", "u", "--ttl", "1h"],
    ["publish", "orders", "order_created", "{}"],
    ["publish", "orders", "order_created", "{", "--tenant", "acme"],
    ["tail", "--sse", "--ws", "--token", "x"],
    ["tail", "--token", "x", "--url", "ws://localhost"],
    ["tail"],
  ];
  for (const args of wrong) {
    const { failed, stdout, stderr } = await parse(args);
    t.ok(failed, args.join(" "));
    t.equal(stdout, "");
    t.match(stderr, "Usage: ragline-gateway");
  }
});

t.test("the exit code is 0 after help, and 2 after a wrong command line", async (t) => {
  const help = await runCli(["token", "--help"]);
  t.match(help, { code: 0, stdout: /^Usage: /, stderr: "" });
  const wrong = await runCli(["config", "--nope"]);
  t.match(wrong, { code: 2, stdout: "", stderr: /^error: unknown option '--nope'\n\nUsage: / });
  const version = await runCli(["--version"]);
  t.match(version, { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
});
