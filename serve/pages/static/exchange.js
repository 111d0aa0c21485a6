// The trade form without page loads: figures while an amount is typed, the quote under
// the form, its seconds. The service makes every amount; without this the same form
// posts and the same parts come with the page.
"use strict";

const form = document.querySelector("form[data-ticket]");
const offer = document.getElementById("offer");
const figures = document.getElementById("figures");
const said = document.getElementById("said");

/** A quote's seconds; at its end it is asked for again, or cannot be sent any more. */
const run = (quote, renew) => {
  const button = quote.querySelector("button");
  const left = quote.querySelector("[data-left]");
  const bar = quote.querySelector("progress");
  let end = performance.now() + 1000 * Number(quote.dataset.seconds);
  let shown = performance.now();
  let isAsking = false;
  const tick = async () => {
    if (!quote.isConnected) return;
    const seconds = Math.max(0, (end - performance.now()) / 1000);
    bar.value = seconds;
    const whole = Math.ceil(seconds);
    const text = whole === 1 ? "1 second" : `${whole} seconds`;
    if (seconds > 0 && left.textContent !== text) left.textContent = text;
    if (seconds <= 3 && !isAsking) {
      isAsking = true;
      const renewed = await renew();
      if (renewed) {
        if (renewed === "moved") shown = performance.now();
        end = performance.now() + 1000 * Number(quote.dataset.seconds);
        isAsking = false;
      }
    }
    if (end > performance.now()) {
      setTimeout(tick, 100);
    } else if (quote.isConnected) {
      button.disabled = true;
      left.textContent = "The quote has expired; ask for another.";
      said.textContent = left.textContent;
    }
  };
  // A key that is still held down, or a second tap, must not buy what nobody has read.
  quote.addEventListener("submit", (event) => {
    if (performance.now() - shown < 500) event.preventDefault();
    else setTimeout(() => (button.disabled = true));
  });
  tick();
};

const words = (part) =>
  ["#quote-h", "#quote-p"].map((name) => part.querySelector(name)?.textContent ?? "").join(". ");

if (form) {
  const field = form.elements.shares;
  const most = form.querySelector("[data-most]");
  const RENEWALS = 5;
  let waiting = 0;
  let asking = null;
  let submitting = null;

  const load = async () => {
    asking?.abort();
    asking = new AbortController();
    if (!field.validity.valid) {
      figures.setAttribute("aria-busy", "true");
      said.textContent = "Type a whole number of shares.";
      return;
    }
    const query = new URLSearchParams({ shares: field.value });
    try {
      const answer = await fetch(`${form.dataset.ticket}?${query}`, { signal: asking.signal });
      if (!answer.ok) return;
      figures.innerHTML = await answer.text();
    } catch (error) {
      if (error.name !== "AbortError") figures.setAttribute("aria-busy", "true");
      return;
    }
    figures.removeAttribute("aria-busy");
    const table = figures.querySelector("table");
    said.textContent = table.dataset.said;
    if (Number(table.dataset.most)) most.value = table.dataset.most;
  };
  const changed = () => {
    offer.replaceChildren(); // a quote is for the amount it was asked for
    submitting = null;
    figures.setAttribute("aria-busy", "true");
    clearTimeout(waiting);
    waiting = setTimeout(load, 250);
  };
  field.addEventListener("input", changed);
  document.getElementById("quick").addEventListener("submit", (event) => {
    if (!event.submitter) return;
    event.preventDefault();
    field.value = event.submitter.value;
    changed();
  });

  /** The part under the form for a side and an amount; null where a page must say it. */
  const ask = async (terms) => {
    const body = new URLSearchParams({ ...terms, part: "quote" });
    const answer = await fetch(form.action, { method: "POST", body });
    const text = await answer.text();
    const part = document.createElement("template");
    part.innerHTML = text;
    return part.content.querySelector("html, main") || !part.content.firstElementChild ? null : part.content;
  };

  const show = (part, terms) => {
    const quote = part.querySelector("form[data-seconds]");
    const first = part.querySelector("[autofocus]");
    // Said once, below; a description, or the name of the part around the button, would
    // have it read with the button again.
    first?.removeAttribute("aria-describedby");
    part.querySelector(".quote")?.removeAttribute("aria-labelledby");
    first?.removeAttribute("autofocus");
    const text = words(part);
    offer.replaceChildren(part);
    if (quote) {
      said.textContent = text;
      let left = RENEWALS;
      run(quote, async () => {
        if (left === 0 || document.hidden) return false;
        left -= 1;
        const fresh = await ask(terms).catch(() => null);
        const other = fresh?.querySelector("form[data-seconds]");
        if (!other || !quote.isConnected) return false;
        for (const name of ["quote", "key"]) quote.elements[name].value = other.elements[name].value;
        const before = document.getElementById("quote-h").textContent;
        for (const name of ["quote-h", "quote-p"]) {
          document.getElementById(name).textContent = fresh.querySelector(`#${name}`).textContent;
        }
        const now = document.getElementById("quote-h").textContent;
        if (now === before) return "same";
        said.textContent = `The price has moved. ${now}`;
        return "moved";
      });
    }
    first?.focus();
    offer.scrollIntoView({ block: "nearest" });
  };

  form.addEventListener("submit", async (event) => {
    const side = event.submitter?.value || "buy";
    if (submitting === "plainly") return;
    event.preventDefault();
    if (submitting) return;
    const terms = { csrf_token: form.elements.csrf_token.value, side, shares: field.value };
    submitting = terms;
    const part = await ask(terms).catch(() => null);
    if (submitting !== terms) return; // another amount has been typed meanwhile
    submitting = null;
    if (part) {
      show(part, terms);
    } else {
      submitting = "plainly";
      form.requestSubmit(event.submitter ?? undefined);
    }
  });
  const shown = offer.querySelector("form[data-seconds]");
  if (shown) run(shown, async () => false);
}
document.getElementById("done")?.focus();
