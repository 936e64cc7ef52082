// The story under the pictures: what was found, false and missed in each frame, on an axis of time that lanes share.
const LEFT = 66, RIGHT = 40, TOP = 15, FOOT = 17; // room for labels, pixels
const INKS = { tp: "#7fb8a6", fn: "#ffa51f", fp: "#e5483a", idsw: "#a855f7", count: "#8fb8e2", born: "#2a9d7c", ended: "#cc79a7", confidence: "#4a90d9", changed: "#a855f7" };
const axis = q(".axis"), plot = q(".plot"), timeCanvas = q("canvas.time"), tip = q(".tip"), hoverLine = q(".hover");
let axisRoom = 0; // of the axis, as it was last drawn: asking the page at each frame would make it lay itself out
const axisWidth = () => Math.max(40, (axisRoom ||= axis.clientWidth) - LEFT - RIGHT);
const xOf = (f) => LEFT + ((f - ui.a) / (ui.b - ui.a)) * axisWidth();
const frameOfX = (x) => clampFrame(Math.floor(ui.a + ((x - LEFT) / axisWidth()) * (ui.b - ui.a)));
// How a pane's series are drawn: stacked above the line, below it, ticks on top, and a line on the right axis.
const planOf = (p) => {
  const s = p.series, has = (names) => names.filter((n) => s[n]);
  return s.tp ? { up: has(["tp", "fn"]), down: has(["fp"]), ticks: s.idsw ? "idsw" : null, line: s.mota ? "mota" : null } : s.confidence ? { up: [], down: [], ticks: s.changed ? "changed" : null, line: "confidence" } : { up: has(["count"]), down: has(["born", "ended"]), ticks: null, line: null };
};
const most = (p, names) => { let top = 0; for (let f = 0; f < v.frames; f++) { let sum = 0; for (const n of names) sum += p.series[n][f]; if (sum > top) top = sum; } return top; };
const lowest = (s) => { let low = 0; for (const x of s) if (x < low) low = x; return Math.max(-1, low); };
const planned = (p) => (p.plan ??= ((plan) => ({ ...plan, maxUp: most(p, plan.up), maxDown: most(p, plan.down), low: plan.line === "mota" ? lowest(p.series.mota) : 0 }))(planOf(p)));
const hasStory = (p) => Object.keys(p.series).length > 0;
const storyHead = () => {
  const p = focusPane(), s = planned(p), n = panes.filter((o) => hasStory(o) || o.lanes.length).length;
  root.classList.toggle("untold", !panes.some((o) => hasStory(o) || o.lanes.length)); root.classList.toggle("unlaned", !p.lanes.length); root.classList.toggle("unlisted", !p.events);
  const here = document.activeElement, on = here?.closest?.(".axis") && root.contains(here) ? Object.entries(here.dataset)[0] : null;
  const key = (name) => `<span class="key" title="${L.esc(T(`${name}.how`))}"><i style="background:${INKS[name]}"></i>${L.esc(T(`${name}.long`))}</span>`;
  q(".axis > .top").innerHTML = (n > 1 ? seg(T("focus"), panes.map((o) => `<button type="button" data-focus="${o.i}" aria-pressed="${o.i === ui.focus}">${markOf(o)}${L.esc(text(o.title))}</button>`).join("")) : "") +
    `<span class="keys">${[...s.up, ...s.down].map(key).join("")}${s.ticks ? key(s.ticks) : ""}${s.line ? `<span class="key"><i class="line"></i>${L.esc(T(`${s.line}.long`))}</span>` : ""}</span>`;
  const swatches = p.match || p.events ? `<span class="key"><i class="hatch"></i>${L.esc(T("lane.missed"))}</span>` : "";
  q(".sorting").innerHTML = p.lanes.length ? `<b>${L.esc(T(alone ? "lanes.true" : p.match ? "lanes" : "lanes.found", { n: L.int(p.lanes.length) }))}</b>${swatches}<label class="sort">${L.esc(T("sort"))} <select data-sort>${["first", "id", ...(p.events ? ["switches"] : []), "long"].map((o) => `<option value="${o}"${o === ui.sort ? " selected" : ""}>${L.esc(T(`sort.${o}`))}</option>`).join("")}</select></label>` : "";
  if (on) q(`.axis [data-${on[0]}="${CSS.escape(on[1])}"]`)?.focus({ preventScroll: true });
};
// Mean and most of each pixel's frames: nothing that happens in one frame of thousands is lost.
const binned = (values, columns) => {
  const mean = new Float32Array(columns), top = new Float32Array(columns), last = new Float32Array(columns), step = (ui.b - ui.a) / columns;
  for (let c = 0; c < columns; c++) {
    const from = Math.max(0, Math.floor(ui.a + c * step)), to = Math.min(v.frames, Math.max(from + 1, Math.floor(ui.a + (c + 1) * step)));
    let sum = 0, high = -Infinity;
    for (let f = from; f < to; f++) { sum += values[f]; if (values[f] > high) high = values[f]; }
    mean[c] = sum / (to - from); top[c] = high; last[c] = values[to - 1];
  }
  return { mean, top, last };
};
const nice = (span, room) => { const raw = Math.max(1, span / room), ten = 10 ** Math.floor(Math.log10(raw)), x = raw / ten; return Math.max(1, Math.round(ten * (x <= 1 ? 1 : x <= 2 ? 2 : x <= 5 ? 5 : 10))); };
const drawTime = () => {
  axisRoom = axis.clientWidth;
  const p = focusPane(), w = axis.clientWidth, h = plot.clientHeight, dpr = Math.min(2, devicePixelRatio || 1), g = timeCanvas.getContext("2d"), W = axisWidth(), columns = Math.max(1, Math.floor(W)), s = planned(p);
  sized(timeCanvas, w, h, dpr);
  g.setTransform(dpr, 0, 0, dpr, 0, 0); g.clearRect(0, 0, w, h);
  g.font = `11px ${tint.font}`; g.textBaseline = "middle"; g.setLineDash([]);
  const floor = h - FOOT, room = floor - TOP, share = s.maxDown ? Math.max(0.2, Math.min(0.5, s.maxDown / (s.maxDown + s.maxUp || 1))) : 0, base = s.up.length || s.down.length ? floor - room * share : floor;
  const up = (base - TOP) / (s.maxUp || 1), down = (floor - base) / (s.maxDown || 1);
  g.fillStyle = tint.line; g.fillRect(LEFT, base, W, 1);
  const stack = (names, scale, sign) => {
    const under = new Float32Array(columns);
    names.forEach((n, k) => {
      const b = binned(p.series[n], columns), lone = names.length - k > 1 && sign > 0;
      g.fillStyle = INKS[n];
      for (let c = 0; c < columns; c++) {
        const at = under[c] * scale, tall = b.mean[c] * scale, more = b.top[c] > b.mean[c] && !lone ? Math.max(1.5, b.top[c] * scale) : 0;
        if (more) { g.globalAlpha = 0.35; g.fillRect(LEFT + c, sign > 0 ? base - at - more : base + 1 + at, 1, more); g.globalAlpha = 1; }
        if (tall > 0) g.fillRect(LEFT + c, sign > 0 ? base - at - tall : base + 1 + at, 1, tall);
        under[c] += b.mean[c];
      }
    });
  };
  stack(s.up, up, 1); stack(s.down, down, -1);
  if (s.line) drawLine(g, p, s, columns, TOP, floor);
  if (s.ticks) drawTicks(g, p.series[s.ticks], INKS[s.ticks], columns, floor);
  g.fillStyle = tint.soft; g.textAlign = "right";
  if (s.maxUp) g.fillText(L.int(s.maxUp), LEFT - 6, TOP + 5);
  if (s.maxUp || s.maxDown) g.fillText("0", LEFT - 6, base);
  if (s.maxDown) g.fillText(L.int(s.maxDown), LEFT - 6, floor - 4);
  if (!s.maxUp && s.up.length) g.fillText("0", LEFT - 6, base);
  const step = nice(ui.b - ui.a, W / 90);
  g.textAlign = "center";
  for (let n = Math.ceil((ui.a + v.first) / step) * step; n < ui.b + v.first; n += step) {
    const x = xOf(n - v.first + 0.5);
    if (x < LEFT + 8 || x > LEFT + W - 4) continue;
    g.fillRect(x, floor, 1, 4); g.fillText(L.int(n), x, floor + 11);
  }
  g.textAlign = "right"; g.fillText(T("frame"), LEFT - 6, floor + 11);
  timeCanvas.setAttribute("aria-label", T("time.label", { title: text(p.title), all: L.int(v.frames) }));
  windowLook();
};
const drawLine = (g, p, s, columns, top, floor) => {
  const b = binned(p.series[s.line], columns), y = (x) => top + 2 + (1 - (Math.max(s.low, Math.min(1, x)) - s.low) / (1 - s.low)) * (floor - top - 3), values = s.line === "mota" ? b.last : b.mean;
  for (const [width, colour] of [[3.5, tint.page], [1.5, tint.ink]]) {
    g.beginPath();
    let pen = false;
    for (let c = 0; c < columns; c++) { if (Number.isNaN(values[c])) { pen = false; continue; } if (pen) g.lineTo(LEFT + c + 0.5, y(values[c])); else g.moveTo(LEFT + c + 0.5, y(values[c])); pen = true; }
    g.lineWidth = width; g.strokeStyle = colour; g.stroke();
  }
  g.fillStyle = tint.soft; g.textAlign = "left";
  const x = LEFT + columns + 5;
  g.fillText("1", x, top + 5); g.fillText(s.low < 0 ? s.low.toFixed(s.low > -1 ? 1 : 0).replace("-", "−") : "0", x, floor - 4);
};
const diamond = (g, x, y, r) => { g.beginPath(); g.moveTo(x, y - r); g.lineTo(x + r, y); g.lineTo(x, y + r); g.lineTo(x - r, y); g.closePath(); };
const drawTicks = (g, values, colour, columns, floor) => {
  const b = binned(values, columns);
  let last = -9, often = 0;
  for (let c = 0; c < columns; c++) often += b.top[c] > 0;
  const lines = 8 * often < columns || ui.b - ui.a < columns; // many lines would cover what they point at
  g.fillStyle = colour;
  for (let c = 0; c < columns; c++) {
    if (!(b.top[c] > 0) || (c && ui.b - ui.a < columns && b.top[c] === b.top[c - 1] && frameOfX(LEFT + c) === frameOfX(LEFT + c - 1))) continue;
    const x = ui.b - ui.a < columns ? xOf(frameOfX(LEFT + c + 0.5) + 0.5) : LEFT + c + 0.5;
    if (lines) { g.globalAlpha = 0.4; g.fillRect(x - 0.5, TOP, 1, floor - TOP); g.globalAlpha = 1; }
    if (x - last >= 5) { diamond(g, x, 7, 4.5); g.fill(); last = x; }
  }
};
// The line of now, in the plot and in the lanes.
const playhead = () => {
  if (ui.playing && (ui.frame >= ui.b || ui.frame < ui.a) && ui.b - ui.a < v.frames) { // the window follows
    const span = ui.b - ui.a;
    window_(ui.frame - 0.05 * span, ui.frame + 0.95 * span);
  }
  const inside_ = ui.frame + 1 > ui.a && ui.frame < ui.b, x = xOf(ui.frame + 0.5);
  for (const e of root.querySelectorAll(".head")) { e.style.transform = `translateX(${x}px)`; e.style.visibility = inside_ ? "" : "hidden"; }
  q(".window .now").style.left = `${(100 * (ui.frame + 0.5)) / v.frames}%`;
};
const SHORTEST = 8;
const window_ = (a, b) => {
  const span = Math.max(Math.min(SHORTEST, v.frames), Math.min(v.frames, b - a)), from = Math.max(0, Math.min(v.frames - span, a));
  if (from === ui.a && from + span === ui.b) return;
  ui.a = from; ui.b = from + span;
  later("time");
};
const zoomTime = (factor, x) => {
  const at = ui.a + ((x - LEFT) / axisWidth()) * (ui.b - ui.a), span = (ui.b - ui.a) * factor;
  window_(at - (at - ui.a) * (span / (ui.b - ui.a)), at + (ui.b - at) * (span / (ui.b - ui.a)));
};
const windowLook = () => {
  const thumb = q(".thumb");
  thumb.style.left = `${(100 * ui.a) / v.frames}%`; thumb.style.width = `${(100 * (ui.b - ui.a)) / v.frames}%`;
  q(".window").classList.toggle("whole", ui.b - ui.a >= v.frames);
  for (const e of root.querySelectorAll(".grip")) {
    const f = e.dataset.grip === "a" ? Math.floor(ui.a) : Math.ceil(ui.b) - 1;
    e.setAttribute("aria-label", T(`window.${e.dataset.grip}`)); e.setAttribute("aria-valuemin", v.first); e.setAttribute("aria-valuemax", v.first + v.frames - 1); e.setAttribute("aria-valuenow", v.first + f);
  }
};
// What a frame's numbers are, for the pointer.
const numbersOf = (p, f) => {
  const s = planned(p), said = [...s.up, ...s.down, ...(s.ticks ? [s.ticks] : [])].map((n) => `${T(`${n}.long`)} ${L.int(p.series[n][f])}`);
  if (s.line) said.push(`${T(`${s.line}.long`)} ${L.num(p.series[s.line][f], 3)}`);
  return said;
};
const point = (f, html, y) => {
  const on = f !== null && f !== undefined;
  hoverLine.hidden = !on; tip.hidden = !on || !html;
  if (!on) return;
  const x = xOf(f + 0.5), w = axis.clientWidth;
  hoverLine.style.transform = `translateX(${x}px)`;
  if (!html) return;
  tip.innerHTML = html;
  tip.style.left = `${Math.max(0, Math.min(w - tip.offsetWidth, x + 12 + tip.offsetWidth > w ? x - 12 - tip.offsetWidth : x + 12))}px`;
  tip.style.top = `${y}px`;
};
