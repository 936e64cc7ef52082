// Pictures beside their reference: panes in step, or two under a slider; maps of errors, all computed here.
const L = window.loupe, root = element.querySelector(".lp-enhance");
const ui = { k: 1, cx: 0, cy: 0, layout: "panes", mode: "picture", channel: "all", other: null, gain: 0, loupe: false, hist: false, split: 0.5, left: null, right: null, by: "ssim", region: null, boxes: false, flip: false, flipTo: null, span: { low: 0, high: 1 } };
const T = (key, vars) => L.t(`ui.ev.${key}`, vars), text = (s) => (L.has(s) ? L.t(s) : String(s ?? ""));
const MOST = 64; // screen pixels a picture's pixel may become
let v = null, panes = [], stagePane = null, frame = 0, todo = {}, before = null, load_ = 0;
root.classList.add("lp-compare");
root.innerHTML = `<div class="bar"></div><div class="bar maps"></div><div class="stage"><div class="panes"></div></div><div class="worst"></div><span class="sr" aria-live="polite"></span>`;
const q = (s) => root.querySelector(s);

// ---- data ----
const load = () => {
  const old = v, turn = ++load_;
  v = props.value && Array.isArray(props.value.panes) ? props.value : null;
  if (!v || v.error || !v.panes.length) {
    root.classList.add("empty"); panes = []; stagePane = null;
    for (const s of [".bar", ".bar.maps", ".worst"]) q(s).innerHTML = "";
    q(".panes").style.gridTemplateColumns = "";
    q(".panes").innerHTML = `<p class="calm">${L.esc(v?.error ? text(v.error) : T("empty"))}</p>`;
    return;
  }
  root.classList.remove("empty");
  v.border ??= 0; v.reduced ??= 1;
  const fresh = !old || old.key !== v.key || old.width !== v.width || old.height !== v.height;
  panes = v.panes.slice(0, 6).map((p, i) => ({ ...p, i }));
  if (fresh) { fit(); ui.region = null; before = null; }
  ui.flip = false;
  const models = panes.filter((p) => p.role === "model" && p.image), titles = (i) => old?.panes?.[i]?.title, kept = (i) => { const k = panes.findIndex((p) => p.image && p.title === titles(i)); return k < 0 ? null : k; };
  // the best model, else the last: what the others are measured against
  const best = models.find((p) => p.best?.includes("psnr")) || models[models.length - 1] || panes[panes.length - 1];
  ui.left = kept(ui.left) ?? panes.find((p) => p.role === "input" && p.image)?.i ?? panes[0].i;
  ui.right = kept(ui.right) ?? best.i;
  ui.other = kept(ui.other) ?? best.i;
  ui.flipTo = v.reference ?? panes.find((p) => p.role === "input")?.i ?? null;
  if (!modes().includes(ui.mode)) ui.mode = "picture";
  if (ui.region && !panes[ui.region[0]]?.regions?.[ui.by]?.[ui.region[1]]) ui.region = null;
  build(); controls();
  for (const p of panes) {
    if (!p.image) continue;
    decodePng(p.image).then((b) => { if (turn === load_) { p.bitmap = b; p.alpha = hasAlpha(p.image); later("span"); later("hist"); } }).catch(() => { if (turn === load_) { p.error = T("broken"); build(); } });
    if (p.maps?.ssim) decodePng(p.maps.ssim).then((b) => { if (turn === load_) { p.ssim = b; p.valuesKey = null; later("span"); } }).catch(() => {});
  }
};
// The colour type of a PNG is its 26th byte: 4 and 6 have alpha.
const hasAlpha = (uri) => { const at = uri.indexOf(",") + 1, head = atob(uri.slice(at, at + 48)); return [4, 6].includes(head.charCodeAt(25)); };
const modes = () => {
  const models = panes.filter((p) => p.role === "model" && p.image), found = ["picture"];
  if (models.some((p) => p.maps?.ssim)) found.push("ssim");
  if (v.reference !== null && v.reference !== undefined) found.push("absolute", "squared");
  if (models.length > 1) found.push("difference");
  return found;
};
const number = (name, x) => (x === null || x === undefined ? L.t("ui.na") : x === "inf" ? T("infinite") : name.startsWith("psnr") ? `${Number(x).toFixed(2)} dB` : Number(x).toFixed(4));
const plainNumber = (x) => (x === null ? L.t("ui.na") : String(+Number(x).toPrecision(3)));

// ---- what is around the pictures ----
const head = (p) => {
  const k = panes.filter((o) => o.role === "model").indexOf(p), sign = k < 0 ? "" : `<i style="color:${L.colors[k % 4]}">${L.marks[k % 4]}</i> `;
  const stages = p.stages ? ` title="${["pre", "fwd", "post"].map((s, n) => `${L.esc(L.t(`ui.cmp.stage.${s}`))} ${Number(p.stages[n]).toFixed(1)} ms`).join(" · ")}"` : "";
  const nums = Object.entries(p.numbers || {}).map(([n, x]) => `<span data-number="${L.esc(n)}"${p.best?.includes(n) ? ` class="best"` : ""}>${L.esc(n === "psnr_y" ? "Y" : n === "ssim_y" ? "" : L.short(n))} <b title="${L.esc(L.name(n))}">${L.esc(number(n, x))}</b>${p.best?.includes(n) ? `<em title="${L.esc(L.t("ui.best"))}">★</em>` : ""}</span>`).join("");
  const plain = p.plain && !nums ? `<span class="without">${L.esc(T("plain"))}</span>` + Object.entries(p.plain).map(([n, x]) => `<span data-number="${L.esc(n)}">${L.esc(L.short(n))}${L.info(n)} <b>${L.esc(plainNumber(x))}</b></span>`).join("") : "";
  const save = p.image ? `<a class="save" href="${L.esc(p.image)}" download="${L.esc(fileName(p))}" title="${L.esc(T("save"))}" aria-label="${L.esc(`${T("save")}: ${text(p.title)}`)}">⤓</a>` : "";
  const size = p.image ? `<small>${p.size[0]} × ${p.size[1]}${v.reduced > 1 ? ` · ${L.esc(T("reduced", { n: v.reduced }))}` : ""}</small>` : "";
  return `<header><b title="${L.esc(text(p.title))}">${sign}${L.esc(text(p.title))}</b>${size}${p.note ? `<small${stages}>${L.esc(p.note)}</small>` : ""}${save}<div class="nums">${nums || plain}</div></header>`;
};
const fileName = (p) => `${String(v.title || "picture").replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "_")}_${text(p.title).replace(/[^\w.-]+/g, "_")}.png`;
const view = (i, slider) => `<div class="view"><canvas class="ground" tabindex="0" role="img"></canvas><canvas class="over" aria-hidden="true"></canvas>${slider ? `<div class="knob" role="slider" tabindex="0" aria-label="${L.esc(T("slider"))}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="50"><i></i></div><span class="side l"></span><span class="side r"></span>` : `<i class="ch" hidden></i><i class="cv" hidden></i>`}<div class="read" hidden></div></div>`;
const build = () => {
  const focus = root.contains(document.activeElement) ? document.activeElement.closest?.("[data-pane]")?.dataset.pane : undefined;
  const slider = ui.layout === "slider";
  q(".panes").innerHTML = slider
    ? `<section data-pane="stage"><header><label>${L.esc(T("left"))} <select data-side="left">${options(ui.left)}</select></label><label>${L.esc(T("right"))} <select data-side="right">${options(ui.right)}</select></label></header>${view("stage", true)}</section>`
    : panes.map((p) => `<section data-pane="${p.i}">${head(p)}${p.error || !p.image ? `<div class="view"><p class="calm">${L.esc(text(p.error || "ui.gallery.gone"))}</p></div>` : view(p.i, false)}<canvas class="hist" aria-hidden="true"${ui.hist && p.image ? "" : " hidden"}></canvas></section>`).join("");
  const grab = (p, at) => { p.view = at.querySelector(".view"); p.canvas = at.querySelector(".ground"); p.top = at.querySelector(".over"); p.reader = at.querySelector(".read"); p.lines = [at.querySelector(".ch"), at.querySelector(".cv")]; p.hist = at.querySelector(".hist"); p.knob = at.querySelector(".knob"); return p; };
  stagePane = slider ? grab({ i: "stage", role: "stage" }, q('[data-pane="stage"]')) : null;
  if (!slider) for (const p of panes) grab(p, q(`[data-pane="${p.i}"]`));
  q(".stage").style.setProperty("--ratio", Math.max(0.66, Math.min(2.2, v.width / v.height)));
  for (const p of drawn()) p.canvas.setAttribute("aria-label", `${text(v.title)}, ${p === stagePane ? `${name(ui.left)} | ${name(ui.right)}` : text(p.title)}. ${T("keys")}`);
  sides(); arrange();
  if (focus !== undefined) q(`[data-pane="${focus}"] canvas.ground`)?.focus({ preventScroll: true });
  later("span"); if (ui.hist) later("hist");
};
const name = (i) => text(panes[i]?.title);
const options = (on) => panes.filter((p) => p.image).map((p) => `<option value="${p.i}"${p.i === on ? " selected" : ""}>${L.esc(text(p.title))}</option>`).join("");
const sides = () => {
  if (!stagePane) return;
  for (const [s, i] of [["l", ui.left], ["r", ui.right]]) {
    const p = panes[i], x = p?.numbers?.psnr;
    stagePane.view.querySelector(`.side.${s}`).innerHTML = `${L.esc(name(i))}${x === undefined ? "" : ` <b>${L.esc(number("psnr", x))}</b>`}`;
  }
};
// All panes that there are canvases for.
const drawn = () => (stagePane ? [stagePane] : panes.filter((p) => p.canvas));
const arrange = () => {
  const n = stagePane ? 1 : panes.length, width = root.clientWidth;
  const size = (columns) => Math.min((width - 8 * (columns - 1)) / columns / v.width, ((columns < n ? 0.42 : 0.66) * innerHeight) / v.height);
  let columns = 1;
  if (width >= 620) for (let c = 2; c <= Math.min(n, 4); c++) if (width / c >= 230 && (Math.ceil(n / c) < Math.ceil(n / columns) || size(c) > size(columns)) && (size(c) > 0.72 * size(columns) || Math.ceil(n / columns) > 2)) columns = c;
  if (n > 3 && columns > 3 && n > 4) columns = 3; // five or six: two rows
  q(".panes").style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  q(".stage").dataset.columns = columns; q(".stage").dataset.rows = columns > 1 ? Math.ceil(n / columns) : 1;
};
const button = (set, on, label, more = "") => `<button type="button" data-${set} aria-pressed="${on}"${more}>${L.esc(label)}</button>`;
const controls = () => {
  const found = modes(), can = panes.filter((p) => p.image).length > 1, listed = panes.some((p) => p.regions?.ssim?.length || p.regions?.squared?.length);
  q(".bar").innerHTML = `<b class="name" title="${L.esc(text(v.title))}">${L.esc(text(v.title))}</b>
    ${can ? `<span class="seg" role="group" aria-label="${L.esc(T("layout"))}">${button(`layout="panes"`, ui.layout === "panes", T("panes"))}${button(`layout="slider"`, ui.layout === "slider", T("slider.short"))}</span>` : ""}
    ${found.length > 1 ? `<span class="seg" role="group" aria-label="${L.esc(T("show"))}">${found.map((m) => button(`mode="${m}"`, ui.mode === m, T(`mode.${m}`))).join("")}</span>` : ""}
    <span class="seg" role="group" aria-label="${L.esc(T("tools"))}">${button("loupe", ui.loupe, T("loupe"))}${ui.layout === "panes" ? button("hist", ui.hist, T("hist")) : ""}${ui.flipTo !== null ? button("flip", ui.flip, T("flip"), ` title="${L.esc(T("flip.how"))}"`) : ""}</span>
    <span class="seg zoom" role="group" aria-label="${L.esc(L.t("ui.cmp.zoom"))}"><button type="button" data-zoom="out" aria-label="${L.esc(L.t("ui.cmp.zoom.out"))}">−</button><button type="button" data-zoom="fit" title="${L.esc(L.t("ui.cmp.zoom.fit"))}" aria-label="${L.esc(L.t("ui.cmp.zoom.fit"))}"></button><button type="button" data-zoom="one" title="${L.esc(T("one"))}" aria-label="${L.esc(T("one"))}">1:1</button><button type="button" data-zoom="in" aria-label="${L.esc(L.t("ui.cmp.zoom.in"))}">+</button></span>`;
  mapBar(); worst(); zoomed();
};
const mapBar = () => {
  const on = ui.mode !== "picture", models = panes.filter((p) => p.role === "model" && p.image), channels = CHANNELS.filter((c) => c !== "y" || ui.mode !== "ssim");
  if (!channels.includes(ui.channel)) ui.channel = "all";
  q(".bar.maps").hidden = !on;
  if (!on) { q(".bar.maps").innerHTML = ""; return; }
  q(".bar.maps").innerHTML = `<span class="seg" role="group" aria-label="${L.esc(T("channel"))}">${channels.map((c) => button(`channel="${c}"`, ui.channel === c, T(`channel.${c}`))).join("")}</span>
    ${ui.mode === "difference" ? `<label class="to">${L.esc(T("difference.to"))} <select data-other>${models.map((p) => `<option value="${p.i}"${p.i === ui.other ? " selected" : ""}>${L.esc(text(p.title))}</option>`).join("")}</select></label>` : ""}
    <span class="legend"><b data-low></b><i style="background:${css(signed() ? "two" : "one")}"></i><b data-high></b><span>${L.esc(T(`unit.${ui.mode}${signed() ? ".signed" : ""}`))}</span>${L.info(`map_${ui.mode}`)}</span>
    <label class="gain">${L.esc(T("gain"))} <input type="range" data-gain min="-4" max="4" step="0.25" value="${-ui.gain}" aria-label="${L.esc(T("gain"))}"></label>`;
  legend();
};
const legend = () => {
  const say = (x) => (ui.mode === "ssim" ? x.toFixed(2) : String(+x.toPrecision(3)));
  const low = q("[data-low]"), high = q("[data-high]");
  if (low) { low.textContent = say(ui.span.low); high.textContent = `${signed() && ui.span.high > 0 ? "+" : ""}${say(ui.span.high)}`; }
};
const worst = () => {
  const lists = panes.filter((p) => p.regions?.[ui.by]?.length);
  const any = panes.some((p) => p.regions?.ssim?.length || p.regions?.squared?.length);
  q(".worst").innerHTML = !any ? "" : `<div class="top"><b>${L.esc(T("worst"))}</b>${L.info("worst_regions")}<span class="seg" role="group">${["ssim", "squared"].map((b) => button(`by="${b}"`, ui.by === b, T(`by.${b}`))).join("")}</span><label class="boxes"><input type="checkbox" data-boxes${ui.boxes ? " checked" : ""}> ${L.esc(T("boxes"))}</label></div>` +
    lists.map((p) => { const k = panes.filter((o) => o.role === "model").indexOf(p); return `<div class="row"><span><i style="color:${L.colors[k % 4]}">${L.marks[k % 4]}</i> ${L.esc(text(p.title))}</span>${p.regions[ui.by].map((r, n) => `<button type="button" data-region="${p.i} ${n}" aria-pressed="${String(ui.region) === `${p.i},${n}`}" title="${L.esc(T("worst.go"))}"><b>${n + 1}</b> ${ui.by === "ssim" ? r.value.toFixed(3) : Number(r.value.toPrecision(3))}</button>`).join("")}</div>`; }).join("");
};
const pressed = () => {
  for (const [set, value] of [["layout", ui.layout], ["mode", ui.mode], ["channel", ui.channel], ["by", ui.by]]) for (const b of root.querySelectorAll(`[data-${set}]`)) b.setAttribute("aria-pressed", b.dataset[set] === value);
  for (const s of ["loupe", "hist", "flip"]) q(`[data-${s}]`)?.setAttribute("aria-pressed", ui[s]);
  for (const b of root.querySelectorAll("[data-region]")) b.setAttribute("aria-pressed", b.dataset.region === (ui.region || []).join(" "));
};

// ---- one shared view: its middle in picture pixels, its zoom against a picture that just fits ----
const fit = () => { ui.k = 1; ui.cx = v.width / 2; ui.cy = v.height / 2; };
const placeOf = (p) => {
  const w = p.view.clientWidth, h = p.view.clientHeight, fits = Math.min(w / v.width, h / v.height) || 1, s = fits * ui.k;
  return { w, h, fits, s, x: w / 2 - ui.cx * s, y: h / 2 - ui.cy * s };
};
const settle = () => {
  const first = drawn()[0];
  if (!first) return;
  const { w, h, fits } = placeOf(first);
  ui.k = Math.max(1, Math.min(Math.max(1, MOST / fits), ui.k));
  const side = (c, size, room) => { const half = room / (2 * fits * ui.k); return 2 * half >= size ? size / 2 : Math.max(half, Math.min(size - half, c)); };
  ui.cx = side(ui.cx, v.width, w); ui.cy = side(ui.cy, v.height, h);
  zoomed(); later("main");
};
const zoomed = () => {
  const first = drawn()[0], b = q('[data-zoom="fit"]');
  if (first && b) b.textContent = `${Math.round(100 * placeOf(first).s)} %`;
};
const zoom = (factor, p = drawn()[0], x, y) => {
  if (!p) return;
  const a = placeOf(p), px = x ?? a.w / 2, py = y ?? a.h / 2, u = (px - a.x) / a.s, w = (py - a.y) / a.s, was = ui.k;
  ui.k = Math.max(1, Math.min(Math.max(1, MOST / a.fits), ui.k * factor));
  const f = ui.k / was;
  ui.cx = u + (ui.cx - u) / f; ui.cy = w + (ui.cy - w) / f;
  settle();
};
const pan = (dx, dy, p) => { const a = placeOf(p); ui.cx -= dx / a.s; ui.cy -= dy / a.s; settle(); };
const goTo = (r) => {
  const first = drawn()[0], a = placeOf(first);
  ui.k = Math.max(1, Math.min(a.w / (3 * r.w), a.h / (3 * r.h)) / a.fits); ui.cx = r.x + r.w / 2; ui.cy = r.y + r.h / 2;
  settle();
};
const later = (what) => { todo[what] = true; if (!frame) frame = requestAnimationFrame(draw); };
const draw = () => {
  const now = todo; frame = 0; todo = {};
  if (!v || !panes.length) return;
  if (now.span) { if (ui.mode !== "picture") { ui.span = span(); legend(); } for (const p of panes) { const why = ui.mode !== "picture" && p.role === "model" && p.bitmap && !p.values ? T(ui.mode === "difference" && p.i === ui.other ? "itself" : "unmapped") : null; if (p.view) { if (why) p.view.dataset.unmapped = why; else delete p.view.dataset.unmapped; } }; }
  if (now.hist && ui.hist) drawHistograms();
  if (stagePane) paintStage(); else for (const p of drawn()) paint(p);
};
