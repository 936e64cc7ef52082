// One picture in up to four panes, each with one model's boxes and masks; zoom, pan, confidence and classes are shared
// and live in the browser. The files that draw and tell of boxes, masks and class maps come before this one.
const L = window.loupe, root = element.querySelector(".lp-compare");
const ui = { t: 0.25, k: 1, cx: 0, cy: 0, boxes: true, masks: true, labels: true, off: new Set(), hidden: new Set([FOUND]), sel: null, hover: null };
Object.assign(ui, { opacity: 0.55, outlines: true, mode: "classes", focus: null, cell: null, over: null, quiet: new Set() }); // of class maps
const T = (key, vars) => L.t(`ui.cmp.${key}`, vars), text = (s) => (L.has(s) ? L.t(s) : String(s ?? ""));
const LAYER = 1024, MOST = 48; // longest side of a mask layer; screen pixels a picture's pixel may become
let v = null, panes = [], picture = null, grid = null, base = new Map(), frame = 0, todo = {}, tinted = false, given = null, spoken = 0;
root.innerHTML = `<div class="bar"></div><div class="classes" role="group"></div><div class="stage"><div class="panes"></div><div class="card" hidden></div></div><span class="sr" aria-live="polite"></span>`;
const q = (s) => root.querySelector(s), stage = q(".stage"), card = q(".card");

// ---- data ----
const read = (p, i) => {
  const n = (p.xyxy || []).length, pane = { ...p, i, n, box: new Float32Array(4 * n), score: new Float32Array(n).fill(NaN), state: new Uint8Array(n), truth: new Int32Array(n).fill(-1), shown: new Uint8Array(n), eff: new Uint8Array(n), sprites: [], masks: [], fresh: false, count: Array(STATES.length).fill(0), total: 0 };
  for (let j = 0; j < n; j++) {
    for (let c = 0; c < 4; c++) pane.box[4 * j + c] = p.xyxy[j][c];
    if (p.score?.[j] !== null && p.score?.[j] !== undefined) pane.score[j] = p.score[j];
    const s = Math.max(0, STATES.indexOf(p.state?.[j] ?? "plain"));
    pane.state[j] = s;
    const pair = p.pair?.[j];
    pane.truth[j] = pair ?? (s === TRUTH ? j : -1);
  }
  const names = v.classes;
  pane.of = (j) => names[p.class[j]] ?? `#${p.class[j]}`;
  // the surest first; truth, which has no score, before all
  pane.order = [...Array(n).keys()].sort((a, b) => (Number.isNaN(pane.score[b]) ? 2 : pane.score[b]) - (Number.isNaN(pane.score[a]) ? 2 : pane.score[a]) || a - b);
  return pane;
};
const load = () => {
  const old = v;
  v = props.value && Array.isArray(props.value.panes) ? props.value : null;
  todo = {};
  if (!v || v.error || !v.panes.length) {
    root.classList.add("empty"); panes = []; hideCard();
    q(".bar").innerHTML = q(".classes").innerHTML = q(".sr").textContent = q(".panes").style.gridTemplateColumns = ""; clearTimeout(spoken);
    q(".panes").innerHTML = `<p class="calm">${L.esc(v?.error ? text(v.error) : T("empty"))}</p>`;
    return;
  }
  root.classList.remove("empty");
  v.classes = v.classes || [];
  const fresh = !old || old.key !== v.key, c = v.controls?.confidence;
  if (c !== undefined && c !== given) { ui.t = c; given = c; }
  ui.t = Math.max(ui.t, v.controls?.floor ?? 0);
  if (fresh) { fit(); ui.off.clear(); }
  const was = fresh || !ui.sel ? null : { ...identity(panes[ui.sel[0]], ui.sel[1]), pane: ui.sel[0] };
  ui.sel = ui.hover = null; hideCard();
  panes = v.panes.slice(0, 4).map(read);
  if (v.maps) loadMaps(old, fresh);
  tinted = panes.some((p) => p.state.some((s) => s === PLAIN));
  grid = panes.some((p) => p.rle) ? layerGrid(v.width, v.height, LAYER) : null;
  if (!old || old.image !== v.image || fresh) show(v.image);
  build(); filter(); controls(); later("main");
  const again = was && panes[was.pane] ? panes[was.pane].order.find((j) => { const o = identity(panes[was.pane], j); return o.title === was.title && o.box === was.box && o.name === was.name && panes[was.pane].shown[j]; }) : undefined;
  if (v.selected && (fresh || String(v.selected) !== String(old.selected)) && panes[v.selected[0]]?.n > v.selected[1]) select(v.selected[0], v.selected[1], false);
  else if (again !== undefined) select(was.pane, again, false); // the open card stays with its object
};
const identity = (p, j) => ({ title: p.title, box: String(p.xyxy[j]), name: p.of(j) });
const show = (uri) => {
  picture = null; base.clear(); root.classList.remove("gone");
  if (!uri) return;
  const img = new Image(), key = v.key;
  img.onload = () => createImageBitmap(img).then((bitmap) => { if (v?.key === key && v.image === uri) { picture = bitmap; base.clear(); later("main"); } });
  img.onerror = () => { if (v?.image === uri) { root.classList.add("gone"); } };
  img.src = uri;
};
const color = (p, j) => (p.eff[j] === PLAIN ? v.colors?.[p.class[j]] || PALETTE[p.class[j] % PALETTE.length] : LOOK[p.eff[j]].color);
// What is visible, and as what. Matching goes from the surest down, so a higher threshold only takes matches away: a
// truth is missed when no visible TP of its pane points at it.
const filter = () => {
  if (v.maps) return counts();
  for (const p of panes) {
    const met = new Set(), count = [0, 0, 0, 0, 0, 0, 0];
    for (let j = 0; j < p.n; j++) if (p.state[j] === TP && p.truth[j] >= 0 && !(p.score[j] < ui.t)) met.add(p.truth[j]);
    for (let j = 0; j < p.n; j++) {
      const s = (p.eff[j] = p.state[j] === FN && met.has(p.truth[j]) ? FOUND : p.state[j]);
      p.shown[j] = 0;
      if (p.score[j] < ui.t || ui.off.has(p.class[j])) continue;
      count[s]++;
      if (!ui.hidden.has(s)) p.shown[j] = 1;
    }
    p.count = count; p.total = count[PLAIN] + count[TRUTH] + count[TP] + count[FP] + count[IGNORED]; p.fresh = false;
  }
  counts();
};
const counts = () => {
  for (const p of panes) {
    const parts = p.state.some((s) => s >= TP && s <= FN) ? [[TP, "tp"], [FP, "fp"], [FN, "fn"]] : [];
    const html = v.maps ? mapCount(p) : p.error ? "" : `<b data-n="${p.total}">${L.esc(p.total ? T(p.total === 1 ? "object" : "objects", { n: L.int(p.total) }) : T("none"))}</b>` + parts.map(([s, k]) => ` · <span data-${k}="${p.count[s]}">${L.int(p.count[s])} ${L.esc(T(`state.${k}`))}</span>`).join("") + (p.more ? ` · ${L.esc(T("more", { n: L.int(p.more) }))}` : "");
    if (p.counter.innerHTML !== html) p.counter.innerHTML = html;
    p.canvas.setAttribute("aria-label", `${v.title ? `${text(v.title)}, ` : ""}${text(p.title)}: ${p.counter.textContent}. ${T(v.maps ? "map.keys" : "keys")}`);
  }
  for (const chip of root.querySelectorAll("[data-state]")) { const n = panes.reduce((sum, p) => sum + p.count[+chip.dataset.state], 0); chip.querySelector("b").textContent = n; }
  clearTimeout(spoken);
  spoken = setTimeout(() => { q(".sr").textContent = panes.map((p) => `${text(p.title)}: ${p.counter.textContent}`).join("; "); }, 500);
};

// ---- what is around the pictures ----
const build = () => {
  const focus = panes.length && root.contains(document.activeElement) ? document.activeElement.closest?.("[data-pane]")?.dataset.pane : undefined;
  let k = 0;
  q(".panes").innerHTML = panes.map((p) => {
    const truth = p.title === "ui.cmp.truth" || (p.n > 0 && !v.maps && p.state.every((s) => s === TRUTH)), m = truth ? null : (p.mark ?? k++); // a run's own mark, else by its place
    const stages = p.stages ? `<small class="ms">${["pre", "fwd", "post"].map((s, a) => `${L.esc(T(`stage.${s}`))} ${Number(p.stages[a]).toFixed(1)}`).join(" · ")} ms</small>` : "";
    return `<section data-pane="${p.i}"><header><b title="${L.esc(text(p.title))}">${m === null ? "" : `${L.mark(m)} `}${L.esc(text(p.title))}</b>${p.note ? `<small class="note">${L.esc(text(p.note))}${p.stages ? L.info("latency") : ""}</small>` : ""}${stages}<span class="count"></span></header>
    <div class="view"><canvas class="ground" tabindex="0" role="img"></canvas><canvas class="over" aria-hidden="true"></canvas><i class="ch" hidden></i><i class="cv" hidden></i><div class="read" hidden></div>${p.error ? `<p class="calm">${L.esc(text(p.error))}</p>` : ""}<p class="calm lost">${L.esc(T(v.maps ? "map.gone" : "gone"))}</p></div></section>`;
  }).join("");
  for (const p of panes) {
    const at = q(`[data-pane="${p.i}"]`);
    p.view = at.querySelector(".view"); p.canvas = at.querySelector(".ground"); p.top = at.querySelector(".over"); p.counter = at.querySelector(".count"); p.reader = at.querySelector(".read"); p.lines = [at.querySelector(".ch"), at.querySelector(".cv")];
  }
  stage.style.setProperty("--ratio", Math.max(0.66, Math.min(2.2, v.width / v.height)));
  arrange();
  if (focus !== undefined) panes[focus]?.canvas.focus({ preventScroll: true });
};
// Side by side or two by two: whichever shows the picture larger. A narrow page stacks.
const arrange = () => {
  const n = panes.length, width = root.clientWidth, size = (columns) => Math.min(width / columns / v.width, ((columns < n ? 0.39 : 0.66) * innerHeight) / v.height);
  const columns = width < 620 ? 1 : n > 2 && (width < 280 * n || size(2) > (n === 3 ? 1.3 : 1) * size(n)) ? 2 : n; // three leave a hole in two rows
  q(".panes").style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  stage.dataset.columns = columns; stage.dataset.rows = columns > 1 ? Math.ceil(n / columns) : 1;
};
const button = (set, on, label, more = "") => `<button type="button" data-${set} aria-pressed="${on}">${more}${L.esc(label)}</button>`;
const controls = () => {
  const scored = panes.some((p) => p.score.some((s) => s >= 0)), masked = panes.some((p) => p.rle?.some(Boolean)), floor = v.controls?.floor ?? 0;
  const states = [TRUTH, TP, FP, FN, IGNORED, FOUND].filter((s) => panes.some((p) => p.state.some((x) => x === s || (s === FOUND && x === FN && p.state.includes(TP)))));
  q(".bar").innerHTML =
    (v.title ? `<b class="name" title="${L.esc(text(v.title))}">${L.esc(text(v.title))}</b>` : "") +
    (v.maps ? mapBar() : "") +
    (scored ? `<label class="conf"><span>${L.esc(T("confidence"))} ≥ <b>${ui.t.toFixed(2)}</b></span><input type="range" min="${floor}" max="1" step="0.01" value="${ui.t}" aria-label="${L.esc(T("confidence"))}"></label>` : "") +
    (v.maps ? "" : `<span class="seg" role="group" aria-label="${L.esc(T("show"))}">${button(`show="boxes"`, ui.boxes, T("boxes"))}${masked ? button(`show="masks"`, ui.masks, T("masks")) : ""}${button(`show="labels"`, ui.labels, T("labels"))}</span>`) +
    (states.length && !(states.length === 1 && !tinted && states[0] === TRUTH) ? `<span class="states" role="group" aria-label="${L.esc(T("states"))}">${states.map((s) => `<button type="button" data-state="${s}" aria-pressed="${!ui.hidden.has(s)}" title="${L.esc(T(`state.${STATES[s]}.long`))}">${swatch(s)}${L.esc(T(`state.${STATES[s]}`))} <b></b></button>`).join("")}</span>` : "") +
    `<span class="seg zoom" role="group" aria-label="${L.esc(T("zoom"))}"><button type="button" data-zoom="out" aria-label="${L.esc(T("zoom.out"))}">−</button><button type="button" data-zoom="fit" title="${L.esc(T("zoom.fit"))}" aria-label="${L.esc(T("zoom.fit"))}">100%</button><button type="button" data-zoom="in" aria-label="${L.esc(T("zoom.in"))}">+</button></span>`;
  const tally = new Map();
  for (const p of panes) for (let j = 0; j < p.n; j++) tally.set(p.class[j], (tally.get(p.class[j]) || 0) + 1);
  const sorted = [...tally].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  q(".classes").setAttribute("aria-label", T("classes"));
  root.classList.toggle("maps", !!v.maps); root.classList.toggle("judging", judging());
  if (v.maps) q(".classes").innerHTML = mapLegend();
  else q(".classes").innerHTML = sorted.length > 1 || ui.off.size ? sorted.map(([c]) => `<button type="button" data-class="${c}" aria-pressed="${!ui.off.has(c)}" title="${L.esc(v.classes[c] ?? `#${c}`)} — ${L.esc(T("classes.how"))}">${tinted ? `<i style="background:${L.esc(v.colors?.[c] || PALETTE[c % PALETTE.length])}"></i>` : ""}${L.esc(v.classes[c] ?? `#${c}`)}</button>`).join("") + `<button type="button" class="all" data-all>${L.esc(T("classes.all"))}</button>` : "";
  counts(); zoomed(); pressed();
};
const pressed = () => {
  for (const b of root.querySelectorAll("[data-class]")) {
    b.setAttribute("aria-pressed", v.maps ? legendOn(+b.dataset.class) : !ui.off.has(+b.dataset.class));
    b.classList.toggle("meant", !!v.maps && ui.focus === +b.dataset.class);
  }
  for (const b of root.querySelectorAll("[data-state]")) b.setAttribute("aria-pressed", !ui.hidden.has(+b.dataset.state));
  for (const b of root.querySelectorAll("[data-show]")) b.setAttribute("aria-pressed", ui[b.dataset.show]);
  const all = q("[data-all]"); if (all) all.hidden = v.maps ? !narrowed() : !ui.off.size;
};

// ---- one shared view ----
const lead = () => panes[0];
const moved = () => { base.clear(); zoomed(); later("main"); placeCard(); };
const zoomed = () => {
  const b = q(`[data-zoom="fit"]`); if (b) b.textContent = `${Math.round(100 * ui.k)}%`;
  for (const p of panes) p.canvas.style.touchAction = ui.k > 1 ? "none" : "pan-y";
};

// ---- drawing: at most once a frame ----
const later = (what) => { todo[what] = true; frame = frame || requestAnimationFrame(draw); };
const draw = () => {
  const now = todo;
  frame = 0; todo = {};
  if (!v || !panes.length) return;
  if (now.filter) { filter(); if (ui.sel && !panes[ui.sel[0]].shown[ui.sel[1]]) drop(); }
  if (now.filter || now.main) for (const p of panes) paint(p);
  for (const p of panes) lift(p);
};
// The picture as this zoom shows it, made once for all panes of a size.
const under = (a, dpr) => {
  const key = `${a.w}x${a.h}`;
  if (base.has(key)) return base.get(key);
  const c = new OffscreenCanvas(Math.max(1, Math.round(a.w * dpr)), Math.max(1, Math.round(a.h * dpr))), g = c.getContext("2d", { alpha: false });
  g.fillStyle = L.css("--background-fill-secondary") || "#888"; g.fillRect(0, 0, c.width, c.height);
  g.setTransform(dpr, 0, 0, dpr, 0, 0);
  if (picture) { g.imageSmoothingEnabled = a.s * (v.width / picture.width) < 3; g.drawImage(picture, a.x, a.y, v.width * a.s, v.height * a.s); }
  else { g.fillStyle = L.css("--border-color-primary") || "#777"; g.fillRect(a.x, a.y, v.width * a.s, v.height * a.s); }
  base.set(key, c);
  return c;
};
// Masks are laid on the pane one by one while filters move. Where they cover much, they are put together on one layer
// as soon as filters rest, so that zooming stays cheap.
const sprite = (p, j) => {
  const m = p.masks[j], c = color(p, j);
  if (p.sprites[j]?.color !== c) p.sprites[j] = { color: c, bitmap: maskSprite(m, c) };
  return p.sprites[j].bitmap;
};
const withMasks = (p) => {
  const found = [];
  for (let o = p.n - 1; o >= 0; o--) {
    const j = p.order[o];
    if (!p.rle[j] || !p.shown[j]) continue;
    if (p.masks[j] === undefined) p.masks[j] = decodeMask(p.rle[j], grid);
    if (p.masks[j]) found.push(j);
  }
  return found;
};
let resting = 0;
const gather = () => {
  for (const p of panes) {
    if (!p.fresh || p.layer || p.veiled.reduce((sum, j) => sum + p.masks[j].w * p.masks[j].h, 0) < grid.lw * grid.lh) continue;
    const sheet = new OffscreenCanvas(grid.lw, grid.lh), s = sheet.getContext("2d");
    for (const j of p.veiled) s.drawImage(sprite(p, j), p.masks[j].x, p.masks[j].y);
    p.layer = sheet.transferToImageBitmap(); // a bitmap scales faster than a canvas
  }
};
const veil = (g, p, a) => {
  if (!p.fresh) {
    p.veiled = withMasks(p); p.layer?.close(); p.layer = null; p.fresh = true;
    clearTimeout(resting); resting = setTimeout(gather, 200);
  }
  const kx = (v.width * a.s) / grid.lw, ky = (v.height * a.s) / grid.lh;
  g.imageSmoothingEnabled = kx < 3;
  if (p.layer) g.drawImage(p.layer, a.x, a.y, v.width * a.s, v.height * a.s);
  else for (const j of p.veiled) {
    const m = p.masks[j], x = a.x + m.x * kx, y = a.y + m.y * ky, w = m.w * kx, h = m.h * ky;
    if (x < a.w && y < a.h && x + w > 0 && y + h > 0) g.drawImage(sprite(p, j), x, y, w, h);
  }
  g.imageSmoothingEnabled = true;
};
const label = (p, j) => { const mark = LOOK[p.eff[j]]?.mark, sc = p.score[j]; return `${mark ? `${mark} ` : ""}${p.of(j)}${Number.isNaN(sc) ? "" : ` ${sc.toFixed(2)}`}`; };
const spot = [0, 0, 0, 0];
const paint = (p) => {
  const dpr = devicePixelRatio || 1, a = placeOf(p);
  if (!a.w || !a.h) return;
  sized(p.canvas, a.w, a.h, dpr);
  const g = p.canvas.getContext("2d", { alpha: false });
  g.setTransform(1, 0, 0, 1, 0, 0); g.drawImage(under(a, dpr), 0, 0); g.setTransform(dpr, 0, 0, dpr, 0, 0);
  if (v.maps) return drawMap(g, p, a, dpr);
  if (ui.masks && p.rle) veil(g, p, a);
  const groups = new Map(), labels = [];
  for (const j of p.order) {
    const s = p.eff[j];
    if (!p.shown[j] || !onPane(p.box.subarray(4 * j, 4 * j + 4), 0, a, spot)) continue;
    const key = s === PLAIN ? color(p, j) : s, list = groups.get(key);
    if (list) list.push(spot[0], spot[1], spot[2], spot[3]); else groups.set(key, [...spot]);
    if (ui.labels && labels.length < 400) labels.push({ text: label(p, j), color: color(p, j), x: spot[0], y: spot[1], w: spot[2], h: spot[3] });
  }
  g.font = FONT + (L.css("--font") || "sans-serif"); g.textBaseline = "middle"; g.textAlign = "left";
  if (ui.boxes) for (const [key, list] of groups) { const look = typeof key === "string" ? { color: key, dash: [], mark: "" } : LOOK[key]; strokeBoxes(g, list, look); drawTags(g, list, look); }
  p.placed = drawLabels(g, labels, a);
};
// What is pointed at or chosen, with its counterparts in the other panes, above everything.
const same = (p, j, of) => of && ((p.i === of[0] && j === of[1]) || (p.truth[j] >= 0 && p.truth[j] === panes[of[0]].truth[of[1]]));
const lift = (p) => {
  const dpr = devicePixelRatio || 1, a = placeOf(p);
  if (!ui.sel && !ui.hover && !p.lifted) return;
  sized(p.top, a.w, a.h, dpr);
  const g = p.top.getContext("2d"), labels = [];
  g.setTransform(1, 0, 0, 1, 0, 0); g.clearRect(0, 0, p.top.width, p.top.height); g.setTransform(dpr, 0, 0, dpr, 0, 0);
  g.font = FONT + (L.css("--font") || "sans-serif"); g.textBaseline = "middle";
  p.lifted = false;
  for (let j = 0; j < p.n; j++) {
    const chosen = same(p, j, ui.sel);
    if ((!chosen && !same(p, j, ui.hover)) || (!p.shown[j] && !(chosen && p.eff[j] === FOUND)) || !onPane(p.box.subarray(4 * j, 4 * j + 4), 0, a, spot)) continue;
    p.lifted = true;
    const c = color(p, j), s = p.eff[j];
    if (chosen) { g.lineWidth = 7; g.strokeStyle = "#2563eb"; g.strokeRect(...spot); g.lineWidth = 5; g.strokeStyle = "#fff"; g.strokeRect(...spot); }
    strokeBoxes(g, spot, { color: c === "#ffffff" && chosen ? "#111111" : c, dash: LOOK[s]?.dash || [] }, 2.5);
    if (p.shown[j]) labels.push({ text: label(p, j), color: c, x: spot[0], y: spot[1], w: spot[2], h: spot[3], always: true });
  }
  if (p.lifted && p.placed) stamp(g, p.placed); // a thick line must not cover what others are called
  drawLabels(g, labels, a);
};
