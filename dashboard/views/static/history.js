// The list of runs: found by words, by task and by column, chosen with pointer or keys. Rows are drawn some hundred at
// a time, more as the list is scrolled.
const L = window.loupe, root = element.querySelector(".lp-history");
const STEP = 200;
let task = "", find = "", sort = ["date", -1], chosen = new Set(), anchor = null, at = null, shown = [], drawn = 0;
const size = (b) => { for (const u of ["B", "KB", "MB", "GB"]) { if (b < 1000 || u === "GB") return `${b >= 100 || u === "B" ? Math.round(b) : b.toFixed(1)} ${u}`; b /= 1000; } };
const two = (n) => String(n).padStart(2, "0");
const when = (iso) => { const d = new Date(iso); return Number.isNaN(+d) ? String(iso).slice(0, 16) : `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}`; };
const short = (x) => { for (const [p, u] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (Math.abs(x) >= p) return `${(x / p).toPrecision(3)} ${u}`; return String(+x.toPrecision(3)); };
const said = (x, kind) => (x === null || x === undefined ? `<span class="na">${L.esc(L.t("ui.na"))}</span>` : kind === "count" ? L.int(x) : kind === "db" ? Number(x).toFixed(2) : kind === "short" ? short(x) : Number(x).toFixed(3));
const value = () => (props.value?.rows ? props.value : { rows: [], figures: {}, tasks: [] });
const names = (key) => (L.has(`ui.task.${key}`) ? L.t(`ui.task.${key}`) : key);
const figures = () => (task && value().figures[task]) || [];
const best = (r) => { const f = (value().figures[r.task] || []).find((c) => r.metrics[c.metric] !== null && r.metrics[c.metric] !== undefined); return f ? [f, r.metrics[f.metric]] : null; };
const cell = (r, key) => (key === "name" ? (r.title || r.model).toLowerCase() : key === "task" ? names(r.task) : key === "data" ? r.dataset.toLowerCase() : key === "n" ? r.n : key === "size" ? r.size : key === "date" ? r.date : key === "result" ? best(r)?.[1] ?? null : r.metrics[key] ?? null);
const matches = () => { const w = words(); return value().rows.filter((r) => w.every((x) => r.text.includes(x) || when(r.date).includes(x))); };
const words = () => find.toLowerCase().split(/\s+/).filter(Boolean);
const filtered = () => {
  const rows = matches().filter((r) => !task || r.task === task);
  const [key, way] = sort;
  return rows.sort((a, b) => { const x = cell(a, key), y = cell(b, key); if (x === y) return a.date < b.date ? 1 : -1; if (x === null) return 1; if (y === null) return -1; return (x < y ? -1 : 1) * way; });
};
const tell = () => trigger("select", { index: null, value: { ids: [...chosen] }, selected: chosen.size > 0 });
const rowHtml = (r) => {
  const on = chosen.has(r.id), b = best(r), own = figures();
  const tags = r.tags.map((x) => `<button type="button" class="tag" data-tag="${L.esc(x)}" tabindex="-1">${L.esc(x)}</button>`).join("");
  const name = `<b>${L.esc(r.title || r.model)}</b>`, bare = r.bare ? `<em>${L.esc(L.t("ui.hist.bare"))}</em>` : "";
  const under = r.title ? `<div><em>${L.esc(r.model)}</em> ${bare}${tags}</div>` : ` ${bare}${tags}`, small = `<div class="n">${L.esc(r.dataset)} · <span>${L.esc(when(r.date).slice(0, 10))}</span></div>`;
  return `<tr data-id="${L.esc(r.id)}" tabindex="${r.id === at ? 0 : -1}" aria-selected="${on}" class="${on ? "on" : ""}"><td class="c"><input type="checkbox" tabindex="-1" ${on ? "checked" : ""} aria-label="${L.esc(L.t("ui.hist.choose", { name: r.title || r.model }))}"></td>` +
    `<th scope="row" title="${L.esc(r.title ? `${r.title} · ${r.model}` : r.model)}">${r.watched ? `<span>${name}</span>` : `<a href="?run=${encodeURIComponent(r.id)}" tabindex="-1">${name}</a>`}${under}${small}</th>` +
    (task ? "" : `<td class="l w" title="${L.esc(names(r.task))}">${L.esc(names(r.task))}</td>`) + `<td class="l d" title="${L.esc(r.dataset)}">${L.esc(r.dataset)}</td><td class="w">${L.int(r.n)}</td>` +
    (own.length ? own.map((c, k) => `<td class="${k ? "w" : ""}">${said(r.metrics[c.metric], c.kind)}</td>`).join("") : `<td class="f">${b ? `<small>${L.esc(L.short(b[0].explain))}</small> ${said(b[1], b[0].kind)}` : ""}</td>`) +
    `<td class="w">${size(r.size)}</td><td class="w">${L.esc(when(r.date))}</td></tr>`;
};
const head = () => {
  const own = figures();
  const columns = [["name", "ui.hist.name"], ...(task ? [] : [["task", "ui.hist.task", "l w"]]), ["data", "ui.hist.data", "l d"], ["n", "ui.hist.samples", "w"],
    ...(own.length ? own.map((c, k) => [c.metric, null, k ? "w" : "", c.explain]) : [["result", "ui.hist.result", "f"]]), ["size", "ui.hist.size", "w", "run_size"], ["date", "ui.hist.date", "w"]];
  const all = shown.length > 0 && shown.every((r) => chosen.has(r.id));
  return `<tr><th class="c"><input type="checkbox" class="all" ${all ? "checked" : ""} aria-label="${L.esc(L.t("ui.hist.all"))}"></th>${columns.map(([key, text, cls, explain]) => {
    const mark = sort[0] === key ? (sort[1] > 0 ? " ▲" : " ▼") : "";
    return `<th scope="col" class="${cls ?? ""}" aria-sort="${sort[0] === key ? (sort[1] > 0 ? "ascending" : "descending") : "none"}"><button type="button" data-sort="${L.esc(key)}">${L.esc(text ? L.t(text) : L.short(explain))}${mark}</button>${explain ? L.info(explain) : ""}</th>`;
  }).join("")}</tr>`;
};
const more = () => { const next = shown.slice(drawn, drawn + STEP); drawn += next.length; root.querySelector("tbody")?.insertAdjacentHTML("beforeend", next.map(rowHtml).join("")); };
// What is chosen stays so across searches; how many of it are not shown is said, and why a button is grey.
const count = () => {
  const e = root.querySelector(".count"), v = value();
  if (!e) return;
  const hidden = chosen.size - shown.filter((r) => chosen.has(r.id)).length;
  e.textContent = hidden ? L.t("ui.hist.chosen.hidden", { n: L.int(chosen.size), m: L.int(hidden) }) : chosen.size ? L.t("ui.hist.chosen", { n: L.int(chosen.size), m: L.int(shown.length) }) : shown.length === v.rows.length ? L.t("ui.hist.count", { n: L.int(shown.length) }) : L.t("ui.hist.found", { n: L.int(shown.length), m: L.int(v.rows.length) });
  const rows = v.rows.filter((r) => chosen.has(r.id)), runs = rows.filter((r) => !r.watched), kinds = new Set(runs.map((r) => r.task));
  const why = rows.some((r) => r.others) ? "others" : kinds.size > 1 ? "mixed" : runs.length > v.most ? "many" : rows.length && !runs.length ? "watched" : "";
  root.querySelector(".why").textContent = why ? L.t(`ui.hist.why.${why}`, { n: L.int(v.most), tasks: [...kinds].map(names).join(", ") }) : "";
};
const chips = () => {
  const v = value(), there = new Set(v.rows.map((r) => r.task)), left = matches(), tally = {};
  left.forEach((r) => { tally[r.task] = (tally[r.task] ?? 0) + 1; });
  const tasks = (v.tasks || []).filter((k) => there.has(k));
  root.querySelector(".tasks").innerHTML = tasks.length < 2 ? "" : ["", ...tasks].map((k) => `<button type="button" data-task="${L.esc(k)}" aria-pressed="${k === task}">${L.esc(k ? names(k) : L.t("ui.hist.every"))} <small>${L.int(k ? tally[k] ?? 0 : left.length)}</small></button>`).join("");
};
// The rows alone: the search field and its caret stay as they are.
const list = (keep) => {
  const box = root.querySelector(".scroll"), top = keep ? box.scrollTop : 0, least = keep ? drawn : STEP;
  shown = filtered();
  if (!shown.some((r) => r.id === at)) at = shown[0]?.id ?? null;
  chips();
  root.querySelector("thead").innerHTML = head();
  root.querySelector("tbody").innerHTML = "";
  drawn = 0;
  do more(); while (drawn < Math.min(least, shown.length));
  root.querySelector(".none").hidden = shown.length > 0;
  root.querySelector(".none").textContent = L.t(value().rows.length ? "ui.hist.nothing" : "ui.hist.empty");
  box.scrollTop = top;
  count();
};
const mark = () => { root.querySelectorAll("tbody tr").forEach((tr) => { const on = chosen.has(tr.dataset.id); tr.classList.toggle("on", on); tr.setAttribute("aria-selected", on); tr.querySelector("input").checked = on; tr.tabIndex = tr.dataset.id === at ? 0 : -1; }); const all = root.querySelector(".all"); if (all) all.checked = shown.length > 0 && shown.every((r) => chosen.has(r.id)); count(); };
const choose = (id, add, extend) => {
  const ids = shown.map((r) => r.id);
  if (extend && anchor !== null && ids.includes(anchor)) { const [a, b] = [ids.indexOf(anchor), ids.indexOf(id)].sort((x, y) => x - y); if (!add) chosen.clear(); ids.slice(a, b + 1).forEach((x) => chosen.add(x)); }
  else { if (add) chosen.has(id) ? chosen.delete(id) : chosen.add(id); else { const only = chosen.size === 1 && chosen.has(id); chosen.clear(); if (!only) chosen.add(id); } anchor = id; }
  at = id; mark(); tell();
};
// Another order or other rows: the keys begin at the top again, wherever they were.
const anew = () => { at = null; list(); };
const draw = (keep) => {
  if (task && !value().rows.some((r) => r.task === task)) task = "";
  const focus = document.activeElement, hold = root.contains(focus) ? (focus.matches(".find") ? ".find" : focus.closest("tr[data-id]") ? "row" : null) : null;
  if (!keep || !root.querySelector(".find")) {
    root.innerHTML = `<div class="bar"><input type="search" class="find" placeholder="${L.esc(L.t("ui.hist.find"))}" aria-label="${L.esc(L.t("ui.hist.find"))}"><span class="count" aria-live="polite"></span><div class="tasks" role="group" aria-label="${L.esc(L.t("ui.hist.task"))}"></div><span class="why" aria-live="polite"></span></div><div class="scroll"><table role="grid" aria-multiselectable="true"><thead></thead><tbody></tbody></table><div class="none" hidden></div></div>`;
    root.querySelector(".find").value = find;
    root.querySelector(".scroll").addEventListener("scroll", (e) => { const b = e.target; if (drawn < shown.length && b.scrollTop + b.clientHeight > b.scrollHeight - 400) more(); }, { passive: true });
  }
  list(keep);
  if (hold === ".find") root.querySelector(".find").focus(); else if (hold === "row") root.querySelector('tbody tr[tabindex="0"]')?.focus();
};
root.addEventListener("click", (e) => {
  const sorter = e.target.closest("[data-sort]"), filter = e.target.closest("[data-task]"), tag = e.target.closest("[data-tag]"), tr = e.target.closest("tr[data-id]");
  if (sorter) { const k = sorter.dataset.sort; sort = sort[0] === k ? [k, -sort[1]] : [k, ["name", "task", "data"].includes(k) ? 1 : -1]; anew(); root.querySelector(`[data-sort="${CSS.escape(k)}"]`)?.focus(); }
  else if (filter) { task = filter.dataset.task; if (!["name", "data", "n", "size", "date"].includes(sort[0])) sort = ["date", -1]; at = null; draw(true); root.querySelector(`[data-task="${CSS.escape(task)}"]`)?.focus(); }
  else if (tag) { find = `#${tag.dataset.tag}`; root.querySelector(".find").value = find; anew(); }
  else if (e.target.matches(".all")) { shown.forEach((r) => (e.target.checked ? chosen.add(r.id) : chosen.delete(r.id))); mark(); tell(); }
  else if (tr) { if (e.target.closest("a")) { if (e.ctrlKey || e.metaKey) return; e.preventDefault(); } choose(tr.dataset.id, e.target.matches("input") || e.ctrlKey || e.metaKey, e.shiftKey); tr.focus({ preventScroll: true }); }
});
root.addEventListener("dblclick", (e) => { const tr = e.target.closest("tr[data-id]"); if (tr && !e.target.matches("input, .tag")) { chosen = new Set([tr.dataset.id]); mark(); tell(); trigger("submit", { value: { ids: [tr.dataset.id] } }); } });
root.addEventListener("keydown", (e) => {
  const tr = e.target.closest("tr[data-id]");
  if (e.target.matches(".find") && e.key === "ArrowDown") { e.preventDefault(); at = shown[0]?.id ?? null; mark(); root.querySelector(".scroll").scrollTop = 0; root.querySelector("tbody tr")?.focus(); return; }
  if (!tr || e.target.matches("button")) return;
  const i = shown.findIndex((r) => r.id === tr.dataset.id), last = shown.length - 1;
  const to = { ArrowDown: i + 1, ArrowUp: i - 1, PageDown: i + 10, PageUp: i - 10, Home: 0, End: last }[e.key];
  if (to !== undefined) { e.preventDefault(); const k = Math.max(0, Math.min(last, to)); while (drawn <= k) more(); at = shown[k].id; if (e.shiftKey) choose(at, true, true); else mark(); const next = root.querySelector(`tr[data-id="${CSS.escape(at)}"]`); next.focus({ preventScroll: true }); next.scrollIntoView({ block: "nearest" }); }
  else if (e.key === " ") { e.preventDefault(); choose(tr.dataset.id, true, e.shiftKey); }
  else if (e.key === "Enter") { e.preventDefault(); chosen = new Set([tr.dataset.id]); mark(); tell(); trigger("submit", { value: { ids: [tr.dataset.id] } }); }
  else if (e.key === "Escape") { chosen.clear(); mark(); tell(); }
});
root.addEventListener("input", (e) => { if (e.target.matches(".find")) { find = e.target.value; anew(); } });
// New rows keep search, order and place; who is gone is no longer chosen.
const renew = () => { const there = new Set(value().rows.map((r) => r.id)); chosen = new Set(value().chosen ? value().chosen.filter((x) => there.has(x)) : [...chosen].filter((x) => there.has(x))); draw(true); };
L.onLook(() => draw());
watch("value", renew);
draw();
"select"; "submit";
