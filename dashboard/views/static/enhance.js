// Pictures beside their reference: panes in step, or two under a slider; maps of errors, all computed here. The files
// on pixels and on drawing come before this one, zoom and pan and what a person does after it.
const L = window.loupe, root = element.querySelector(".lp-enhance");
const ui = { k: 1, cx: 0, cy: 0, layout: "panes", split: 0.5, left: null, right: null, flip: false, flipTo: null, loupe: false, hist: false, plain: false };
Object.assign(ui, { mode: "picture", channel: "all", other: null, gain: 0, span: { low: 0, high: 1 } }); // of maps
Object.assign(ui, { by: "ssim", region: null, over: null, boxes: null }); // of the worst regions: [pane, its place in the list]
const T = (key, vars) => L.t(`ui.ev.${key}`, vars), text = (s) => (L.has(s) ? L.t(s) : String(s ?? ""));
const MOST = 64; // screen pixels a picture's pixel may become
let v = null, panes = [], stagePane = null, frame = 0, todo = {}, before = null, turn = 0;
root.classList.add("lp-compare"); // its looks
root.innerHTML = `<div class="bar"></div><div class="bar maps"></div><div class="stage"><div class="panes"></div></div><div class="worst"></div><span class="sr" aria-live="polite"></span>`;
const q = (s) => root.querySelector(s);

// ---- data ----
const load = () => {
  const old = v, was = panes, mine = ++turn;
  v = props.value && Array.isArray(props.value.panes) ? { border: 0, reduced: 1, ...props.value } : null;
  if (!v || v.error || !v.panes.length) {
    root.classList.add("empty"); was.forEach(release); panes = []; stagePane = null;
    for (const s of [".bar", ".bar.maps", ".worst", ".sr"]) q(s).innerHTML = "";
    q(".panes").style.gridTemplateColumns = "";
    q(".panes").innerHTML = `<p class="calm">${L.esc(v?.error ? text(v.error) : T("empty"))}</p>`;
    return;
  }
  root.classList.remove("empty");
  v.reference ??= null;
  const fresh = !old || old.key !== v.key || old.width !== v.width || old.height !== v.height;
  panes = v.panes.slice(0, 6).map((p, i) => ({ ...p, i }));
  if (fresh) { fit(); ui.region = before = null; }
  ui.flip = false; ui.over = null;
  // what a person chose stays chosen, by name
  const kept = (i) => { const title = was[i]?.title, k = panes.findIndex((p) => p.image && p.title === title); return k < 0 ? null : k; };
  const models = panes.filter((p) => p.role === "model" && p.image), best = models.find((p) => p.best?.includes("psnr")) ?? models[0] ?? panes[panes.length - 1];
  ui.left = kept(ui.left) ?? panes.find((p) => p.role === "input" && p.image)?.i ?? 0;
  ui.right = kept(ui.right) ?? (best.i === ui.left ? panes.length - 1 : best.i);
  ui.other = models.some((p) => p.i === kept(ui.other)) ? kept(ui.other) : best.i;
  ui.flipTo = v.reference ?? panes.find((p) => p.role === "input" && p.image)?.i ?? null;
  if (!modes().includes(ui.mode)) { ui.mode = "picture"; ui.gain = 0; }
  if (!regionAt(ui.region)) ui.region = null;
  if (!panes.some((p) => p.regions?.[ui.by]?.length)) ui.by = panes.some((p) => p.regions?.squared?.length) ? "squared" : "ssim";
  for (const p of panes) adopt(p, was);
  was.forEach(release);
  build(); controls();
  for (const p of panes) {
    if (p.image && !p.bitmap) decodePng(p.image).then((d) => arrived(p, d, mine), () => { if (mine === turn) { p.error = "ui.ev.broken"; p.image = null; build(); controls(); } });
    if (p.maps?.ssim && !p.ssim) decodePng(p.maps.ssim).then((d) => { if (mine === turn) { p.ssim = d.bitmap; later("maps"); } else d.bitmap.close(); }, () => {}); // the pane then says that it has no such map
  }
};
const arrived = (p, d, mine) => {
  if (mine !== turn) { d.bitmap.close(); return; }
  Object.assign(p, { bitmap: d.bitmap, alpha: d.alpha, data: d.data ?? undefined, url: URL.createObjectURL(d.blob) });
  const link = q(`[data-pane="${p.i}"] .save`);
  if (link) { link.href = p.url; link.hidden = false; }
  later("maps"); later("hist");
};
// The same picture again: what was decoded is taken over.
const adopt = (p, was) => {
  const o = was.find((o) => o.bitmap && o.image === p.image && !o.taken);
  if (!o) return;
  o.taken = true;
  for (const k of ["bitmap", "alpha", "data", "url", "bins"]) p[k] = o[k];
  if (o.maps?.ssim === p.maps?.ssim) { p.ssim = o.ssim; p.local = o.local; }
};
const release = (p) => { p.sprite?.close(); if (p.taken) return; p.bitmap?.close(); p.ssim?.close(); if (p.url) URL.revokeObjectURL(p.url); };
const isModel = (p) => p.role === "model";
const modes = () => {
  const models = panes.filter((p) => isModel(p) && p.image), found = ["picture"];
  if (models.some((p) => p.maps?.ssim)) found.push("ssim");
  if (models.length && v.reference !== null) found.push("absolute", "squared");
  if (models.length > 1) found.push("difference");
  return found;
};
const regionAt = (at) => (at ? panes[at[0]]?.regions?.[ui.by]?.[at[1]] : undefined);
const boxed = () => ui.boxes ?? ui.mode !== "picture"; // unless chosen, they do not lie on pictures
const number = (name, x) => (x === null || x === undefined ? L.t("ui.na") : x === "inf" ? T("infinite") : name.startsWith("psnr") ? `${Number(x).toFixed(2)} dB` : Number(x).toFixed(4));
const plainNumber = (x) => (x === null || x === undefined ? L.t("ui.na") : String(+Number(x).toPrecision(3)));
const regionNumber = (x) => (ui.by === "ssim" ? Number(x).toFixed(3) : String(+Number(x).toPrecision(3)));
const nameOf = (i) => text(panes[i]?.title);
const markOf = (p) => { const k = p.mark ?? panes.filter(isModel).indexOf(p); return k < 0 ? "" : `${L.mark(k)} `; }; // a run's own mark, else by its place

// ---- what is around the pictures ----
const numbersOf = (p) => {
  const best = (n) => (p.best?.includes(n) ? `<em title="${L.esc(L.t("ui.best"))}">☆</em>` : "");
  const one = (n, said, more) => `<span data-number="${L.esc(n)}"${more ? ` class="best"` : ""}>${L.esc(L.short(n))}${L.info(n)} <b>${L.esc(said)}</b>${more}</span>`;
  const referred = Object.entries(p.numbers || {}).map(([n, x]) => one(n, number(n, x), best(n))), plain = Object.entries(p.plain || {}).map(([n, x]) => one(n, plainNumber(x), ""));
  const pairs = (all) => all.map((x, k) => (k % 2 ? "" : `<div class="two">${x}${all[k + 1] ?? ""}</div>`)).join("");
  return (referred.length ? `<div class="nums">${pairs(referred)}</div>` : "") + (plain.length && (ui.plain || v.reference === null || v.reference === undefined) ? `<div class="nums plain"><small>${L.esc(T("plain"))}</small>${pairs(plain)}</div>` : "");
};
const head = (p) => {
  const stages = p.stages ? `<small class="ms">${["pre", "fwd", "post"].map((s, n) => `${L.esc(L.t(`ui.cmp.stage.${s}`))} ${Number(p.stages[n]).toFixed(1)}`).join(" · ")} ms</small>` : "";
  const save = p.image ? `<a class="save" href="${L.esc(p.url ?? "")}" download="${L.esc(fileName(p))}"${p.url ? "" : " hidden"} title="${L.esc(T(p.full ? "save.smaller" : "save", { size: p.size.join(" × ") }))}" aria-label="${L.esc(`${T("save")}: ${text(p.title)}`)}">⤓</a>` : "";
  const note = p.note ? `<small>${L.esc(text(p.note))}${p.stages ? L.info("latency") : ""}</small>` : "";
  return `<header><b title="${L.esc(text(p.title))}">${markOf(p)}${L.esc(text(p.title))}</b>${p.image ? `<small>${(p.full ?? p.size).join(" × ")}</small>` : ""}${note}${stages}${save}${numbersOf(p)}</header>`;
};
const safe = (s) => s.replace(/[^\p{L}\p{N}.-]+/gu, "_").replace(/^_+|_+$/g, "");
const fileName = (p) => `${safe(text(v.title).replace(/\.\w+$/, "")) || "picture"}_${safe(text(p.title))}.png`;
const viewOf = (slider) => `<div class="view"><canvas class="ground" tabindex="0" role="img"></canvas><canvas class="over" aria-hidden="true"></canvas><span class="tag" hidden></span>${slider ? `<div class="knob" role="slider" tabindex="0" aria-label="${L.esc(T("slider"))}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="50"><i></i></div><span class="side l"></span><span class="side r"></span>` : `<i class="ch" hidden></i><i class="cv" hidden></i>`}<div class="read" hidden></div></div>`;
const build = () => {
  const focus = root.contains(document.activeElement) ? document.activeElement.closest?.("[data-pane]") : null, on = focus?.dataset.pane, what = ["select", ".knob", ".save", "canvas.ground"].find((s) => document.activeElement.matches(s)), side = document.activeElement?.dataset?.side;
  const slider = ui.layout === "slider" && panes.filter((p) => p.image).length > 1;
  q(".panes").innerHTML = slider
    ? `<section data-pane="stage"><header>${["left", "right"].map((s) => `<label>${L.esc(T(s))} <select data-side="${s}">${options(ui[s])}</select></label>`).join("")}</header>${viewOf(true)}</section>`
    : panes.map((p) => `<section data-pane="${p.i}">${head(p)}${p.error || !p.image ? `<div class="view"><p class="calm">${L.esc(text(p.error || "ui.gallery.gone"))}</p></div>` : viewOf(false)}<canvas class="hist" role="img" aria-label="${L.esc(L.name("histogram"))}: ${L.esc(text(p.title))}"${ui.hist ? "" : " hidden"}></canvas></section>`).join("");
  const grab = (p, at) => Object.assign(p, { view: at?.querySelector(".view"), canvas: at?.querySelector(".ground"), top: at?.querySelector(".over"), reader: at?.querySelector(".read"), tag: at?.querySelector(".tag"), hist: at?.querySelector(".hist"), knob: at?.querySelector(".knob"), lines: [at?.querySelector(".ch"), at?.querySelector(".cv")] });
  stagePane = slider ? grab({ i: "stage" }, q('[data-pane="stage"]')) : null;
  for (const p of panes) grab(p, slider ? null : q(`[data-pane="${p.i}"]`));
  q(".stage").style.setProperty("--ratio", Math.max(0.66, Math.min(2.2, v.width / v.height)));
  sides(); arrange(); zoomed();
  if (on !== undefined) q(`[data-pane="${on}"] ${side ? `[data-side="${side}"]` : what ?? "canvas.ground"}`)?.focus({ preventScroll: true });
  pointed = [null]; later("maps"); later("hist");
};
const options = (on) => panes.filter((p) => p.image).map((p) => `<option value="${p.i}"${p.i === on ? " selected" : ""}>${L.esc(text(p.title))}</option>`).join("");
// What lies left and right of the divider, with its numbers.
const sides = () => {
  for (const p of drawn()) p.canvas.setAttribute("aria-label", `${text(v.title)}, ${p === stagePane ? `${nameOf(ui.left)} | ${nameOf(ui.right)}` : text(p.title)}. ${T("keys")}`);
  if (!stagePane) return;
  bothSides().forEach((p, k) => {
    const said = ["psnr", "ssim"].filter((n) => p.numbers?.[n] !== undefined).map((n) => ` <small>${L.esc(L.short(n))}</small> <b>${L.esc(number(n, p.numbers[n]))}</b>`).join("");
    stagePane.view.querySelector(k ? ".side.r" : ".side.l").innerHTML = `<b>${markOf(p)}${L.esc(text(p.title))}</b>${said}${mappedOf(p) ? `<small> · ${L.esc(T(`mode.${ui.mode}`))}</small>` : ""}`;
  });
};
// The panes that there are canvases for.
const drawn = () => (stagePane ? [stagePane] : panes.filter((p) => p.canvas));
// As many columns as show the picture largest, with all rows on one screen; a hole in the last row is a loss.
const arrange = () => {
  const n = stagePane ? 1 : panes.length, width = root.clientWidth, rows = (c) => Math.ceil(n / c), tall = (c) => (rows(c) === 1 ? 0.66 : 0.76 / rows(c));
  const size = (c) => Math.min((width - 8 * (c - 1)) / c / v.width, (tall(c) * innerHeight) / v.height) * (n % c ? 0.8 : 1);
  let columns = 1;
  if (width >= 620) for (let c = 2; c <= n; c++) if (width / c >= 230 && size(c) > size(columns)) columns = c;
  q(".panes").style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  q(".stage").style.setProperty("--tall", `${100 * (columns > 1 ? tall(columns) : 0.66)}vh`);
};
const button = (set, on, label, more = "") => `<button type="button" data-${set} aria-pressed="${on}"${more}>${L.esc(label)}</button>`;
const group = (label, buttons, more = "") => `<span class="seg${more}" role="group" aria-label="${L.esc(label)}">${buttons.join("")}</span>`;
const controls = () => {
  const on = document.activeElement?.closest?.(".bar, .worst") && root.contains(document.activeElement) ? Object.entries(document.activeElement.dataset)[0] : null; // the keyboard stays where it is
  const found = modes(), several = panes.filter((p) => p.image).length > 1, both = panes.some((p) => Object.keys(p.numbers || {}).length && p.plain);
  const zoomButton = (name, label, shown) => `<button type="button" data-zoom="${name}" title="${L.esc(label)}" aria-label="${L.esc(label)}">${shown}</button>`;
  q(".bar").innerHTML = `<b class="name" title="${L.esc(text(v.title))}">${L.esc(text(v.title))}</b>${v.reduced > 1 ? `<small class="reduced">${L.esc(T("reduced", { n: v.reduced }))}</small>` : ""}` +
    (several ? group(T("layout"), ["panes", "slider"].map((s) => button(`layout="${s}"`, !!stagePane === (s === "slider"), T(s === "slider" ? "slider.short" : s)))) : "") +
    (found.length > 1 ? group(T("show"), found.map((m) => button(`mode="${m}"`, ui.mode === m, T(`mode.${m}`)))) : "") +
    group(T("tools"), [button("loupe", ui.loupe, T("loupe")), stagePane ? "" : button("hist", ui.hist, T("hist")), both && !stagePane ? button("plain", ui.plain, T("plain.short"), ` title="${L.esc(T("plain.how"))}"`) : "", several && ui.flipTo !== null ? button("flip", ui.flip, T("flip"), ` title="${L.esc(T("flip.how"))}"`) : ""]) +
    group(L.t("ui.cmp.zoom"), [zoomButton("out", L.t("ui.cmp.zoom.out"), "−"), zoomButton("fit", L.t("ui.cmp.zoom.fit"), ""), zoomButton("one", T("one"), "1:1"), zoomButton("in", L.t("ui.cmp.zoom.in"), "+")], " zoom");
  mapBar(); worst(); zoomed();
  if (on) q(`[data-${on[0]}="${CSS.escape(on[1])}"]`)?.focus({ preventScroll: true });
};
// The line under the bar: how maps are to be read; with pictures, what can be done. It is always there, so nothing jumps.
const mapBar = () => {
  const models = panes.filter((p) => isModel(p) && p.image), channels = CHANNELS.filter((c) => c !== "y" || ui.mode !== "ssim"), line = q(".bar.maps");
  if (!channels.includes(ui.channel)) ui.channel = "all";
  if (ui.mode === "picture") { line.innerHTML = `<span class="hint">${L.esc(T("hint"))}</span>${ui.hist && !stagePane ? `<span class="hint">${L.esc(L.name("histogram"))}${L.info("histogram")}</span>` : ""}${v.border > 0 ? `<span class="hint">${L.esc(T("border", { n: v.border }))}${L.info("border_crop")}</span>` : ""}`; return; }
  line.innerHTML = group(T("channel"), channels.map((c) => button(`channel="${c}"`, ui.channel === c, T(`channel.${c}`)))) +
    (ui.mode === "difference" ? `<label class="to">${L.esc(T("difference.to"))} <select data-other>${models.map((p) => `<option value="${p.i}"${p.i === ui.other ? " selected" : ""}>${L.esc(text(p.title))}</option>`).join("")}</select></label>` : "") +
    `<span class="legend"><b data-low></b><i style="background:${gradient()}"></i><b data-high></b><span>${L.esc(T(`unit.${ui.mode}${signed() ? ".signed" : ""}`))}</span>${L.info(`map_${ui.mode}`)}</span>` +
    `<label class="gain">${L.esc(T(ui.mode === "ssim" ? "downto" : "upto"))} <input type="range" data-gain min="-4" max="4" step="0.25" value="${ui.gain}"></label>${button("auto", ui.gain === 0, T("auto"), ` class="auto" title="${L.esc(T("auto.how"))}"`)}`;
  legend();
};
const spanNumber = (x) => (ui.mode === "ssim" ? x.toFixed(2) : String(+x.toPrecision(3)));
const legend = () => {
  const low = q("[data-low]"), high = q("[data-high]"), { low: a, high: b } = ui.span;
  if (!low) return;
  low.textContent = spanNumber(a).replace("-", "−"); high.textContent = `${signed() ? "+" : ""}${spanNumber(b)}`;
  q("[data-gain]").setAttribute("aria-valuetext", spanNumber(b)); q("[data-auto]").setAttribute("aria-pressed", ui.gain === 0);
};
const worst = () => {
  const lists = panes.filter((p) => p.regions?.[ui.by]?.length), kinds = ["ssim", "squared"].filter((b) => panes.some((p) => p.regions?.[b]?.length));
  const chip = (p, r, n) => `<button type="button" data-region="${p.i} ${n}" aria-pressed="${String(ui.region) === `${p.i},${n}`}" title="${L.esc(T("worst.go"))}" aria-label="${L.esc(T("worst.label", { model: text(p.title), n: n + 1, value: regionNumber(r.value) }))}"><b>${n + 1}</b> ${regionNumber(r.value)}</button>`;
  q(".worst").innerHTML = !kinds.length ? "" : `<div class="top"><span><b>${L.esc(T("worst"))}</b>${L.info("worst_regions")}</span>${group(T("worst.by"), kinds.map((b) => button(`by="${b}"`, ui.by === b, T(`by.${b}`))))}<label class="boxes"><input type="checkbox" data-boxes${boxed() ? " checked" : ""}> ${L.esc(T("boxes"))}</label></div>
    <div class="lists">${lists.map((p) => `<div class="row"><span title="${L.esc(text(p.title))}">${markOf(p)}${L.esc(text(p.title))}</span><div>${p.regions[ui.by].map((r, n) => chip(p, r, n)).join("")}</div></div>`).join("")}</div>`;
};
const pressed = () => {
  for (const set of ["mode", "channel", "by"]) for (const b of root.querySelectorAll(`button[data-${set}]`)) b.setAttribute("aria-pressed", b.dataset[set] === ui[set]);
  for (const s of ["loupe", "hist", "plain", "flip"]) q(`button[data-${s}]`)?.setAttribute("aria-pressed", ui[s]);
  for (const b of root.querySelectorAll("[data-region]")) b.setAttribute("aria-pressed", b.dataset.region === (ui.region || []).join(" "));
  const boxes = q("[data-boxes]");
  if (boxes) boxes.checked = boxed();
};

// ---- the shared view, and drawing at most once a frame ----
const lead = () => drawn()[0];
const moved = () => { zoomed(); later("main"); };
const zoomed = () => {
  const first = lead(), b = q('[data-zoom="fit"]');
  if (first && b) b.textContent = `${Math.round(100 * placeOf(first).s)} %`;
  for (const p of drawn()) p.canvas.style.touchAction = ui.k > 1 ? "none" : "pan-y";
};
const goTo = (r) => {
  const a = placeOf(lead());
  ui.k = Math.min(a.w / (3 * r.w), a.h / (3 * r.h)) / a.fits; ui.cx = r.x + r.w / 2; ui.cy = r.y + r.h / 2;
  settle();
};
const tags = () => {
  for (const p of drawn()) {
    const said = p === stagePane ? "" : ui.flip ? nameOf(ui.flipTo) : ui.mode !== "picture" && isModel(p) && p.bitmap && !p.values ? T(ui.mode === "difference" && p.i === ui.other ? "itself" : "unmapped") : "";
    p.tag.hidden = !said; p.tag.textContent = said;
  }
};
const later = (what) => { todo[what] = true; frame ||= requestAnimationFrame(draw); };
const draw = () => {
  const now = todo;
  frame = 0; todo = {};
  if (!v || !panes.length) return;
  if (now.maps) { if (ui.mode !== "picture") { ui.span = span(); legend(); } tags(); sides(); }
  if (now.hist && ui.hist && !stagePane) drawHistograms();
  if (now.maps || now.main) { if (stagePane) paintStage(); else drawn().forEach(paint); point(...pointed); }
};
