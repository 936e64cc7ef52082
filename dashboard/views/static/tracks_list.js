// The list of marks beside the lanes: by kind, by keyboard, as a file. Only the rows in sight are in the page.
const ROW = 27;
const listBox = q(".list");
const GLYPHS = { switch: `<path d="M7 1.500L12.500 7 7 12.500 1.500 7z" fill="none" stroke="currentColor" stroke-width="1.600"/>`, fragment: `<circle cx="7" cy="7" r="4.600" fill="none" stroke="currentColor" stroke-width="1.600"/>`, lost: `<path d="M3 3l8 8m0-8l-8 8" stroke="currentColor" stroke-width="1.900"/>` };
const glyph = (kind) => `<svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">${GLYPHS[kind]}</svg>`;
const shownMarks = (p) => (p.events ? p.inTime.filter((k) => ui.kinds.has(KINDS[p.events.kind[k]])) : []);
let listed = [];
const eventList = () => {
  const p = focusPane();
  if (!p.events) { listBox.innerHTML = ""; listed = []; return; }
  listed = shownMarks(p);
  const here = document.activeElement, on = listBox.contains(here) ? Object.entries(here.dataset)[0] : null, top = listBox.querySelector(".events")?.scrollTop ?? 0;
  listBox.innerHTML = `<div class="top"><b>${L.esc(T("marks"))}</b><a class="csv" href="#" download="marks.csv" data-do="csv" title="${L.esc(T("csv.how"))}">${L.esc(T("csv"))}</a></div>
    <div class="states" role="group" aria-label="${L.esc(T("kinds"))}">${KINDS.map((k, n) => `<button type="button" data-kinds="${k}" aria-pressed="${ui.kinds.has(k)}" title="${L.esc(T(`kind.${k}.how`))}">${glyph(k)}${L.esc(T(`kind.${k}`))} <b>${L.int(p.count[n])}</b></button>`).join("")}</div>
    ${listed.length ? `<div class="events"><div class="tall" style="height:${listed.length * ROW}px"></div></div>` : `<p class="calm none">${L.esc(T(p.inTime.length ? "marks.hidden" : "marks.none"))}</p>`}`;
  const box = listBox.querySelector(".events");
  if (box) { box.addEventListener("scroll", eventRows, { passive: true }); box.scrollTop = top; eventRows(); }
  if (on) listBox.querySelector(`[data-${on[0]}="${CSS.escape(on[1])}"]`)?.focus({ preventScroll: true });
};
const eventRows = () => {
  const box = listBox.querySelector(".events"), p = focusPane(), e = p.events;
  if (!box || !e) return;
  const tall = box.querySelector(".tall"), first = Math.max(0, Math.floor(box.scrollTop / ROW) - 4), end = Math.min(listed.length, Math.ceil((box.scrollTop + (box.clientHeight || 300)) / ROW) + 4);
  const on = tall.contains(document.activeElement) ? document.activeElement.dataset.event : null, several = v.class_names?.length > 1;
  let html = "";
  for (let r = first; r < end; r++) {
    const k = listed[r], kind = KINDS[e.kind[k]], l = p.laneOf.get(e.true[k]), now = ui.mark?.pane === p.i && ui.mark.event === k;
    html += `<button type="button" data-event="${k}" data-frame="${e.frame[k]}" data-kind="${kind}" data-true="${e.true[k]}" aria-current="${now}" style="top:${r * ROW}px" aria-label="${L.esc(markText(p, k))}" title="${L.esc(markText(p, k))}">${glyph(kind)}<b>${L.int(v.first + e.frame[k])}</b><span>#${e.true[k]}${several && l ? ` ${L.esc(nameOf(l.cls))}` : ""}</span><em>${pairHtml([e.from[k], e.to[k]], e.kind[k])}</em></button>`;
  }
  tall.innerHTML = html;
  if (on !== null) tall.querySelector(`[data-event="${on}"]`)?.focus({ preventScroll: true });
};
const chip = (id) => `<i style="background:${colourOf(id, tint.on)};color:${inkOn(colourOf(id, tint.on))}">${id}</i>`;
const pairHtml = ([from, to], kind) => {
  const a = from < 0 ? "" : chip(from), b = to < 0 ? "✕" : chip(to);
  return kind === LOST ? `${a} → ✕` : kind === FRAGMENT ? `${a} … ${b}` : `${a} → ${b}`;
};
const showEvent = (k) => {
  const r = listed.indexOf(k), box = listBox.querySelector(".events");
  if (r < 0 || !box) return;
  if (r * ROW < box.scrollTop) box.scrollTop = r * ROW;
  else if ((r + 1) * ROW > box.scrollTop + box.clientHeight) box.scrollTop = (r + 1) * ROW - box.clientHeight;
  eventRows();
};
// A mark: the moment is played, both identities are drawn in every pane.
const choose = (i, k, playing = true) => {
  const p = panes[i], e = p?.events;
  if (!e || !(k < e.frame.length)) return;
  ui.mark = { pane: i, event: k }; ui.sel = { true: e.true[k] };
  const f = e.frame[k], span = ui.b - ui.a;
  if (ui.focus !== i) { ui.focus = i; storyHead(); eventList(); }
  if (f < ui.a || f >= ui.b) window_(f - span / 2, f + span / 2);
  const seen = p.view.getBoundingClientRect(), whole = Math.min(seen.height, innerHeight - 120); // what has to be in sight
  if (seen.top < 0 || seen.top + whole > innerHeight) p.view.scrollIntoView({ block: seen.height > innerHeight - 120 ? "start" : "center", behavior: calmly() ? "auto" : "smooth" });
  reveal(e.true[k]); pressed(); later("time"); showEvent(k);
  q(".sr").textContent = markText(p, k);
  if (playing && !calmly()) { if (ui.playing) { ui.playing = false; film.video?.pause(); } play(around(f)); }
  else { pause(); seek(f); }
  trigger("select", { index: [i, k], selected: true, frame: f, pane: i, event: k, value: { key: v.key, frame: f, pane: i, event: k, kind: KINDS[e.kind[k]], true: e.true[k], from: e.from[k], to: e.to[k] } });
};
// The next or previous mark of the pane in focus, of kinds that are shown.
const nextMark = (step) => {
  const p = focusPane(), list = shownMarks(p), e = p.events;
  if (!list.length) return;
  let r = ui.mark?.pane === p.i ? list.indexOf(ui.mark.event) : -1;
  if (r >= 0) r += step;
  else if (step > 0) { r = list.findIndex((k) => e.frame[k] > ui.frame); if (r < 0) r = list.length; }
  else { r = list.length - 1; while (r >= 0 && e.frame[list[r]] >= ui.frame) r--; }
  if (r >= 0 && r < list.length) choose(p.i, list[r]);
};
const select = (sel) => {
  ui.sel = sel; ui.mark = null;
  if (sel?.true !== undefined) reveal(sel.true);
  q(".sr").textContent = sel ? T(sel.true !== undefined ? "chosen.true" : "chosen.found", { id: sel.true ?? sel.id }) : "";
  pressed(); eventRows(); later("main"); later("time");
};
// As a file: a line a mark.
const quoted = (x) => { const s = String(x); return /[",\n\r]/.test(s) ? `"${s.replace(/"/g, '""')}"` : s; };
const csv = (p) => {
  const e = p.events, lines = [["run", "kind", "frame", "seconds", "true_id", "class", "from_id", "to_id"]];
  for (const k of shownMarks(p)) lines.push([text(p.title), KINDS[e.kind[k]], v.first + e.frame[k], timeOf(e.frame[k]).toFixed(3), e.true[k], p.laneOf.get(e.true[k]) ? nameOf(p.laneOf.get(e.true[k]).cls) : "", e.from[k] < 0 ? "" : e.from[k], e.to[k] < 0 ? "" : e.to[k]]);
  return `${lines.map((l) => l.map(quoted).join(",")).join("\n")}\n`;
};
const saveCsv = (link) => {
  const p = focusPane(), name = `${text(v.title)}_${text(p.title)}_marks`.replace(/[^\p{L}\p{N}.+-]+/gu, "_").replace(/^_+|_+$/g, "");
  if (link.dataset.url) URL.revokeObjectURL(link.dataset.url);
  link.href = link.dataset.url = URL.createObjectURL(new Blob([csv(p)], { type: "text/csv" }));
  link.download = `${name}.csv`;
};
