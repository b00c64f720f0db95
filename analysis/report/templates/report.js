"use strict";
// Beside what the page already shows: tables that can be filtered and sorted, all of it unfolded
// for paper. Only text is read and moved about; nothing is made into markup.
for (const tools of document.querySelectorAll(".tools")) {
  const table = document.getElementById(tools.dataset.of);
  const rows = Array.from(table.tBodies[0].rows);
  const words = tools.querySelector("input");
  const state = tools.querySelector("select");
  const told = tools.querySelector("output");
  const texts = rows.map((row) => row.cells[0].textContent.toLowerCase());
  const filter = () => {
    const wanted = words.value.trim().toLowerCase();
    const only = state ? state.value : "";
    let shown = 0;
    rows.forEach((row, i) => {
      const fits = texts[i].includes(wanted) && (!only || row.querySelector("td." + only));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    told.textContent = shown + " / " + rows.length;
  };
  words.addEventListener("input", filter);
  if (state) state.addEventListener("change", filter);
  tools.hidden = false;
}
for (const table of document.querySelectorAll("table.sorts")) {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const states = (table.dataset.states || "").split(" ");
      const key = (row) => {
        const cell = row.cells[column];
        const state = states.findIndex((name) => name && cell.classList.contains(name));
        return cell.dataset.s || (state >= 0 ? String(state) : cell.textContent.trim());
      };
      const order = new Intl.Collator(document.documentElement.lang, { numeric: true });
      const rows = Array.from(body.rows).map((row) => [key(row), row]);
      rows.sort((a, b) => (down ? -1 : 1) * order.compare(a[0], b[0]));
      body.append(...rows.map(([, row]) => row));
    });
  });
}
// Evidence that is packed for room: lines of text, shown as text.
for (const details of document.querySelectorAll("details[data-packed]")) {
  details.addEventListener("toggle", async () => {
    const bytes = Uint8Array.from(atob(details.dataset.packed), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const chain = document.createElement("pre");
    chain.className = "chain";
    chain.lang = "en";
    chain.textContent = await new Response(stream).text();
    details.querySelector("p").replaceWith(chain);
  }, { once: true });
}
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("main > section > details")) details.open = true;
});
const open = () => {
  const part = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!part) return;
  for (let at = part; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  part.scrollIntoView();
};
addEventListener("hashchange", open);
open();
