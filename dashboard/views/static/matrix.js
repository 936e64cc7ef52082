// Confusion matrix and threshold, computed in the browser: no server round trip while a slider moves or a button toggles.
const L = window.loupe, root = element.querySelector(".lp-matrix");
let d = null, counts = null, rejected = null, hover = null, view = null, drag = null, list = [], cells = [];
const ui = { mode: "all", norm: "none", off: false, show: "top", t: 0, tc: 500 };
const TOP = 30;
root.innerHTML = `<div class="bar"></div><div class="thr"></div><div class="sum"></div><div class="body"><div class="plot"><canvas tabindex="0"></canvas><div class="tip" hidden></div></div><ol class="pairs"></ol></div>`;
const q = (s) => root.querySelector(s), canvas = q("canvas"), tip = q(".tip");

// The samples come once; all that follows is counted from them. Work is proportional to samples and to the pairs of
// classes that occur, never to classes squared: a thousand classes stay fluid.
// Large counts in as little room as it takes: 12.3k, 4.5M.
const brief = (n) => (n < 1e4 ? String(n) : n < 1e6 ? `${(n / 1e3).toPrecision(3)}k` : n < 1e9 ? `${(n / 1e6).toPrecision(3)}M` : `${(n / 1e9).toPrecision(3)}G`);
const load = () => {
  const v = props.value;
  if (v && v.patch) { if (d) { d.one = v.one; settle(false); } return; }
  if (!v || !v.classes) { d = null; root.style.display = "none"; return; }
  root.style.display = "";
  const fresh = !d || d.key !== v.key, C = v.classes.length;
  if (v.cells) { // counted already (objects, pixels): only to be shown
    d = { ...v, classes: v.classes.map((c) => (c === "ui.background" || c === "ui.other" ? L.t(c) : c)), C, label: [], pi: [], pj: [], n: [], ids: new Map() };
    for (const [i, j, n] of v.cells) { d.ids.set(i * C + j, d.pi.length); d.pi.push(i); d.pj.push(j); d.n.push(n); }
    if (fresh) { ui.t = 0; ui.show = C > 2 * TOP ? "top" : "every"; ui.norm = v.norm || "none"; ui.off = false; view = null; }
    settle(fresh);
    return;
  }
  d = { ...v, C, label: L.array(v.labels, "u2"), pred: L.array(v.predicted, "u2"), conf: L.array(v.confidence, "u2") };
  const ids = new Map(), pair = (d.pair = new Int32Array(d.label.length));
  d.pi = []; d.pj = [];
  for (let i = 0; i < pair.length; i++) {
    const key = d.label[i] * C + d.pred[i];
    let k = ids.get(key);
    if (k === undefined) { ids.set(key, (k = d.pi.length)); d.pi.push(d.label[i]); d.pj.push(d.pred[i]); }
    pair[i] = k;
  }
  d.ids = ids;
  if (fresh) { ui.t = 0; ui.show = C > 2 * TOP ? "top" : "every"; ui.norm = "none"; ui.off = false; view = null; }
  settle(fresh);
};
// Which mode fits what came: one class against the rest as soon as one is picked; nothing else for multi-label runs.
const settle = (fresh) => {
  if (d.one && (fresh || d.one.index !== ui.oneIndex)) { ui.mode = "one"; ui.tc = Math.round((d.one.best_f1 ?? 0.5) * 1000); ui.oneIndex = d.one.index; }
  if (!d.one) { ui.mode = "all"; ui.oneIndex = null; }
  draw();
};
let row, col; // samples of each true class (rejected ones too) and accepted answers of each class
const tally = () => {
  const N = d.label.length, t = ui.t;
  const Array_ = d.cells ? Float64Array : Int32Array; // pixels of a large dataset go past 2^31
  counts = new Array_(d.pi.length); rejected = new Int32Array(d.C); row = new Array_(d.C); col = new Array_(d.C);
  if (d.cells) d.n.forEach((n, k) => { counts[k] = n; row[d.pi[k]] += n; col[d.pj[k]] += n; });
  for (let i = 0; i < N; i++) {
    row[d.label[i]]++;
    if (d.conf[i] >= t) { counts[d.pair[i]]++; col[d.pred[i]]++; } else rejected[d.label[i]]++;
  }
};
const at2 = (i, j) => { const k = d.ids.get(i * d.C + j); return k === undefined ? 0 : counts[k]; };
// Macro averages as Loupe's tables have them: over classes that occur in truth or (accepted) predictions, 0/0 counts 0.
const summary = () => {
  let p = 0, r = 0, f = 0, k = 0, acc = 0, hit = 0;
  for (let i = 0; i < d.C; i++) {
    const tp = at2(i, i); hit += tp; acc += col[i];
    if (!row[i] && !col[i]) continue;
    k++; p += col[i] ? tp / col[i] : 0; r += row[i] ? tp / row[i] : 0; f += (2 * tp) / (row[i] + col[i]);
  }
  return { p: p / k, r: r / k, f: f / k, answered: acc / d.label.length, accuracy: acc ? hit / acc : NaN };
};
// Pairs that are confused, most often first.
const confused = () => {
  const found = [];
  for (let k = 0; k < counts.length; k++) if (counts[k] && d.pi[k] !== d.pj[k]) found.push(k);
  return found.sort((a, b) => counts[b] - counts[a] || d.pi[a] - d.pi[b] || d.pj[a] - d.pj[b]);
};
const stat = (label, v, metric) => `<span data-stat="${metric || "accuracy"}"><small>${L.esc(label)}${metric ? L.info(metric) : ""}</small><b>${L.num(v)}</b></span>`;
const seg = (name, options, value) => `<span class="seg" role="group">${options.map(([k, text]) => `<button type="button" data-set="${name}" data-to="${k}" aria-pressed="${value === k}">${L.esc(text)}</button>`).join("")}</span>`;

const controls = () => {
  if (!d.C && !d.one) { q(".bar").innerHTML = q(".thr").innerHTML = ""; q(".sum").innerHTML = `<em>${L.esc(L.t("ui.matrix.pick"))}</em>`; q(".body").style.display = "none"; return; }
  q(".body").style.display = "";
  const C = d.C, one = ui.mode === "one" && d.one;
  q(".bar").innerHTML =
    (d.one && d.C ? seg("mode", [["all", L.t("ui.matrix.all")], ["one", L.t("ui.matrix.one", { name: d.one.name })]], ui.mode) : "") +
    (one ? "" : seg("norm", [["none", L.t("ui.matrix.counts")], ["row", L.t("ui.matrix.row")], ["col", L.t("ui.matrix.col")]], ui.norm) +
      seg("off", [["0", L.t("ui.matrix.full")], ["1", L.t("ui.matrix.errors")]], ui.off ? "1" : "0") +
      (C > TOP ? seg("show", [["top", L.t("ui.matrix.top", { n: TOP })], ["every", L.t("ui.matrix.every", { n: C })]], ui.show) : "")) + (d.C || one ? L.info(d.explain || (d.cells ? "det_confusion" : "confusion")) : "");
  if (d.cells) { q(".thr").innerHTML = ""; return; }
  const t = one ? ui.tc : ui.t, marks = one ? [["▲", d.one.youden, "youden"], ["◆", d.one.best_f1, "best_f1"]].filter((m) => m[1] !== null) : [];
  q(".thr").innerHTML = `<label>${L.esc(one ? L.t("ui.thr.one", { name: d.one.name }) : L.t("ui.thr.all"))} <b>${(t / 1000).toFixed(3)}</b>${L.info("threshold")}</label>
    <div class="track"><input type="range" min="0" max="1000" step="1" value="${t}" aria-label="${L.esc(L.t("ui.threshold"))}">${marks.map((m) => `<button type="button" class="mark" data-mark="${m[1]}" style="left:calc(8px + (100% - 16px) * ${Math.min(1, m[1])})" title="${L.esc(L.name(m[2]))} ${m[1].toFixed(3)}">${m[0]}</button>`).join("")}</div>
    ${one ? `<span class="legend">▲ ${L.esc(L.name("youden"))} ◆ ${L.esc(L.name("best_f1"))}</span>` : ""}`;
};
const numbers = () => {
  if (ui.mode === "one" && d.one) {
    const { P, N, tp, fp } = oneCounts(), fn = P - tp, tn = N - fp;
    q(".sum").innerHTML = stat(L.name("precision"), tp + fp ? tp / (tp + fp) : NaN, "precision") + stat(L.name("recall"), P ? tp / P : NaN, "recall") +
      stat(L.name("f1"), 2 * tp + fp + fn ? (2 * tp) / (2 * tp + fp + fn) : NaN, "f1") + stat(L.name("specificity"), N ? tn / N : NaN, "specificity") + stat("Youden J", P && N ? tp / P - fp / N : NaN, "youden");
  } else if (d.cells) q(".sum").innerHTML = "";
  else {
    const s = summary();
    q(".sum").innerHTML = stat(L.name("precision_macro"), s.p, "precision_macro") + stat(L.name("recall_macro"), s.r, "recall_macro") + stat(L.name("f1_macro"), s.f, "f1_macro") +
      stat(L.t("ui.thr.accuracy"), s.accuracy) + `<span data-stat="accepted"><small>${L.esc(L.t("ui.thr.answered"))}</small><b>${(100 * s.answered).toFixed(1)} %</b></span>`;
  }
};
const oneCounts = () => { const k = ui.tc, o = d.one; return { P: o.positives[0], N: o.negatives[0], tp: o.positives[k], fp: o.negatives[k] }; };

// Which classes are rows: all, or those of the most confused pairs, each beside the one it is taken for.
const order = () => {
  if (ui.show !== "top" || d.C <= TOP) return [...Array(d.C).keys()];
  const chosen = new Set();
  for (const k of worst) { if (chosen.size > TOP - 2) break; chosen.add(d.pi[k]); chosen.add(d.pj[k]); }
  for (let i = 0; i < d.C && chosen.size < TOP; i++) chosen.add(i);
  return [...chosen];
};
const shade = (share, wrong) => {
  const s = Math.max(0, Math.min(1, share)), dark = L.dark();
  const from = dark ? [39, 39, 42] : [238, 241, 245], to = wrong ? (dark ? [251, 146, 60] : [194, 65, 12]) : dark ? [96, 165, 250] : [29, 78, 216];
  return from.map((f, k) => Math.round(f + (to[k] - f) * s));
};
const geometry = () => {
  const w = canvas.clientWidth, h = canvas.clientHeight, n = list.length, labels = n <= 40;
  const longest = labels ? Math.max(...list.map((i) => d.classes[i].length)) : 0;
  const left = labels ? Math.min(110, 32 + 6.6 * longest) : 26, bottom = labels ? (longest * 6.4 > (w - left) / n ? Math.min(84, 22 + 5 * longest) : 34) : 24;
  const extra = ui.t > 0 ? 1 : 0, W = w - left - 6, H = h - bottom - 6;
  return { left, top: 6, W, H, n, cols: n + extra, extra, labels, w, h, cw: W / (n + extra), ch: H / n };
};
const value = (i, j) => (j === -1 ? rejected[i] : at2(i, j));
// The picture is drawn when numbers change; a moving pointer only lays its frame over a copy of it.
let base = null;
const paint = () => {
  if (!d) return;
  const dpr = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  if (!w || !h) return;
  canvas.width = w * dpr; canvas.height = h * dpr;
  const g = canvas.getContext("2d"); g.scale(dpr, dpr); g.clearRect(0, 0, w, h);
  const fg = L.css("--body-text-color"), sub = L.css("--body-text-color-subdued");
  g.textBaseline = "middle";
  if (ui.mode === "one" && d.one) paintOne(g, w, h, fg, sub);
  else if (d.C) paintAll(g, sub);
  base = new OffscreenCanvas(canvas.width, canvas.height);
  base.getContext("2d").drawImage(canvas, 0, 0);
  frame();
};
const frame = () => {
  if (!base) return;
  const dpr = devicePixelRatio || 1, g = canvas.getContext("2d"), m = cells;
  g.setTransform(1, 0, 0, 1, 0, 0); g.clearRect(0, 0, canvas.width, canvas.height); g.drawImage(base, 0, 0); g.setTransform(dpr, 0, 0, dpr, 0, 0);
  if (!hover) return;
  g.strokeStyle = L.css("--body-text-color"); g.lineWidth = 2;
  if (m.one) g.strokeRect(m.left + (hover[1] * m.W) / 2, m.top + (hover[0] * m.H) / 2, m.W / 2 - 2, m.H / 2 - 2);
  else { g.save(); g.beginPath(); g.rect(m.left, m.top, m.W, m.H); g.clip(); g.strokeRect(m.left + (hover[1] - m.vx) * m.zw, m.top + (hover[0] - m.vy) * m.zh, Math.max(3, m.zw - 1), Math.max(3, m.zh - 1)); g.restore(); }
};
const ink = (c) => (0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2] > 150 ? "#111" : "#fff");
const paintAll = (g, sub) => {
  const m = geometry(), n = m.n, line = L.css("--border-color-primary"), place = new Int32Array(d.C).fill(-1);
  list.forEach((c, a) => (place[c] = a));
  const shown = []; // [row, column, count] of cells that hold something
  for (let k = 0; k < counts.length; k++) { const a = place[d.pi[k]], b = place[d.pj[k]]; if (counts[k] && a >= 0 && b >= 0) shown.push([a, b, counts[k]]); }
  if (m.extra) list.forEach((c, a) => rejected[c] && shown.push([a, n, rejected[c]]));
  const share = (a, b, v) => (ui.norm === "row" ? v / row[list[a]] : ui.norm === "col" ? (b < n ? v / col[list[b]] : 0) : v);
  let max = 0, maxOff = 0;
  for (const [a, b, v] of shown) { const s = share(a, b, v); if (a === b) max = Math.max(max, s); else maxOff = Math.max(maxOff, s); }
  if (ui.norm !== "none") max = 1;
  const empty = shade(0, false);
  const tone = (a, b, s) => (a === b ? (ui.off ? empty : shade(Math.sqrt(s / (max || 1)), false)) : shade(0.15 + 0.85 * Math.sqrt(s / (maxOff || 1)), true));
  view = view || { x: 0, y: 0, k: 1 };
  m.vx = view.x; m.vy = view.y; m.zw = m.cw * view.k; m.zh = m.ch * view.k;
  const x = (b) => m.left + (b - m.vx) * m.zw, y = (a) => m.top + (a - m.vy) * m.zh;
  g.save(); g.beginPath(); g.rect(m.left, m.top, m.W, m.H); g.clip();
  g.fillStyle = `rgb(${empty})`;
  const gap = m.zw > 8 ? 1 : 0;
  if (gap && n <= 60) for (let a = 0; a < n; a++) for (let b = 0; b < m.cols; b++) g.fillRect(x(b), y(a), m.zw - gap, m.zh - gap);
  else g.fillRect(x(0), y(0), m.zw * m.cols, m.zh * n);
  const text = m.zw >= 22 && m.zh >= 12;
  g.font = `${Math.min(12, m.zh * 0.6, m.zw * 0.38)}px ${L.css("--font")}`; g.textAlign = "center";
  // wrong answers last and at least three pixels wide, so that single ones are seen among a thousand classes
  shown.sort((p, q) => (p[0] === p[1] ? 0 : 1) - (q[0] === q[1] ? 0 : 1) || p[2] - q[2]);
  for (const [a, b, v] of shown) {
    const px = x(b), py = y(a);
    if (px > m.left + m.W || py > m.top + m.H || px + m.zw < m.left || py + m.zh < m.top || (a === b && ui.off)) continue;
    const s = share(a, b, v), c = tone(a, b, s), least = a === b ? 1 : 3;
    g.fillStyle = `rgb(${c})`; g.fillRect(px, py, Math.max(least, m.zw - gap), Math.max(least, m.zh - gap));
    if (text) { g.fillStyle = ink(c); g.fillText(ui.norm === "none" ? brief(v) : s < 0.005 ? "<1%" : `${Math.round(100 * s)}%`, px + m.zw / 2, py + m.zh / 2); }
  }
  if (ui.off && gap) { g.strokeStyle = line; for (let a = 0; a < n; a++) { g.beginPath(); g.moveTo(x(a), y(a) + m.zh); g.lineTo(x(a) + m.zw, y(a)); g.stroke(); } }
  g.restore();
  g.fillStyle = sub; g.font = `11px ${L.css("--font")}`;
  if (m.labels && view.k === 1) {
    const cut = (s, width) => { while (s.length > 1 && g.measureText(s).width > width) s = s.slice(0, -2) + "…"; return s; };
    g.textAlign = "right"; if (m.ch >= 9) for (let a = 0; a < n; a++) g.fillText(cut(d.classes[list[a]], m.left - 26), m.left - 6, y(a) + m.zh / 2);
    const turn = Math.max(...list.map((i) => g.measureText(d.classes[i]).width)) > m.zw - 2;
    for (let b = 0; b < m.cols; b++) {
      const s = b < n ? d.classes[list[b]] : L.t("ui.matrix.rejected");
      g.save(); g.translate(x(b) + m.zw / 2, m.top + m.H + 8);
      if (turn) { g.rotate(-Math.PI / 3); g.textAlign = "right"; if (m.zw >= 8) g.fillText(cut(s, (m.h - m.top - m.H - 22) * 1.15), 0, 0); } else { g.textAlign = "center"; g.fillText(s, 0, 2); }
      g.restore();
    }
  }
  g.textAlign = "center"; g.fillText(L.t("ui.matrix.predicted"), m.left + m.W / 2, m.h - 7);
  g.save(); g.translate(7, m.top + m.H / 2); g.rotate(-Math.PI / 2); g.fillText(L.t("ui.matrix.true"), 0, 0); g.restore();
  cells = m;
};
const paintOne = (g, w, h, fg, sub) => {
  const { P, N, tp, fp } = oneCounts(), fn = P - tp, tn = N - fp, left = 90, top = 30, W = Math.min(w - left - 8, 420), H = Math.min(h - top - 8, 260);
  const grid = [[["TP", tp, 0], ["FN", fn, 1]], [["FP", fp, 1], ["TN", tn, 0]]];
  g.font = `12px ${L.css("--font")}`; g.textAlign = "center"; g.fillStyle = sub;
  [L.t("ui.one.accepted"), L.t("ui.one.below")].forEach((s, b) => g.fillText(s, left + W / 4 + (b * W) / 2, 14));
  g.textAlign = "right"; [L.t("ui.one.is", { name: d.one.name }), L.t("ui.one.not", { name: d.one.name })].forEach((s, a) => g.fillText(s.length > 13 ? s.slice(0, 12) + "…" : s, left - 8, top + H / 4 + (a * H) / 2));
  grid.forEach((r, a) => r.forEach(([name, v, wrong], b) => {
    const c = shade(v ? 0.15 + 0.85 * Math.sqrt(v / Math.max(1, a ? N : P)) : 0, wrong);
    g.fillStyle = `rgb(${c})`; g.fillRect(left + (b * W) / 2, top + (a * H) / 2, W / 2 - 2, H / 2 - 2);
    g.fillStyle = ink(c); g.textAlign = "center";
    g.font = `600 20px ${L.css("--font")}`; g.fillText(v, left + W / 4 + (b * W) / 2, top + H / 4 + (a * H) / 2 - 4);
    g.font = `12px ${L.css("--font")}`; g.fillText(name, left + W / 4 + (b * W) / 2, top + H / 4 + (a * H) / 2 + 18);
  }));
  cells = { one: true, left, top, W, H, names: [["tp", "fn"], ["fp", "tn"]] };
};
const pairs = () => {
  q(".pairs").style.display = ui.mode === "one" || !d.C ? "none" : "";
  q(".pairs").innerHTML = `<li class="head">${L.esc(L.t("ui.matrix.pairs"))}</li>` + (worst.length ? worst.slice(0, 40).map((k) => `<li><button type="button" data-i="${d.pi[k]}" data-j="${d.pj[k]}"><b>${brief(counts[k])}</b> <span>${L.esc(d.classes[d.pi[k]])} → ${L.esc(d.classes[d.pj[k]])}</span></button></li>`).join("") : `<li class="none">${L.esc(L.t("ui.matrix.noerrors"))}</li>`);
};
let worst = [], later = 0;
// While a slider moves, the list of pairs waits for a pause; numbers and picture follow at once.
const refresh = (moving) => {
  const one = ui.mode === "one" && d.one;
  if (!one) {
    tally(); worst = confused();
    if (!moving || ui.show !== "top") list = order();
  }
  const tall = one ? 300 : list.length > 22 ? Math.min(620, 60 + 17 * list.length) : 350;
  if (q(".plot").style.height !== `${tall}px`) q(".plot").style.height = q(".pairs").style.maxHeight = `${tall}px`;
  numbers(); paint();
  clearTimeout(later);
  if (moving) later = setTimeout(() => refresh(false), 140); else pairs();
};
const draw = () => { if (!d) return; controls(); if (d.C || d.one) refresh(false); };

const at = (e) => {
  const r = canvas.getBoundingClientRect(), px = e.clientX - r.left, py = e.clientY - r.top, m = cells;
  if (m.one) { const b = Math.floor((px - m.left) / (m.W / 2)), a = Math.floor((py - m.top) / (m.H / 2)); return a >= 0 && a < 2 && b >= 0 && b < 2 ? [a, b] : null; }
  if (!m.n || px < m.left || py < m.top || px > m.left + m.W || py > m.top + m.H) return null;
  const b = Math.floor((px - m.left) / m.zw + m.vx), a = Math.floor((py - m.top) / m.zh + m.vy);
  return a >= 0 && a < m.n && b >= 0 && b < m.cols ? [a, b] : null;
};
const pick = (i, j) => trigger("select", { index: [i, j], value: { kind: j === -1 ? "rejected" : "cell", true: d.numbers[i], predicted: j === -1 ? -1 : d.numbers[j], threshold: ui.t / 1000 }, selected: true });
root.addEventListener("click", (e) => {
  const set = e.target.closest("[data-set]"), mark = e.target.closest("[data-mark]"), pair = e.target.closest("[data-i]");
  if (set) { const k = set.dataset.set, to = set.dataset.to; ui[k] = k === "off" ? to === "1" : to; view = null; hover = null; draw(); }
  else if (mark) { ui.tc = Math.round(+mark.dataset.mark * 1000); draw(); }
  else if (pair) pick(+pair.dataset.i, +pair.dataset.j);
  else if (e.target === canvas && !(drag && drag.moved)) {
    const c = at(e); if (!c) return;
    if (cells.one) trigger("select", { index: c, value: { kind: "one", class: d.one.index, cell: cells.names[c[0]][c[1]], threshold: ui.tc / 1000 }, selected: true });
    else pick(list[c[0]], c[1] < cells.n ? list[c[1]] : -1);
  }
});
let queued = false;
root.addEventListener("input", (e) => {
  if (e.target.type !== "range") return;
  if (ui.mode === "one" && d.one) ui.tc = +e.target.value; else ui.t = +e.target.value;
  q(".thr b").textContent = (+e.target.value / 1000).toFixed(3);
  if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; refresh(true); }); }
});
canvas.addEventListener("pointermove", (e) => {
  if (drag) { const m = cells, dx = e.clientX - drag.x, dy = e.clientY - drag.y; if (Math.abs(dx) + Math.abs(dy) > 4) drag.moved = true;
    if (view && view.k > 1 && drag.moved) { view.x = Math.max(0, Math.min(m.cols - m.cols / view.k, drag.vx - dx / m.zw)); view.y = Math.max(0, Math.min(m.n - m.n / view.k, drag.vy - dy / m.zh)); paint(); } return; }
  const c = at(e); hover = c; canvas.style.cursor = c ? "pointer" : "default";
  if (!c || cells.one) tip.hidden = true;
  else {
    const i = list[c[0]], j = c[1] < cells.n ? list[c[1]] : -1, n = value(i, j);
    tip.innerHTML = `${L.esc(L.t("ui.matrix.true"))} <b>${L.esc(d.classes[i])}</b> → ${j < 0 ? L.esc(L.t("ui.matrix.rejected")) : `<b>${L.esc(d.classes[j])}</b>`}<br>${L.esc(L.t(d.unit || (d.cells ? "ui.objects" : "ui.images"), { n: L.int(n) }))}`;
    tip.hidden = false;
    const r = canvas.getBoundingClientRect(), px = e.clientX - r.left, py = e.clientY - r.top;
    tip.style.left = `${Math.min(px + 14, r.width - tip.offsetWidth - 4)}px`; tip.style.top = `${Math.max(0, py - tip.offsetHeight - 10)}px`;
  }
  frame();
});
canvas.addEventListener("pointerleave", () => { hover = null; tip.hidden = true; frame(); });
canvas.addEventListener("pointerdown", (e) => { drag = { x: e.clientX, y: e.clientY, vx: view?.x ?? 0, vy: view?.y ?? 0, moved: false }; });
addEventListener("pointerup", () => setTimeout(() => { drag = null; }));
canvas.addEventListener("wheel", (e) => {
  if (!d || cells.one || cells.n <= TOP) return; // small matrices: the page scrolls
  e.preventDefault();
  const m = cells, r = canvas.getBoundingClientRect(), fx = (e.clientX - r.left - m.left) / m.W, fy = (e.clientY - r.top - m.top) / m.H;
  const k = Math.max(1, Math.min(m.n / 4, view.k * (e.deltaY < 0 ? 1.25 : 0.8)));
  view.x = Math.max(0, Math.min(m.cols - m.cols / k, view.x + fx * m.cols * (1 / view.k - 1 / k))); view.y = Math.max(0, Math.min(m.n - m.n / k, view.y + fy * m.n * (1 / view.k - 1 / k))); view.k = k; paint();
}, { passive: false });
new ResizeObserver(paint).observe(canvas);
L.onLook(draw);
watch("value", load);
load();
"select"; // the event Python listens to
