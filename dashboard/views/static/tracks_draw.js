// How a frame looks in a pane: the picture, boxes and trails in their identity's colour, errors by line, glyph and colour.
const TRUE_LOOK = LOOK[TRUTH], FALSE_LOOK = { color: "#ff5c4d", dash: [], mark: "✕" }, MISSED_LOOK = { color: "#ffa51f", dash: [7, 5], mark: "?" }, ASIDE_LOOK = LOOK[IGNORED];
const HIDDEN = 0, DIM = 1, CLEAR = 2, STRONG = 3;
// What is emphasised in a pane at a frame: the row of the truth, rows of what was found, and what is said of them.
const emphasis = (p, f) => {
  const s = ui.sel, out = { truth: -1, rows: [], label: null, gone: [] };
  if (!s) return out;
  const o = p.found, first = o ? o.off[f] : 0, end = o ? o.off[f + 1] : 0;
  const holdersOf = (row) => { if (row >= 0 && p.match) for (let j = first; j < end; j++) if (p.match[j] === row) out.rows.push(j); };
  const add = (id) => { const j = id < 0 ? -1 : rowOf(o, f, id); if (j >= 0 && !out.rows.includes(j)) out.rows.push(j); };
  if (s.true !== undefined) {
    out.truth = rowOf(v.truthBoxes, f, s.true);
    holdersOf(out.truth);
    const e = ui.mark && panes[ui.mark.pane]?.events, k = ui.mark?.event;
    if (e && o) {
      const at = e.frame[k], own = p.i === ui.mark.pane, pair = own ? [e.from[k], e.to[k]] : holders(p, s.true, at);
      pair.forEach(add);
      out.gone = pair.filter((id) => id >= 0 && rowOf(o, f, id) < 0);
      out.label = pairText(pair, own ? e.kind[k] : null);
    }
    return out;
  }
  const mine = panes[s.pane]?.found, j = rowOf(mine, f, s.id);
  if (j < 0) return out;
  const row = panes[s.pane].match?.[j] ?? -1;
  if (row >= 0) out.truth = row;
  if (p.i === s.pane) { out.rows.push(j); return out; }
  if (row >= 0) { holdersOf(row); return out; }
  let best = -1, most = 0.5; // no truth says who it is: who overlaps it most
  for (let k = first; k < end; k++) { const x = o.cls[k] === mine.cls[j] ? iou(mine.box, j, o.box, k) : 0; if (x >= most) { most = x; best = k; } }
  if (best >= 0) out.rows.push(best);
  return out;
};
const pairText = ([from, to], kind) => {
  if (kind === LOST || (to < 0 && from >= 0)) return `${from} → ✕`;
  if (kind === FRAGMENT) return from === to || from < 0 ? `… ${to}` : `${from} … ${to}`;
  return from < 0 ? (to < 0 ? "✕" : `→ ${to}`) : from === to ? `${from}` : `${from} → ${to}`;
};
const nameOf = (c) => v.class_names?.[c] ?? `#${c}`;
const paint = (p) => {
  if (!p.canvas) return;
  const dpr = Math.min(2, devicePixelRatio || 1), a = placeOf(p), g = p.canvas.getContext("2d", { alpha: false });
  sized(p.canvas, a.w, a.h, dpr);
  g.setTransform(dpr, 0, 0, dpr, 0, 0);
  g.fillStyle = tint.stage; g.fillRect(0, 0, a.w, a.h);
  if (film.still?.width === Math.round(v.width * a.s * dpr)) { g.setTransform(1, 0, 0, 1, 0, 0); g.drawImage(film.still, Math.round(a.x * dpr), Math.round(a.y * dpr)); g.setTransform(dpr, 0, 0, dpr, 0, 0); } // just copied
  else if (film.still) { g.imageSmoothingEnabled = a.s * (v.width / film.still.width) < 3; g.drawImage(film.still, a.x, a.y, v.width * a.s, v.height * a.s); }
  else { g.fillStyle = tint.plain; g.fillRect(a.x, a.y, v.width * a.s, v.height * a.s); }
  g.font = `${FONT}${tint.font}`; g.textBaseline = "middle"; g.textAlign = "left"; g.lineJoin = "round";
  const f = ui.shown;
  if (p.labels) { drawTop(g, p.labels, f, a); return; }
  const told = emphasis(p, f), labels = [];
  p.told = told;
  if (ui.trails && (p.found || p === alone)) drawTrails(g, p, f, a, told);
  for (const id of told.gone) drawGone(g, p.found, id, f, a, labels);
  const shown = drawTruth(g, p, f, a, told, labels);
  drawFound(g, p, f, a, told, labels);
  if (told.label && shown) labels.push({ ...shown, text: told.label, color: "#ffffff", always: true });
  drawLabels(g, labels, a);
};
const at4 = [0, 0, 0, 0];
const lineOf = (g, r, look, width) => {
  g.setLineDash([]); g.lineWidth = width + 2; g.strokeStyle = "rgba(0,0,0,0.6)"; g.strokeRect(r[0], r[1], r[2], r[3]);
  g.setLineDash(look.dash || []); g.lineWidth = width; g.strokeStyle = look.color; g.strokeRect(r[0], r[1], r[2], r[3]);
};
const strongOf = (g, r, colour) => {
  g.setLineDash([]); g.lineWidth = 8; g.strokeStyle = "rgba(0,0,0,0.65)"; g.strokeRect(r[0], r[1], r[2], r[3]);
  g.lineWidth = 6; g.strokeStyle = "#ffffff"; g.strokeRect(r[0], r[1], r[2], r[3]);
  g.lineWidth = 4; g.strokeStyle = colour; g.strokeRect(r[0], r[1], r[2], r[3]);
};
// The truth: dashed, or in the colours of identities where it is all there is. Gives where the emphasised one lies.
const drawTruth = (g, p, f, a, told, labels) => {
  const o = v.truthBoxes;
  if (!o) return null;
  const own = p === alone, plain = [], aside = [], missed = [];
  let found = null;
  for (let j = o.off[f]; j < o.off[f + 1]; j++) {
    const lost = !!p.missed?.[j], strong = j === told.truth;
    if ((ui.off.has(o.cls[j]) && !strong) || (!strong && !own && !(ui.errors ? lost : ui.truth)) || !onPane(o.box, 4 * j, a, at4)) continue;
    const r = [...at4];
    if (strong) found = { x: r[0], y: r[1], w: r[2], h: r[3] };
    if (own && !o.role?.[j]) {
      g.globalAlpha = ui.sel && !strong ? 0.3 : 1;
      strong ? strongOf(g, r, colourOf(o.id[j])) : lineOf(g, r, { color: colourOf(o.id[j]) }, 2);
      g.globalAlpha = 1;
      if (ui.labels || strong) labels.push({ x: r[0], y: r[1], w: r[2], h: r[3], text: `#${o.id[j]} ${nameOf(o.cls[j])}`, color: colourOf(o.id[j]), always: strong });
    } else (o.role?.[j] ? aside : lost && ui.errors ? missed : plain).push(...r);
  }
  if (ui.sel) g.globalAlpha = 0.45;
  strokeBoxes(g, plain, TRUE_LOOK, 1.5); strokeBoxes(g, aside, ASIDE_LOOK, 1); strokeBoxes(g, missed, MISSED_LOOK, 2.5); drawTags(g, missed, MISSED_LOOK);
  g.globalAlpha = 1;
  if (found && !own) { const r = [found.x, found.y, found.w, found.h], lost = !!p.missed?.[told.truth]; strokeBoxes(g, r, lost ? MISSED_LOOK : TRUE_LOOK, 3); if (lost) drawTags(g, r, MISSED_LOOK); }
  return found;
};
// How much a found box is to be seen.
const rankOf = (p, j, told) => {
  const o = p.found;
  if (told.rows.includes(j)) return STRONG;
  if (ui.off.has(o.cls[j]) || (o.score && o.score[j] < ui.t * 255)) return HIDDEN;
  if (ui.sel) return DIM;
  return ui.errors && p.match && p.match[j] !== -1 ? DIM : CLEAR;
};
const drawFound = (g, p, f, a, told, labels) => {
  const o = p.found;
  if (!o) return;
  const strong = [], wrong = [];
  for (let j = o.off[f]; j < o.off[f + 1]; j++) {
    const rank = rankOf(p, j, told);
    if (rank === HIDDEN || !onPane(o.box, 4 * j, a, at4)) continue;
    const c = colourOf(o.id[j]), r = [...at4];
    if (rank === STRONG) { strong.push([r, c, j]); continue; }
    if (ui.errors && p.match?.[j] === -1) { wrong.push(...r); if (ui.labels && rank === CLEAR) labels.push(labelOf(o, j, r, FALSE_LOOK.color)); continue; }
    if (rank === DIM) { g.globalAlpha = 0.4; g.setLineDash([]); g.lineWidth = 1.5; g.strokeStyle = ui.errors ? "#ffffff" : c; g.strokeRect(...r); g.globalAlpha = 1; continue; }
    lineOf(g, r, { color: c, dash: p.match?.[j] === -2 ? ASIDE_LOOK.dash : null }, 2);
    if (ui.labels) labels.push(labelOf(o, j, r, c));
  }
  if (ui.sel) g.globalAlpha = 0.4;
  strokeBoxes(g, wrong, FALSE_LOOK, 2.5); drawTags(g, wrong, FALSE_LOOK);
  g.globalAlpha = 1;
  for (const [r, c, j] of strong) { strongOf(g, r, c); labels.unshift({ ...labelOf(o, j, r, c), always: true, y: told.label ? r[1] + r[3] + LINE : r[1] }); }
  g.setLineDash([]);
};
const labelOf = (o, j, r, color) => ({ x: r[0], y: r[1], w: r[2], h: r[3], color, text: `#${o.id[j]}${v.class_names?.length > 1 ? ` ${nameOf(o.cls[j])}` : ""}${o.score ? ` ${(o.score[j] / 255).toFixed(2)}` : ""}` });
// Where the feet of each identity were in the frames before; a gap is left where it was not there.
const drawTrails = (g, p, f, a, told) => {
  const o = p.found ?? v.truthBoxes, { prev, frame } = trailOf(o), own = p === alone;
  g.setLineDash([]);
  for (let j = o.off[f]; j < o.off[f + 1]; j++) {
    const rank = own ? (ui.off.has(o.cls[j]) || o.role?.[j] ? HIDDEN : ui.sel && j !== told.truth ? DIM : CLEAR) : rankOf(p, j, told);
    if (rank === HIDDEN || (rank === DIM && ui.errors)) continue;
    g.beginPath();
    let next = -1, n = 0;
    for (let k = j; k >= 0 && frame[k] + ui.tail >= f; k = prev[k]) {
      const x = ((o.box[4 * k] + o.box[4 * k + 2]) / 2) * a.s + a.x, y = o.box[4 * k + 3] * a.s + a.y;
      if (next - frame[k] === 1) g.lineTo(x, y); else g.moveTo(x, y);
      next = frame[k]; n++;
    }
    if (n < 2) continue;
    g.globalAlpha = rank === DIM ? 0.35 : 0.9; g.lineWidth = rank === STRONG || (own && j === told.truth) ? 4 : 2; g.strokeStyle = colourOf(o.id[j]);
    g.stroke();
  }
  g.globalAlpha = 1;
};
// One of a mark's two that is not in this frame any more: where it was last, and how it came there.
const drawGone = (g, o, id, f, a, labels) => {
  let from = f, j = -1;
  while (j < 0 && from > 0 && f - from < 50) j = rowOf(o, --from, id);
  if (j < 0) return;
  const { prev, frame } = trailOf(o);
  g.setLineDash([3, 4]); g.lineWidth = 3; g.strokeStyle = colourOf(id); g.beginPath();
  for (let k = j; k >= 0 && frame[k] + ui.tail >= f; k = prev[k]) g.lineTo(((o.box[4 * k] + o.box[4 * k + 2]) / 2) * a.s + a.x, o.box[4 * k + 3] * a.s + a.y);
  g.stroke();
  if (onPane(o.box, 4 * j, a, at4)) { lineOf(g, at4, { color: colourOf(id), dash: [3, 4] }, 2); labels.push({ x: at4[0], y: at4[1] + at4[3] + 2 * LINE + 2, w: at4[2], h: at4[3], color: colourOf(id), text: `#${id}`, always: true }); }
  g.setLineDash([]);
};
// What a classifier says of a frame: its surest classes as bars.
const drawTop = (g, l, f, a) => {
  const w = Math.min(250, a.w - 16), h = 19 * l.k + 9, x = Math.max(8, a.x + 8), y = Math.max(8, Math.min(a.h, a.y + v.height * a.s) - h - 8);
  g.fillStyle = "rgba(16,18,24,0.8)"; g.beginPath(); g.roundRect(x, y, w, h, 8); g.fill();
  for (let k = 0; k < l.k; k++) {
    const s = l.score[f * l.k + k] / 255, top = y + 5 + 19 * k, name = String(l.names[l.top[f * l.k + k]] ?? `#${l.top[f * l.k + k]}`);
    g.fillStyle = k ? "rgba(255,255,255,0.16)" : "rgba(86,180,233,0.55)"; g.fillRect(x + 5, top, Math.max(1, (w - 54) * s), 17);
    g.fillStyle = "#ffffff"; g.textAlign = "left"; g.fillText(cut(g, name, w - 62), x + 10, top + 9);
    g.textAlign = "right"; g.fillText(`${(100 * s).toFixed(0)} %`, x + w - 8, top + 9);
  }
  g.textAlign = "left";
};
// The found box under a place of a pane, the smallest first; else the truth's.
const boxesUnder = (p, px, py) => {
  const a = placeOf(p), x = (px - a.x) / a.s, y = (py - a.y) / a.s, f = ui.shown, pad = 3 / a.s, hits = [];
  const look = (o, side) => {
    if (!o) return;
    for (let j = o.off[f]; j < o.off[f + 1]; j++) {
      const [x0, y0, x1, y1] = o.box.subarray(4 * j, 4 * j + 4);
      if (x < x0 - pad || x > x1 + pad || y < y0 - pad || y > y1 + pad || (side === "found" ? rankOf(p, j, p.told) === HIDDEN : ui.off.has(o.cls[j]))) continue;
      hits.push({ side, j, area: (x1 - x0) * (y1 - y0) });
    }
  };
  look(p.found, "found");
  if (!p.found || ui.truth || ui.errors) look(v.truthBoxes, "truth");
  return hits.sort((a, b) => (a.side === b.side ? a.area - b.area : a.side === "found" ? -1 : 1));
};
