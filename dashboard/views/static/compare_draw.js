// How objects look on a pane: boxes told apart by line and mark as well as by colour, and labels that find room.
const PLAIN = 0, TRUTH = 1, TP = 2, FP = 3, FN = 4, IGNORED = 5, FOUND = 6; // FOUND: the truth behind a visible TP
const STATES = ["plain", "truth", "tp", "fp", "fn", "ignored", "found"];
const LOOK = {
  [TRUTH]: { color: "#ffffff", dash: [6, 4], mark: "" },
  [TP]: { color: "#35c796", dash: [], mark: "✓" },
  [FP]: { color: "#ff7043", dash: [], mark: "✕" },
  [FN]: { color: "#ffd43b", dash: [7, 5], mark: "?" },
  [IGNORED]: { color: "#b8bcc6", dash: [2, 3], mark: "–" },
  [FOUND]: { color: "#ffffff", dash: [6, 4], mark: "" },
};
// Okabe and Ito's palette, brightened for photos, and some neighbours.
const PALETTE = ["#56b4e9", "#f0a020", "#2fcf9a", "#f0e442", "#e58fc0", "#ff7043", "#7da7ff", "#9ad04b", "#c4a1ff", "#e0c08a", "#4dd6e6", "#ff9eb5"];
const FONT = "600 11px ", LINE = 15, TAG = 12;
const inkOn = (hex) => { const n = parseInt(hex.slice(1), 16); return 0.299 * (n >> 16) + 0.587 * ((n >> 8) & 255) + 0.114 * (n & 255) > 120 ? "#111" : "#fff"; };
const widths = new Map();
let measured = ""; // the font that widths are of
const textWidth = (g, text) => {
  if (measured !== g.font) { widths.clear(); measured = g.font; }
  let w = widths.get(text);
  if (w === undefined) { if (widths.size > 5000) widths.clear(); w = Math.ceil(g.measureText(text).width); widths.set(text, w); }
  return w;
};
// All boxes of one look: a dark line beneath, so that they are seen on any picture, then the line itself.
const strokeBoxes = (g, list, look, width = 2) => {
  if (!list.length) return;
  g.lineWidth = width + 2; g.strokeStyle = "rgba(0,0,0,0.55)"; g.setLineDash([]);
  for (let k = 0; k < list.length; k += 4) g.strokeRect(list[k], list[k + 1], list[k + 2], list[k + 3]);
  g.lineWidth = width; g.strokeStyle = look.color; g.setLineDash(look.dash);
  for (let k = 0; k < list.length; k += 4) g.strokeRect(list[k], list[k + 1], list[k + 2], list[k + 3]);
  g.setLineDash([]);
};
// A box of the picture on a pane, whole pixels, cut a little outside of the pane (dashes of a far line cost time).
const onPane = (box, j, v, out) => {
  const r = Math.round, x0 = r(Math.max(-20, box[j] * v.s + v.x)), y0 = r(Math.max(-20, box[j + 1] * v.s + v.y));
  const x1 = r(Math.min(v.w + 20, box[j + 2] * v.s + v.x)), y1 = r(Math.min(v.h + 20, box[j + 3] * v.s + v.y));
  if (x1 < 0 || y1 < 0 || x0 > v.w || y0 > v.h) return false;
  out[0] = x0; out[1] = y0; out[2] = Math.max(1, x1 - x0); out[3] = Math.max(1, y1 - y0);
  return true;
};
// FP and FN carry a tag in the upper right corner: a cross, a question mark. Small boxes: FP a filled corner.
const drawTags = (g, list, look) => {
  if (!list.length || !look.mark || look.mark === "✓") return;
  for (let k = 0; k < list.length; k += 4) {
    const x = list[k] + list[k + 2], y = list[k + 1];
    g.fillStyle = look.color;
    if (list[k + 2] < 2 * TAG || list[k + 3] < 2 * TAG) {
      if (look.mark !== "✕") continue;
      const c = Math.min(8, list[k + 2], list[k + 3]);
      g.beginPath(); g.moveTo(x - c, y); g.lineTo(x, y); g.lineTo(x, y + c); g.fill();
      continue;
    }
    g.fillRect(x - TAG, y, TAG, TAG);
    g.strokeStyle = g.fillStyle = "#111"; g.lineWidth = 1.5;
    if (look.mark === "✕") { g.beginPath(); g.moveTo(x - 9, y + 3); g.lineTo(x - 3, y + 9); g.moveTo(x - 3, y + 3); g.lineTo(x - 9, y + 9); g.stroke(); }
    else { g.textAlign = "center"; g.fillText(look.mark, x - TAG / 2, y + TAG / 2 + 0.5); g.textAlign = "left"; }
  }
};
const stamp = (g, placed) => {
  for (const [x, y, w, l] of placed) { g.fillStyle = l.color; g.fillRect(x, y, w, LINE); }
  for (const [x, y, , l] of placed) { g.fillStyle = inkOn(l.color); g.fillText(l.text, x + 4, y + LINE / 2 + 0.5); }
};
// Labels take the first free place above, inside or below their box, the surest objects first; those without room wait
// until there is more (zoom in, or point at the box). None leaves the pane.
const drawLabels = (g, labels, v) => {
  const cell = 40, across = Math.ceil(v.w / cell) + 1, taken = new Map();
  const free = (x, y, w) => {
    for (let b = Math.floor(y / cell); b <= Math.floor((y + LINE) / cell); b++) for (let a = Math.floor(x / cell); a <= Math.floor((x + w) / cell); a++)
      for (const t of taken.get(b * across + a) || []) if (x < t[0] + t[2] && x + w > t[0] && y < t[1] + LINE && y + LINE > t[1]) return false;
    return true;
  };
  const take = (x, y, w) => {
    for (let b = Math.floor(y / cell); b <= Math.floor((y + LINE) / cell); b++) for (let a = Math.floor(x / cell); a <= Math.floor((x + w) / cell); a++) {
      const key = b * across + a, list = taken.get(key);
      if (list) list.push([x, y, w]); else taken.set(key, [[x, y, w]]);
    }
  };
  const placed = [], crowded = labels.length > 60; // then small boxes keep theirs for later: the picture should be seen
  for (const l of labels) {
    const w = textWidth(g, l.text) + 8, x = Math.max(0, Math.min(v.w - w, l.x - 1)), top = Math.max(0, l.y), bottom = l.y + l.h;
    if (crowded && l.w < 0.6 * w) continue;
    const spots = [[x, l.y - LINE], [x, top], [x, Math.min(bottom, v.h) - LINE], [x, bottom]];
    for (const [sx, sy] of l.always ? [[x, Math.max(0, Math.min(v.h - LINE, l.y >= LINE ? l.y - LINE : top))]] : spots) {
      if (!l.always && (sy < 0 || sy + LINE > v.h || !free(sx, sy, w))) continue;
      take(sx, sy, w); placed.push([sx, sy, w, l]);
      break;
    }
  }
  stamp(g, placed);
  return placed;
};
// How a legend shows a state: the line and the mark as on the pane.
const swatch = (code) => {
  const look = LOOK[code], mark = code === FP ? `<path d="M11 1h6v6h-6z" fill="${look.color}"/><path d="M12.5 2.5l3 3m0-3l-3 3" stroke="#111"/>` : code === FN ? `<path d="M11 1h6v6h-6z" fill="${look.color}"/><text x="14" y="6.4" font-size="6.5" text-anchor="middle" fill="#111" font-weight="700">?</text>` : "";
  return `<svg width="19" height="14" viewBox="0 0 19 14" aria-hidden="true"><rect x="0.5" y="0.5" width="18" height="13" rx="2" fill="#3f4250"/><rect x="2" y="2" width="15" height="10" fill="none" stroke="${look.color}" stroke-width="1.6" stroke-dasharray="${look.dash.map((d) => d / 2).join(" ")}"/>${mark}</svg>`;
};
