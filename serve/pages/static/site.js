// What scripts add: who is logged in, reading a picture by pointer or arrow keys, names while typing,
// covers that come later, the progress of a job. All pages work without.
"use strict";

const here = document.querySelector("[data-here]");
const showWho = async () => {
  const answer = await fetch("/api/v1/account");
  if (!answer.ok) return;
  const { data } = await answer.json();
  const who = document.createElement("a");
  who.href = "/me";
  who.textContent = data.listener_name;
  const form = document.createElement("form");
  form.method = "post";
  form.action = "/logout";
  const token = document.createElement("input");
  Object.assign(token, { type: "hidden", name: "csrf_token", value: data.csrf_token });
  const leave = document.createElement("button");
  leave.className = "quiet";
  leave.textContent = "Log out";
  form.append(token, leave);
  here.replaceChildren(who, form);
  here.classList.add("here");
  if (!here.dataset.here) return;
  const standing = await fetch(here.dataset.here);
  const { cash } = standing.ok ? await standing.json() : { cash: null };
  if (cash === null) return;
  const money = document.createElement("span");
  money.textContent = `${cash} credits`;
  who.after(money);
};
if (here && document.cookie.split("; ").includes("scrobble_here=1")) showWho();
else if (here && location.pathname !== "/") {
  here.querySelector("a").href = `/login?${new URLSearchParams({ back: location.pathname + location.search })}`;
}

for (const figure of document.querySelectorAll("figure[data-readout]")) {
  const picture = figure.querySelector("svg.picture");
  const readout = figure.querySelector(".readout");
  const heads = [...figure.querySelectorAll("thead th")].map((cell) => cell.textContent);
  const rows = [...figure.querySelectorAll("tr[data-at]")].map((row) => ({
    at: Number(row.dataset.at),
    cells: [...row.cells].map((cell) => cell.textContent.trim()),
  }));
  if (!picture || !readout || rows.length === 0) continue;
  rows.sort((one, other) => one.at - other.at);
  const cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
  cursor.setAttribute("class", "p-cursor");
  cursor.setAttribute("y1", "10");
  cursor.setAttribute("y2", String(picture.getAttribute("height") - 24));
  cursor.setAttribute("visibility", "hidden");
  picture.append(cursor);
  const left = Number(picture.dataset.left) / 100;
  let here = rows.length - 1;

  const show = (index) => {
    here = Math.max(0, Math.min(rows.length - 1, index));
    const { at, cells } = rows[here];
    const across = `${100 * (left + (1 - left) * at)}%`;
    cursor.setAttribute("x1", across);
    cursor.setAttribute("x2", across);
    cursor.setAttribute("visibility", "visible");
    const rest = cells
      .slice(1)
      .map((text, number) => (heads[number + 1] === "Movement" ? "" : `${heads[number + 1]} \u2068${text}\u2069`))
      .filter(Boolean);
    readout.textContent = `${cells[0]}: ${rest.join(", ")}`;
  };
  const nearest = (at) => {
    let best = 0;
    rows.forEach((row, index) => {
      if (Math.abs(row.at - at) < Math.abs(rows[best].at - at)) best = index;
    });
    return best;
  };
  readout.textContent = "Point at the picture, or use the arrow keys, to read it.";
  picture.setAttribute("tabindex", "0");
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    show(nearest(((event.clientX - box.left) / box.width - left) / (1 - left)));
  });
  picture.addEventListener("focus", () => show(here));
  picture.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    if (event.key in steps) show(here + steps[event.key]);
    else if (event.key === "Home") show(0);
    else if (event.key === "End") show(rows.length - 1);
    else return;
    event.preventDefault();
  });
}

for (const field of document.querySelectorAll("input[data-complete]")) {
  const list = document.getElementById(field.getAttribute("list"));
  let waiting = 0;
  let asked = "";
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    const text = field.value.trim();
    if (text.length < 2 || text === asked || text.length > 200) return;
    waiting = setTimeout(async () => {
      asked = text;
      const query = new URLSearchParams({ q: text, limit: "8" });
      const answer = await fetch(`/api/v1/artists/completion?${query}`);
      if (!answer.ok) return;
      const { data } = await answer.json();
      list.replaceChildren(
        ...data.map((row) => {
          const option = document.createElement("option");
          option.value = row.artist_name;
          return option;
        }),
      );
    }, 200);
  });
}

// A cover that the service has yet to fetch comes a little later.
for (const cover of document.querySelectorAll(".cover img")) {
  const waits = [2500, 8000, 30000];
  const again = () => {
    if (waits.length) setTimeout(() => (cover.src = cover.getAttribute("src")), waits.shift());
  };
  cover.addEventListener("error", again);
  if (cover.complete && !cover.naturalWidth) again();
}

for (const item of document.querySelectorAll("li[data-job]")) {
  const ended = (state) => !["queued", "running"].includes(state);
  if (ended(item.dataset.state)) continue;
  const look = async () => {
    const answer = await fetch(`/api/v1/jobs/${item.dataset.job}`);
    if (!answer.ok) return;
    const { data } = await answer.json();
    item.querySelector('[data-part="state"]').textContent = data.state;
    item.querySelector("progress").value = data.progress_pct ?? 0;
    const total = data.total ? ` of ${data.total.toLocaleString("en")}` : "";
    const counts = Object.entries(data.counts).map(
      ([name, count]) => ` · ${count.toLocaleString("en")} ${name.replaceAll("_", " ")}`,
    );
    item.querySelector('[data-part="counts"]').textContent =
      data.done.toLocaleString("en") + total + counts.join("");
    if (ended(data.state)) location.reload();
    else setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
}
