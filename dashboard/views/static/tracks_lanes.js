// A lane for each identity: which predicted identity held it when, and a mark for each switch, fragment and loss. Only the
// lanes in sight are drawn.
const LANE = 17;
const lanesBox = q(".lanes"), laneScroll = q(".lanes .scroll"), laneCanvas = q("canvas.rows");
// Lanes of the pane in focus, sorted, without classes that are switched off.
const laneRows = () => {
  const p = focusPane(), key = `${ui.sort} ${[...ui.off].join()}`;
  if (p.rows?.key === key) return p.rows.list;
  const begin = (l) => (l.seg.length ? l.seg[0] : 0), length = (l) => { let n = 0; for (let k = 0; k < l.seg.length; k += 3) n += l.seg[k + 1] - l.seg[k]; return n; };
  const order = { first: (a, b) => begin(a) - begin(b) || a.id - b.id, id: (a, b) => a.id - b.id, switches: (a, b) => b.switches - a.switches || begin(a) - begin(b), long: (a, b) => length(b) - length(a) || a.id - b.id }[ui.sort];
  p.rows = { key, list: p.lanes.filter((l) => !ui.off.has(l.cls)).sort(order) };
  return p.rows.list;
};
let hatch = null, hatchOn = -1;
const hatched = (g) => {
  if (hatchOn === tint.on) return hatch;
  const c = new OffscreenCanvas(6, 6), d = c.getContext("2d");
  d.fillStyle = tint.dark ? "#4b4f5c" : "#d5d8df"; d.fillRect(0, 0, 6, 6); d.strokeStyle = tint.dark ? "#9aa0ad" : "#8a909d"; d.lineWidth = 1.2;
  d.beginPath(); d.moveTo(-1, 7); d.lineTo(7, -1); d.moveTo(-1, 1); d.lineTo(1, -1); d.moveTo(5, 7); d.lineTo(7, 5); d.stroke();
  hatch = g.createPattern(c, "repeat"); hatchOn = tint.on;
  return hatch;
};
const drawMark = (g, kind, x, y, r, on) => {
  g.lineWidth = on ? 2.5 : r < 5 ? 1 : 1.5;
  const edge = on ? tint.chosen : tint.dark ? "#f4f4f5" : "#18181b", fill = tint.dark ? "#18181b" : "#ffffff";
  if (kind === SWITCH) { diamond(g, x, y, r); g.fillStyle = fill; g.fill(); g.strokeStyle = edge; g.stroke(); }
  else if (kind === FRAGMENT) { g.beginPath(); g.arc(x, y, r - 1, 0, 7); g.fillStyle = fill; g.fill(); g.strokeStyle = edge; g.stroke(); }
  else for (const [w, c] of [[g.lineWidth + 2, fill], [g.lineWidth, edge]]) { const k = r - 1.5; g.beginPath(); g.moveTo(x - k, y - k); g.lineTo(x + k, y + k); g.moveTo(x + k, y - k); g.lineTo(x - k, y + k); g.lineWidth = w; g.strokeStyle = c; g.stroke(); }
};
const drawLanes = () => {
  const p = focusPane(), rows = laneRows(), w = axis.clientWidth, W = axisWidth(), most_ = root.classList.contains("narrow") ? 9 : 13;
  const h = Math.min(rows.length, most_) * LANE + 2, dpr = Math.min(2, devicePixelRatio || 1), g = laneCanvas.getContext("2d");
  lanesBox.style.height = `${h}px`; q(".lanes .tall").style.height = `${rows.length * LANE}px`;
  sized(laneCanvas, w, h, dpr);
  g.setTransform(dpr, 0, 0, dpr, 0, 0); g.clearRect(0, 0, w, h);
  laneScroll.setAttribute("aria-label", T("lanes.label", { n: rows.length }));
  if (!rows.length) return;
  const y0 = laneScroll.scrollTop, first = Math.floor(y0 / LANE), end = Math.min(rows.length, Math.ceil((y0 + h) / LANE));
  const named = v.class_names?.length > 1, chosen = chosenLane(p);
  g.textBaseline = "middle"; g.setLineDash([]);
  for (let r = first; r < end; r++) {
    const l = rows[r], y = r * LANE - y0, on = l.id === chosen;
    if (on) { g.fillStyle = tint.accent; g.fillRect(0, y, w, LANE); }
    else { g.fillStyle = tint.line; g.globalAlpha = 0.5; g.fillRect(LEFT, y + LANE / 2, W, 1); g.globalAlpha = 1; }
    g.font = `${on ? 650 : 500} 11px ${tint.font}`; g.fillStyle = on ? tint.ink : tint.soft; g.textAlign = "right";
    g.fillText(named ? cut(g, `#${l.id} ${nameOf(l.cls)}`, LEFT - 8) : `#${l.id}`, LEFT - 6, y + LANE / 2);
    drawSegments(g, l, y, W);
  }
  g.save(); g.beginPath(); g.rect(LEFT - 6, 0, W + 12, h); g.clip();
  for (let r = first; r < end; r++) drawMarks(g, p, rows[r], r * LANE - y0 + LANE / 2);
  g.restore();
};
const cut = (g, s, room) => { if (g.measureText(s).width <= room) return s; while (s.length > 1 && g.measureText(`${s}…`).width > room) s = s.slice(0, -1); return `${s}…`; };
const drawSegments = (g, l, y, W) => {
  const s = l.seg, right = LEFT + W;
  g.font = `600 10px ${tint.font}`; g.textAlign = "left";
  for (let k = 0; k < s.length; k += 3) {
    if (s[k + 1] <= ui.a || s[k] >= ui.b) continue;
    const x0 = Math.max(LEFT, xOf(s[k])), x1 = Math.min(right, Math.max(x0 + 1, xOf(s[k + 1]))), id = s[k + 2];
    g.fillStyle = id < 0 ? hatched(g) : colourOf(id, tint.on);
    g.fillRect(x0, id < 0 ? y + 5 : y + 3, x1 - x0, id < 0 ? LANE - 10 : LANE - 6);
    if (id >= 0 && !alone && x1 - x0 > 34) { const said = `#${id}`; if (g.measureText(said).width < x1 - x0 - 22) { g.fillStyle = inkOn(colourOf(id, tint.on)); g.fillText(said, x0 + 9, y + LANE / 2 + 0.5); } }
  }
};
const drawMarks = (g, p, l, y) => {
  const e = p.events, seen = [-9, -9, -9], here = l.marks.filter((k) => e.frame[k] >= ui.a && e.frame[k] < ui.b);
  const room = here.length > 4 ? (xOf(e.frame[here[here.length - 1]]) - xOf(e.frame[here[0]])) / here.length : 99, r = room < 9 ? 3 : 5; // many: small, so that the lane is seen
  let last = null;
  for (const round of [false, true]) for (const k of here) { // switches on top
    if ((e.kind[k] === SWITCH) !== round) continue;
    const x = xOf(e.frame[k] + (ui.b - ui.a < axisWidth() / 4 ? 0.5 : 0));
    if (ui.mark && ui.mark.pane === p.i && ui.mark.event === k) { last = [e.kind[k], x]; continue; }
    if (x - seen[e.kind[k]] < r) continue; // the list has them all
    seen[e.kind[k]] = x;
    drawMark(g, e.kind[k], x, y, r, false);
  }
  if (last) drawMark(g, last[0], last[1], y, 7, true);
};
// The lane that stands for who is chosen.
const chosenLane = (p) => {
  const s = ui.sel;
  if (!s) return null;
  if (s.true !== undefined) return s.true;
  return !p.match && p.i === s.pane ? s.id : null;
};
const laneAt = (x, y) => {
  const p = focusPane(), l = laneRows()[Math.floor((y + laneScroll.scrollTop) / LANE)];
  if (!l) return {};
  let best = null, near = 8;
  for (const k of l.marks) { const d = Math.abs(xOf(p.events.frame[k] + (ui.b - ui.a < axisWidth() / 4 ? 0.5 : 0)) - x); if (d < near || (d === near && p.events.kind[k] < p.events.kind[best])) { near = d; best = k; } }
  return { lane: l, mark: best };
};
const reveal = (id) => {
  const r = laneRows().findIndex((l) => l.id === id), h = laneScroll.clientHeight;
  if (r < 0) return;
  if (r * LANE < laneScroll.scrollTop) laneScroll.scrollTop = r * LANE;
  else if ((r + 1) * LANE > laneScroll.scrollTop + h) laneScroll.scrollTop = (r + 1) * LANE - h;
};
// What a mark says.
const markText = (p, k) => {
  const e = p.events, from = e.from[k] < 0 ? T("nobody") : e.from[k], to = e.to[k] < 0 ? T("nobody") : e.to[k];
  return T(`mark.${KINDS[e.kind[k]]}`, { n: v.first + e.frame[k], id: e.true[k], from, to });
};
const laneText = (l, f) => {
  let held = null;
  for (let k = 0; k < l.seg.length; k += 3) if (l.seg[k] <= f && f < l.seg[k + 1]) held = l.seg[k + 2];
  return T(alone || !focusPane().match ? (held === null ? "lane.absent" : "lane.own") : held === null ? "lane.absent" : held < 0 ? "lane.lost" : "lane.held", { n: v.first + f, id: l.id, name: nameOf(l.cls), by: held });
};
