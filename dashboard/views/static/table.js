// A sortable table: one row a class or an image; clicking a row picks it. Bars make columns readable at a glance.
// A column of kind "db" or "short" has a range that its bars run over; "∞" is more than any number; of kind "word" are text keys. A table that is
// still is only read: its rows are neither sorted nor picked.
const L = window.loupe, root = element.querySelector(".lp-table");
const num = (x) => (x === "∞" ? Infinity : x);
const minus = (s) => s.replace("-", "−");
const short = (x) => (x === 0 || (Math.abs(x) >= 0.001 && Math.abs(x) < 1e5) ? String(+x.toPrecision(3)) : x.toExponential(1));
const said = (x, c) => (x !== null && typeof x === "object" ? name(x) : x === null ? L.esc(L.t("ui.na")) : c.kind === "word" ? L.esc(L.t(x)) : x === "∞" ? x : c.kind === "count" ? L.int(x) : minus(c.kind === "db" ? Number(x).toFixed(2) : c.kind === "short" ? short(x) : Number(x).toFixed(3)));
// A fact of a name may be a text key of its own.
const filled = (x) => L.t(x.key, x.vars && Object.fromEntries(Object.entries(x.vars).map(([k, f]) => [k, L.has(f) ? L.t(f) : f])));
const name = (x) => (x !== null && typeof x === "object" ? `${x.mark !== undefined ? `${L.mark(x.mark)} ` : ""}${L.esc(filled(x))}${x.explain ? L.info(x.explain) : ""}${x.note ? ` <em>${L.esc(L.t(x.note))}</em>` : ""}` : L.esc(x));
const plain = (x) => (x !== null && typeof x === "object" ? filled(x) : String(x));
const part = (x, c, most) => (x === null || typeof x === "object" || c.kind === "word" ? 0 : Math.max(0, Math.min(1, c.range ? (num(x) - c.range[0]) / (c.range[1] - c.range[0] || 1) : x / most)));
let sort = null, find = "", on = null;
// The picked row is marked at once, before the answer is there; the same row again lets go.
// In a table that keeps its row (what plays, say) it stays.
const pick = (row) => { on = on === row && !props.value.keeps ? null : row; root.querySelectorAll("tr[data-row]").forEach((e) => e.classList.toggle("on", +e.dataset.row === on)); };
const draw = () => {
  const v = props.value;
  if (!v || !v.rows) { root.innerHTML = ""; return; }
  const s = sort ?? v.sort ?? null, rows = v.rows.map((r, i) => [i, r]).filter(([, r]) => !find || plain(r[0]).toLowerCase().includes(find));
  if (s) rows.sort((a, b) => { const [x, y] = [a, b].map(([, r]) => (r[s[0]] !== null && typeof r[s[0]] === "object" ? plain(r[s[0]]) : num(r[s[0]]))); if (x === y) return a[0] - b[0]; if (x === null) return 1; if (y === null) return -1; return (x < y ? -1 : 1) * s[1]; });
  const max = v.columns.map((c, k) => (c.kind === "count" ? Math.max(1, ...v.rows.map((r) => r[k] ?? 0)) : 1));
  const keep = root.querySelector(".scroll")?.scrollTop ?? 0, focus = document.activeElement?.matches?.(".lp-table input") && root.contains(document.activeElement);
  root.innerHTML = (v.rows.length > 15 ? `<input type="search" placeholder="${L.esc(L.t(v.find ?? "ui.table.find"))}" value="${L.esc(find)}" aria-label="${L.esc(L.t(v.find ?? "ui.table.find"))}">` : "") +
    `<div class="scroll"><table><thead><tr>${v.columns.map((c, k) => { const label = L.esc(c.text ?? (c.short ? L.t(c.short) : c.label ? L.t(c.label) : L.name(c.explain))); return `<th class="${c.kind === "name" ? "name" : ""}" aria-sort="${s && s[0] === k ? (s[1] > 0 ? "ascending" : "descending") : "none"}">${v.still ? `<span>${label}</span>` : `<button type="button" data-sort="${k}">${label}${s && s[0] === k ? (s[1] > 0 ? " ▲" : " ▼") : ""}</button>`}${c.explain ? L.info(c.explain) : ""}</th>`; }).join("")}</tr></thead>
    <tbody>${rows.map(([i, r]) => `<tr ${v.still ? "" : `data-row="${i}" tabindex="0"`} class="${i === on ? "on" : ""}">${r.map((x, k) => { const c = v.columns[k]; return c.kind === "name" ? `<th scope="row" title="${L.esc(plain(x))}">${name(x)}</th>` : `<td><s style="width:${100 * part(x, c, max[k])}%"></s><span>${said(x, c)}</span></td>`; }).join("")}</tr>`).join("")}</tbody></table></div>`;
  const box = root.querySelector(".scroll"); if (box) box.scrollTop = keep;
  if (focus) { const f = root.querySelector("input"); f.focus(); f.setSelectionRange(find.length, find.length); }
};
root.addEventListener("click", (e) => {
  const b = e.target.closest("[data-sort]"), tr = e.target.closest("tr[data-row]");
  if (b) { const k = +b.dataset.sort, s = sort ?? props.value.sort; sort = s && s[0] === k ? [k, -s[1]] : [k, props.value.columns[k].kind === "name" ? 1 : -1]; draw(); }
  else if (tr) { pick(+tr.dataset.row); trigger("select", { index: +tr.dataset.row, value: props.value.rows[+tr.dataset.row][0], selected: true }); }
});
root.addEventListener("keydown", (e) => { const tr = e.target.closest("tr[data-row]"); if (tr && (e.key === "Enter" || e.key === " ")) { e.preventDefault(); tr.click(); } });
root.addEventListener("input", (e) => { find = e.target.value.toLowerCase(); draw(); });
if (props.value?.keeps) on = props.value.selected;
L.onLook(draw);
watch("value", () => { const v = props.value; if (v?.key !== root.dataset.key) { sort = null; find = ""; on = null; root.dataset.key = v?.key ?? ""; } if (v?.keeps) on = v.selected; draw(); });
draw();
"select";
