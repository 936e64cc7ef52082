// What the track player is given, read: columns from base64, rows of each frame, colours of identities, lanes.
const SWITCH = 0, FRAGMENT = 1, LOST = 2, KINDS = ["switch", "fragment", "lost"];
const typed = (b64, Type) => {
  if (b64 === null || b64 === undefined) return null;
  if (Uint8Array.fromBase64) return new Type(Uint8Array.fromBase64(b64).buffer);
  const raw = atob(b64), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Type(bytes.buffer);
};
const readBoxes = (o) => o && { off: typed(o.offsets, Uint32Array), box: typed(o.box, Float32Array), id: typed(o.id, Int32Array), cls: typed(o.class, Uint16Array), score: typed(o.score, Uint8Array), role: typed(o.role, Uint8Array), back: null };
// The row of the same identity in its appearance before, or -1, and the frame of each row: made when trails first need them.
const trailOf = (o) => {
  if (o.back) return o.back;
  const n = o.id.length, prev = new Int32Array(n), frame = new Uint32Array(n), last = new Map();
  for (let f = 0; f + 1 < o.off.length; f++) for (let j = o.off[f]; j < o.off[f + 1]; j++) {
    frame[j] = f; prev[j] = last.get(o.id[j]) ?? -1; last.set(o.id[j], j);
  }
  return (o.back = { prev, frame });
};
const SERIES = { tp: Uint16Array, fp: Uint16Array, fn: Uint16Array, idsw: Uint16Array, mota: Float32Array, count: Uint16Array, born: Uint16Array, ended: Uint16Array, confidence: Float32Array, changed: Uint8Array };
const readPane = (p, i, frames) => {
  const pane = { ...p, i, found: readBoxes(p.found), match: typed(p.match, Int32Array), missed: typed(p.missed, Uint8Array), series: {}, lanes: (p.lanes || []).map(readLane), events: null };
  for (const [k, Type] of Object.entries(SERIES)) if (p.series?.[k]) pane.series[k] = typed(p.series[k], Type);
  if (p.labels) pane.labels = { ...p.labels, top: typed(p.labels.top, Uint16Array), score: typed(p.labels.score, Uint8Array) };
  pane.laneOf = new Map(pane.lanes.map((l) => [l.id, l]));
  if (p.events) pane.events = { frame: typed(p.events.frame, Int32Array), kind: typed(p.events.kind, Uint8Array), true: typed(p.events.true, Int32Array), from: typed(p.events.from, Int32Array), to: typed(p.events.to, Int32Array) };
  const e = pane.events, n = e ? e.frame.length : 0;
  pane.count = [0, 0, 0];
  pane.inTime = [...Array(n).keys()].sort((a, b) => e.frame[a] - e.frame[b] || a - b); // marks, one after the other
  for (const k of pane.inTime) { pane.count[e.kind[k]]++; pane.laneOf.get(e.true[k])?.marks.push(k); }
  for (const l of pane.lanes) l.switches = l.marks.filter((k) => e.kind[k] === SWITCH).length;
  return pane;
};
const readLane = (l) => ({ id: l.id, cls: l.class, seg: typed(l.segments, Int32Array), marks: [], switches: 0 });
// A truth alone: how many there are, and a lane for each identity.
const truthPane = (o, frames, title) => {
  const count = new Uint16Array(frames), lanes = new Map();
  for (let f = 0; f < frames; f++) for (let j = o.off[f]; j < o.off[f + 1]; j++) {
    if (o.role && o.role[j]) continue;
    count[f]++;
    const l = lanes.get(o.id[j]) ?? { id: o.id[j], cls: o.cls[j], seg: [], marks: [], switches: 0 }, s = l.seg;
    lanes.set(l.id, l);
    if (s.length && s[s.length - 2] === f) s[s.length - 2] = f + 1; else s.push(f, f + 1, l.id);
  }
  return { title, i: 0, found: null, match: null, missed: null, series: { count }, lanes: [...lanes.values()], laneOf: lanes, events: null, count: [0, 0, 0], inTime: [] };
};
// Who holds a true identity: the predicted id last before a frame, and the one in it (-1: none).
const holders = (p, id, f) => {
  const s = p.laneOf.get(id)?.seg || [];
  let before = -1, at = -1;
  for (let k = 0; k < s.length && s[k] <= f; k += 3) {
    if (s[k + 2] >= 0 && s[k] < f) before = s[k + 2];
    if (f < s[k + 1]) at = s[k + 2];
  }
  return [before, at];
};
const rowOf = (o, f, id) => { if (o) for (let j = o.off[f]; j < o.off[f + 1]; j++) if (o.id[j] === id) return j; return -1; };
const iou = (a, i, b, j) => {
  const w = Math.min(a[4 * i + 2], b[4 * j + 2]) - Math.max(a[4 * i], b[4 * j]), h = Math.min(a[4 * i + 3], b[4 * j + 3]) - Math.max(a[4 * i + 1], b[4 * j + 1]);
  if (w <= 0 || h <= 0) return 0;
  const area = (x, k) => (x[4 * k + 2] - x[4 * k]) * (x[4 * k + 3] - x[4 * k + 1]);
  return (w * h) / (area(a, i) + area(b, j) - w * h);
};

// ---- colours of identities: neighbours far apart on the wheel, the same wherever an identity is drawn ----
const hex = (h, s, l) => {
  const a = s * Math.min(l, 1 - l), part = (n) => { const k = (n + h / 30) % 12; return Math.round(255 * (l - a * Math.max(-1, Math.min(k - 3, 9 - k, 1)))).toString(16).padStart(2, "0"); };
  return `#${part(0)}${part(8)}${part(4)}`;
};
const hues = [new Map(), new Map(), new Map()], LIGHTNESS = [0.55, 0.48, 0.6];
// on: 0 on pictures, 1 on a light page, 2 on a dark one
const colourOf = (id, on = 0) => {
  let c = hues[on].get(id);
  if (!c) hues[on].set(id, (c = hex((((id * 137.508) % 360) + 360) % 360, 0.75, LIGHTNESS[on])));
  return c;
};

// ---- frames and seconds ----
const timeOf = (f) => (v.t ? v.t[f] : f / v.fps);
const lasts = (f) => (f + 1 < v.frames ? timeOf(f + 1) - timeOf(f) : f > 0 ? timeOf(f) - timeOf(f - 1) : 1 / v.fps);
const middle = (f) => timeOf(f) + lasts(f) / 2;
// The frame shown at a time of the video.
const frameAt = (t) => {
  if (!v.t) return Math.max(0, Math.min(v.frames - 1, Math.floor(t * v.fps + 1e-6)));
  let a = 0, b = v.frames - 1;
  while (a < b) { const m = (a + b + 1) >> 1; if (v.t[m] <= t + 1e-6) a = m; else b = m - 1; }
  return a;
};
// The frame that begins nearest to a time.
const nearest = (t) => { const f = frameAt(t); return f + 1 < v.frames && timeOf(f + 1) - t < t - timeOf(f) ? f + 1 : f; };
const clampFrame = (f) => Math.max(0, Math.min(v.frames - 1, Math.round(f)));
const clock = (s) => { const m = Math.floor(s / 60); return `${m}:${(s - 60 * m).toFixed(2).padStart(5, "0")}`; };
