import t from "tap";
import { Watchdog } from "../../src/browser/watchdog.ts";

t.test("silence is counted from what was heard last", async (t) => {
  let now = 0;
  let onClockRead = () => {};
  t.intercept(globalThis, "performance", {
    value: {
      now() {
        onClockRead();
        return now;
      },
    },
  });
  let isSilent = false;
  const silence = new Promise<void>((resolve) => {
    const watchdog = new Watchdog(() => {
      isSilent = true;
      resolve();
    });
    watchdog.watch(5);
    now = 4;
    watchdog.feed();
  });

  now = 8;
  await new Promise<void>((resolve) => {
    onClockRead = resolve;
  });
  t.equal(isSilent, false);
  now = 9;
  await silence;
});

t.test("once stopped it is quiet", async (t) => {
  let isSilent = false;
  const stopped = new Watchdog(() => {
    isSilent = true;
  });
  stopped.watch(1);
  stopped.stop();
  await new Promise<void>((resolve) => new Watchdog(resolve).watch(2));
  t.equal(isSilent, false);
});
