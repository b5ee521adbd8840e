import { type Connection, connect, type Gap, type GatewayEvent, type StateChange, type Transport } from "../client.js";
import { EventList } from "./event-list.js";
import { LatencyMeter, RateMeter } from "./measures.js";
import { publishOrder } from "./publish-order.js";
import { Recovery } from "./recovery.js";
import { claimsOf } from "./tokens.js";
import { milliseconds, recoverySentence, STATE_NAMES, stateSentence } from "./wording.js";

// Long enough away for a few events of the demo to be missed.
const AWAY_MS = 3_000;
// By then a resumed connection has been given what it missed.
const RECOVERY_MS = 1_500;
const REFRESH_MS = 500;
const SHOW_MS = 100;

/** Follows one tenant, and shows what comes. */
export class Panel {
  readonly element: HTMLElement;
  readonly #gateway: URL;
  readonly #token: string;
  readonly #list: EventList;
  readonly #rate = new RateMeter();
  readonly #latency = new LatencyMeter();
  readonly #recovery = new Recovery();
  readonly #refresh: ReturnType<typeof setInterval>;

  #connection: Connection | undefined;
  #recoveryTimer: ReturnType<typeof setTimeout> | undefined;
  #showTimer: ReturnType<typeof setTimeout> | undefined;
  #received = 0;
  #gaps = 0;
  #opens = 0;

  /** @param number from 1, unlike that of any other panel of the page */
  constructor(template: HTMLTemplateElement, number: number, gateway: URL, token: string) {
    this.element = (template.content.cloneNode(true) as DocumentFragment).firstElementChild as HTMLElement;
    this.#gateway = gateway;
    this.#token = token;
    this.#list = new EventList(this.#part("rows"));
    this.#describe(number);
    this.#listen(number);
    this.#refresh = setInterval(() => this.#show(), REFRESH_MS);
    this.#follow("ws", undefined);
  }

  /** Ends the connection; the element can go. */
  close(): void {
    this.#leave();
    clearInterval(this.#refresh);
  }

  #part(testid: string): HTMLElement {
    return this.element.querySelector(`[data-testid="${testid}"]`) as HTMLElement;
  }

  #describe(number: number): void {
    const claims = claimsOf(this.#token);
    const title = this.#part("tenant");
    this.element.dataset.testid = `panel-${number}`;
    title.id = `panel-${number}-title`;
    title.textContent = claims ? `Tenant ${claims.tenant}` : "Unknown tenant";
    this.element.setAttribute("aria-labelledby", title.id);
    this.#part("events").setAttribute("aria-label", `Events of ${title.textContent}`);
    const user = claims?.user === undefined ? [] : [`User ${claims.user}`];
    this.#part("user").textContent = [...user, ...(claims?.roles ?? [])].join(", ");
  }

  #listen(number: number): void {
    for (const transport of ["ws", "sse"] as const) {
      const radio = this.#part(`transport-${transport}`) as HTMLInputElement;
      radio.name = `panel-${number}-transport`;
      radio.addEventListener("change", () => this.#switch(transport));
    }
    this.#part("publish").addEventListener("click", () => void this.#publish());
    this.#part("drop").addEventListener("click", () => this.#drop());
    this.#part("pause").addEventListener("click", () => this.#togglePause());
    this.#part("clear").addEventListener("click", () => {
      this.#list.clear();
      this.#show();
    });
  }

  #follow(transport: Transport, lastEventId: string | undefined): void {
    this.#connection = connect({
      url: this.#gateway,
      token: this.#token,
      transport,
      ...(lastEventId !== undefined && { lastEventId }),
      onEvent: (event) => this.#onEvent(event),
      onGap: (gap) => this.#onGap(gap),
      onState: (change) => this.#onState(change),
    });
  }

  /** Goes on over the other transport from the same position. */
  #switch(transport: Transport): void {
    const lastEventId = this.#connection?.lastEventId;
    this.#leave();
    this.#follow(transport, lastEventId);
  }

  #leave(): void {
    clearTimeout(this.#recoveryTimer);
    this.#connection?.close();
  }

  #onEvent(event: GatewayEvent): void {
    const now = Date.now();
    const occurredAt = timeOf(event);
    const isRecovered = this.#recovery.takeEvent(occurredAt, now);
    if (occurredAt !== undefined && !isRecovered) this.#latency.add(now - occurredAt);
    this.#rate.add(performance.now());
    this.#received += 1;
    const { type, topic = "–", data, id } = event;
    this.#list.add({ receivedAt: now, type, topic, data, id, isGap: false });
    this.#showSoon();
  }

  #onGap({ stream, reason }: Gap): void {
    this.#gaps += 1;
    this.#recovery.takeGap(reason);
    const data = `Some events are gone for good: ${reason}`;
    this.#list.add({ receivedAt: Date.now(), type: "gap", topic: stream, data, id: "", isGap: true });
    this.#showSoon();
  }

  #onState(change: StateChange): void {
    if (change.reason === "closed") return;
    const pill = this.#part("state");
    pill.dataset.state = change.state;
    this.#part("state-text").textContent = STATE_NAMES[change.state];
    clearTimeout(this.#recoveryTimer);
    if (change.state === "open") this.#onOpen(change);
    else this.#say(stateSentence(change), change.state === "closed");
  }

  #onOpen(change: StateChange): void {
    this.#opens += 1;
    this.#showSoon();
    this.#say(stateSentence(change));
    if (this.#opens === 1) return;
    this.#recovery.start(Date.now());
    this.#recoveryTimer = setTimeout(() => this.#say(recoverySentence(this.#recovery.finish())), RECOVERY_MS);
  }

  async #publish(): Promise<void> {
    const { isPublished, sentence } = await publishOrder(this.#gateway, this.#token);
    this.#say(sentence, !isPublished);
  }

  #drop(): void {
    if (this.#connection?.state === "closed") this.#say("The connection is closed: there is nothing to drop.", true);
    else this.#connection?.dropConnection(AWAY_MS);
  }

  #togglePause(): void {
    const button = this.#part("pause");
    const isPaused = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isPaused));
    this.#list.pause(isPaused);
    this.#show();
  }

  #say(sentence: string | undefined, isBad = false): void {
    if (sentence === undefined) return;
    const status = this.#part("status");
    status.dataset.tone = isBad ? "bad" : "calm";
    status.textContent = sentence;
  }

  /** A few times a second, however many events come: following them matters more than drawing them. */
  #showSoon(): void {
    this.#showTimer ??= setTimeout(() => {
      this.#showTimer = undefined;
      this.#show();
    }, SHOW_MS);
  }

  #show(): void {
    this.#list.show();
    const { heldCount } = this.#list;
    const latency = this.#latency.summary();
    const texts = {
      rate: this.#rate.perSecond(performance.now()).toFixed(1),
      "latency-median": latency ? milliseconds(latency.median) : "–",
      "latency-max": latency ? milliseconds(latency.max) : "–",
      "count-received": String(this.#received),
      "count-reconnects": String(Math.max(0, this.#opens - 1)),
      "count-gaps": String(this.#gaps),
      held: heldCount > 0 ? `– paused, ${heldCount} new` : "",
    };
    for (const [testid, text] of Object.entries(texts)) this.#part(testid).textContent = text;
    this.#part("empty").hidden = !this.#list.isEmpty;
  }
}

/** When the event happened, in milliseconds since 1970; SSE tells only if the payload does. */
function timeOf({ timestamp, data }: GatewayEvent): number | undefined {
  const text: unknown = timestamp ?? Object(data).published_at;
  const time = typeof text === "string" ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
