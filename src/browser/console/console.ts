import { Panel } from "./panel.js";
import { claimsOf, tokensOf } from "./tokens.js";

const gateway = new URL("./", document.baseURI);
const section = document.querySelector("#tokens") as HTMLElement;
const form = document.querySelector("#tokens-form") as HTMLFormElement;
const input = document.querySelector("#tokens-input") as HTMLTextAreaElement;
const error = document.querySelector("#tokens-error") as HTMLElement;
const otherTokens = document.querySelector("#other-tokens") as HTMLButtonElement;
const panelsElement = document.querySelector("#panels") as HTMLElement;
const template = document.querySelector("#panel-template") as HTMLTemplateElement;

let panels: Panel[] = [];

/** One panel for every token behind the # of the page's address, or the form when there is none. */
function openPanels(): void {
  const tokens = tokensOf(location.hash.slice(1));
  for (const panel of panels) panel.close();
  panels = tokens.map((token, index) => new Panel(template, index + 1, gateway, token));
  panelsElement.replaceChildren(...panels.map(({ element }) => element));
  otherTokens.hidden = tokens.length === 0;
  showForm(tokens.length === 0);
}

function showForm(isShown: boolean): void {
  section.hidden = !isShown;
  otherTokens.setAttribute("aria-expanded", String(isShown));
}

function followPasted(): void {
  const tokens = tokensOf(input.value);
  const wrong = tokens.findIndex((token) => claimsOf(token) === undefined);
  if (tokens.length === 0) error.textContent = "Paste at least one token.";
  else if (wrong !== -1) error.textContent = `Token ${wrong + 1} is not a JWT with a tenant_id.`;
  else {
    error.textContent = "";
    input.value = "";
    const hash = `#${tokens.join(",")}`;
    if (location.hash === hash) openPanels();
    else location.hash = hash;
    return;
  }
  input.setAttribute("aria-invalid", "true");
  input.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  followPasted();
});
input.addEventListener("input", () => {
  error.textContent = "";
  input.removeAttribute("aria-invalid");
});
otherTokens.addEventListener("click", () => {
  showForm(section.hidden !== false);
  if (!section.hidden) input.focus();
});
addEventListener("hashchange", openPanels);
openPanels();
