// The seconds a quote has left. Without this the service still refuses a late one.
"use strict";

for (const form of document.querySelectorAll("form[data-seconds]")) {
  const button = form.querySelector("button");
  const left = form.querySelector("[data-left]");
  const bar = form.querySelector("progress");
  const end = performance.now() + 1000 * Number(form.dataset.seconds);
  const tick = () => {
    const seconds = Math.max(0, (end - performance.now()) / 1000);
    bar.value = seconds;
    const whole = Math.ceil(seconds);
    const text = whole === 1 ? "1 second" : `${whole} seconds`;
    if (seconds > 0) {
      if (left.textContent !== text) left.textContent = text;
      setTimeout(tick, 100);
    } else {
      button.disabled = true;
      left.textContent = "The quote has expired; ask for another.";
    }
  };
  form.addEventListener("submit", () => setTimeout(() => (button.disabled = true)));
  tick();
}
