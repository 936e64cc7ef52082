// A track player: a video with boxes and identities in up to four panes in step, and its story under it. The files on data
// and drawing come before this one; zoom and pan, playing, the time axis, lanes, the list and what a person does after it.
const L = window.loupe, root = element.querySelector(".lp-tracks");
const ui = { k: 1, cx: 0, cy: 0, frame: 0, shown: 0, playing: false, speed: 1, loop: false, span: null, a: 0, b: 1, focus: 0, sort: "first" };
Object.assign(ui, { truth: false, trails: true, labels: true, errors: false, tail: 25, t: 0, off: new Set(), sel: null, mark: null, kinds: new Set(KINDS) });
const T = (key, vars) => L.t(`ui.tv.${key}`, vars), text = (s) => (L.has(s) ? L.t(s) : String(s ?? ""));
const MOST = 48, STAGES = ["decode", "detect", "track"]; // MOST: screen pixels a picture's pixel may become
const tint = { stage: "#888", plain: "#777", font: "sans-serif" };
let v = null, panes = [], alone = null, frame = 0, todo = {};
root.classList.add("lp-compare", "lp-trk"); // the compare view's looks, and its own
root.innerHTML = `<div class="bar"></div><div class="classes" role="group"></div><div class="stage"><div class="panes"></div></div><div class="transport"></div>
  <div class="story"><div class="axis"><div class="top"></div><div class="plot"><canvas class="time" role="img"></canvas><i class="head" aria-hidden="true"></i></div>
  <div class="window"><div class="thumb"><i class="grip" data-grip="a" tabindex="0" role="slider"></i><i class="grip" data-grip="b" tabindex="0" role="slider"></i></div><i class="now"></i></div>
  <div class="top sorting"></div><div class="lanes"><canvas class="rows" aria-hidden="true"></canvas><div class="scroll" tabindex="0" role="img"><div class="tall"></div></div><i class="head" aria-hidden="true"></i></div>
  <i class="hover" hidden></i><div class="tip" hidden></div></div><aside class="list"></aside></div><span class="sr" aria-live="polite"></span>`;
const q = (s) => root.querySelector(s);

// ---- data ----
const load = () => {
  const old = v, was = panes;
  v = props.value && Array.isArray(props.value.panes) && (props.value.panes.length || props.value.truth) && props.value.frames > 0 ? { first: 1, ...props.value } : null;
  if (!v) {
    if (ui.playing) { ui.playing = false; film.video?.pause(); }
    openFilm(null); root.classList.add("empty"); panes = []; alone = null; ui.sel = ui.mark = null;
    for (const s of [".bar", ".classes", ".transport", ".list", ".sr", ".axis > .top", ".sorting"]) q(s).innerHTML = "";
    q(".panes").style.gridTemplateColumns = "";
    q(".panes").innerHTML = `<p class="calm">${L.esc(props.value?.error ? text(props.value.error) : T("empty"))}</p>`;
    for (const k of ["frame", "true", "ids", "playing"]) delete root.dataset[k];
    return;
  }
  root.classList.remove("empty");
  const fresh = !old || old.key !== v.key || old.frames !== v.frames;
  if (fresh && ui.playing) { ui.playing = false; ui.span = null; film.video?.pause(); }
  v.fps = v.fps || 25; v.t = typed(v.times, Float64Array); v.truthBoxes = readBoxes(v.truth);
  panes = v.panes.slice(0, 4).map((p, i) => readPane(p, i, v.frames));
  alone = panes.length ? null : truthPane(v.truthBoxes, v.frames, "ui.tv.truth");
  if (alone) panes = [alone];
  const used = new Set();
  for (const o of [v.truthBoxes, ...panes.map((p) => p.found)]) if (o) for (const c of o.cls) used.add(c);
  v.used = [...used].sort((a, b) => a - b);
  if (fresh) { fit(); Object.assign(ui, { frame: 0, shown: 0, a: 0, b: v.frames, sel: null, mark: null, span: null, t: 0 }); ui.off.clear(); }
  if ((v.only ?? null) !== (fresh ? null : old.only ?? null)) { ui.off.clear(); if (v.used.includes(v.only)) for (const c of v.used) if (c !== v.only) ui.off.add(c); } // a class was asked for
  if (ui.sel && ui.sel.true === undefined && !panes[ui.sel.pane]?.found) ui.sel = null;
  if (ui.mark && !(ui.mark.event < (panes[ui.mark.pane]?.inTime.length ?? 0) && panes[ui.mark.pane].title === was[ui.mark.pane]?.title)) ui.mark = null;
  const focused = panes.findIndex((p) => p.title === was[ui.focus]?.title), asked = fresh || old.focus !== v.focus ? v.focus : null;
  ui.focus = panes[asked] ? asked : focused < 0 ? 0 : focused;
  openFilm(v.video);
  look(); build(); controls();
  const m = v.mark && panes[v.mark.pane]?.events ? v.mark : null, wanted = fresh || String(old.seek) !== String(v.seek) ? v.seek : null;
  if (m && (fresh || JSON.stringify(old.mark) !== JSON.stringify(m))) choose(m.pane, m.event, false);
  else if (wanted !== null && wanted !== undefined) go(wanted);
  else if (fresh) seek(0);
  else later("main");
  later("story");
};
const look = () => {
  tint.dark = L.dark(); tint.on = tint.dark ? 2 : 1;
  Object.assign(tint, { stage: L.css("--background-fill-secondary") || "#888", plain: tint.dark ? "#2b2e38" : "#aab0bb", page: L.css("--block-background-fill") || "#fff", ink: L.css("--body-text-color") || "#222", soft: L.css("--body-text-color-subdued") || "#666", line: L.css("--border-color-primary") || "#ccc", accent: L.css("--color-accent-soft") || "#dbeafe", chosen: L.css("--primary-500") || "#2563eb", font: getComputedStyle(root).fontFamily || "sans-serif" });
};
const markOf = (p) => (alone ? "" : `${L.mark(p.mark ?? p.i)} `); // a run's own mark, else by its place
const focusPane = () => panes[ui.focus];

// ---- what is around the pictures ----
const STAGE_COLOURS = ["#56b4e9", "#e69f00", "#009e73"];
const gauge = (p) => {
  if (!p.stages && !p.fps) return "";
  const given = STAGES.map((s, k) => [s, Number(p.stages?.[s]), STAGE_COLOURS[k]]).filter(([s, ms]) => (p.stages?.[s] ?? null) !== null && ms >= 0), sum = given.reduce((all, [, ms]) => all + ms, 0) || 1;
  const said = given.map(([s, ms]) => `${T(`stage.${s}`)} ${ms.toFixed(1)} ms`).join(" · ");
  return `<span class="speed" title="${L.esc(said)}">${p.stages ? `<span class="gauge" role="img" aria-label="${L.esc(said)}">${given.map(([, ms, colour]) => `<i style="flex:${ms / sum};background:${colour}"></i>`).join("")}</span>` : ""}${p.fps ? `<b>${Number(p.fps).toFixed(p.fps < 10 ? 1 : 0)}</b> ${L.esc(T("fps"))}` : ""}</span>`;
};
const head = (p) => `<header><b title="${L.esc(text(p.title))}">${markOf(p)}${L.esc(text(p.title))}</b>${gauge(p)}<span class="count"></span></header>`;
const build = () => {
  const focus = root.contains(document.activeElement) ? document.activeElement.closest?.("[data-pane]")?.dataset.pane : undefined;
  q(".panes").innerHTML = panes.map((p) => `<section data-pane="${p.i}">${head(p)}<div class="view">${p.error ? `<p class="calm">${L.esc(text(p.error))}</p>` : `<canvas class="ground" tabindex="0" role="img"></canvas>`}</div></section>`).join("");
  for (const p of panes) { const at = q(`[data-pane="${p.i}"]`); Object.assign(p, { view: at.querySelector(".view"), canvas: at.querySelector(".ground"), counter: at.querySelector(".count") }); p.canvas?.setAttribute("aria-label", `${v.title ? `${text(v.title)}, ` : ""}${text(p.title)}. ${T("keys")}`); }
  q(".stage").style.setProperty("--ratio", Math.max(0.66, Math.min(2.4, v.width / v.height)));
  arrange();
  if (focus !== undefined) panes[focus]?.canvas?.focus({ preventScroll: true });
};
// As many columns as show the picture largest; the story under it should be in sight too. A narrow page stacks.
const arrange = () => {
  const n = panes.length, width = root.clientWidth, rows = (c) => Math.ceil(n / c), tall = (c) => (rows(c) === 1 ? 0.5 : 0.62 / rows(c));
  const size = (c) => Math.min((width - 8 * (c - 1)) / c / v.width, (tall(c) * innerHeight) / v.height) * (n % c ? 0.8 : 1);
  let columns = 1;
  if (width >= 620) for (let c = 2; c <= n; c++) if (width / c >= 230 && size(c) > size(columns)) columns = c;
  q(".panes").style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  q(".stage").style.setProperty("--tall", `${100 * (columns > 1 || n === 1 ? tall(columns) : 0.5)}vh`);
  root.classList.toggle("narrow", width < 620);
};
const press = (set, on, label, how = "") => `<button type="button" data-${set} aria-pressed="${on}"${how ? ` title="${L.esc(how)}"` : ""}>${L.esc(label)}</button>`;
const seg = (label, inner, more = "") => `<span class="seg${more}" role="group" aria-label="${L.esc(label)}">${inner}</span>`;
const icon = (d) => `<svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true"><path d="${d}" fill="currentColor"/></svg>`;
const ICONS = { play: "M3 1.5v11l9-5.5z", pause: "M3 1.5h3v11H3zM8 1.5h3v11H8z", back: "M10 2v10L4.5 7zM3 2h1.5v10H3z", on: "M4 2v10l5.500-5zM9.500 2H11v10H9.500z", before: "M7 1l3 6-3 6-3-6zM1.500 2H3v10H1.500z", after: "M7 1l3 6-3 6-3-6zM11 2h1.500v10H11z" };
const tool = (name, label, shape) => `<button type="button" data-do="${name}" title="${L.esc(label)}" aria-label="${L.esc(label)}">${icon(ICONS[shape])}</button>`;
const controls = () => {
  const here = document.activeElement, on = here?.closest?.(".bar, .transport, .classes") && root.contains(here) ? Object.entries(here.dataset)[0] : null;
  const scored = panes.some((p) => p.found?.score), judged = panes.some((p) => p.match), boxed = panes.some((p) => p.found) || !!alone;
  const zoomButton = (name, label, shown) => `<button type="button" data-zoom="${name}" title="${L.esc(label)}" aria-label="${L.esc(label)}">${shown}</button>`;
  q(".bar").innerHTML = (v.title ? `<b class="name" title="${L.esc(text(v.title))}">${L.esc(text(v.title))}</b>` : "") + (v.note ? `<small class="note">${L.esc(text(v.note))}</small>` : "") + (v.video ? `<small class="blindly" role="status">${L.esc(T("gone"))}</small>` : "") +
    (boxed ? seg(T("show"), press("flag=labels", ui.labels, T("labels"), T("labels.how")) + (v.truthBoxes && !alone ? press("flag=truth", ui.truth, T("truth"), T("truth.how")) : "") + (judged ? press("flag=errors", ui.errors, T("errors"), T("errors.how")) : "") + press("flag=trails", ui.trails, T("trails"), T("trails.how"))) +
      `<label class="tail">${L.esc(T("tail"))} <input type="range" data-tail min="5" max="150" step="5" value="${ui.tail}" aria-label="${L.esc(T("tail.long"))}"${ui.trails ? "" : " disabled"}><b>${ui.tail}</b></label>` : "") +
    (scored ? `<label class="tail score" title="${L.esc(T("score.how"))}">${L.esc(T("score"))} ≥ <input type="range" data-score min="0" max="1" step="0.01" value="${ui.t}" aria-label="${L.esc(T("score.how"))}"><b>${ui.t.toFixed(2)}</b></label>` : "") +
    (boxed ? `<label class="find">${L.esc(T("find"))} <input type="text" data-find size="5" inputmode="numeric" autocomplete="off" title="${L.esc(T("find.how"))}" value="${ui.sel ? (ui.sel.true ?? `p${ui.sel.id}`) : ""}"></label><button type="button" class="free" data-do="free" title="${L.esc(T("free.how"))}"${ui.sel ? "" : " hidden"}>${L.esc(T("free"))}</button>` : "") +
    seg(L.t("ui.cmp.zoom"), zoomButton("out", L.t("ui.cmp.zoom.out"), "−") + zoomButton("fit", L.t("ui.cmp.zoom.fit"), "") + zoomButton("in", L.t("ui.cmp.zoom.in"), "+"), " zoom");
  const names = v.class_names || [], list = v.used;
  q(".classes").setAttribute("aria-label", L.t("ui.cmp.classes"));
  q(".classes").innerHTML = list.length > 1 ? list.map((c) => press(`class="${c}"`, !ui.off.has(c), names[c] ?? `#${c}`)).join("") + `<button type="button" class="all" data-all${ui.off.size ? "" : " hidden"}>${L.esc(L.t("ui.cmp.classes.all"))}</button>` : "";
  const marks = panes.some((p) => p.inTime.length);
  q(".transport").innerHTML = `<span class="tools" role="group" aria-label="${L.esc(T("player"))}">${marks ? tool("before", T("mark.before"), "before") : ""}${tool("back", T("step.back"), "back")}<button type="button" class="main" data-do="play"></button>${tool("on", T("step.on"), "on")}${marks ? tool("after", T("mark.after"), "after") : ""}</span>
    <input type="range" class="scrub" data-scrub min="0" max="${v.frames - 1}" step="1" value="${ui.frame}" aria-label="${L.esc(T("scrub"))}">
    <label class="at">${L.esc(T("frame"))} <input type="number" data-goto min="${v.first}" max="${v.first + v.frames - 1}" value="${v.first + ui.frame}" aria-label="${L.esc(T("goto"))}"> <span>/ ${v.first + v.frames - 1}</span></label><span class="clock"></span>
    <label class="rate">${L.esc(T("speed"))} <select data-speed>${[0.25, 0.5, 1, 2, 4].map((s) => `<option value="${s}"${s === ui.speed ? " selected" : ""}>${s}×</option>`).join("")}</select></label>
    <button type="button" class="loop" data-do="loop" aria-pressed="${ui.loop}" title="${L.esc(T("loop.how"))}">${L.esc(T("loop"))}</button>`;
  zoomed(); transportLook(); position();
  if (on) q(`[data-${on[0]}="${CSS.escape(on[1])}"]`)?.focus({ preventScroll: true });
};
const transportLook = () => {
  const b = q('[data-do="play"]');
  if (!b) return;
  b.innerHTML = icon(ICONS[ui.playing ? "pause" : "play"]); b.title = T(ui.playing ? "pause" : "play"); b.setAttribute("aria-label", b.title);
  root.dataset.playing = ui.playing;
};
const pressed = () => {
  for (const b of root.querySelectorAll("[data-flag]")) b.setAttribute("aria-pressed", ui[b.dataset.flag]);
  for (const b of root.querySelectorAll("[data-class]")) b.setAttribute("aria-pressed", !ui.off.has(+b.dataset.class));
  const tail = q("[data-tail]"), all = q("[data-all]"), free = q('[data-do="free"]'), find = q("[data-find]");
  if (tail) tail.disabled = !ui.trails;
  if (all) all.hidden = !ui.off.size;
  if (free) free.hidden = !ui.sel;
  if (find && document.activeElement !== find) find.value = ui.sel ? (ui.sel.true ?? `p${ui.sel.id}`) : "";
  q('[data-do="loop"]')?.setAttribute("aria-pressed", ui.loop);
};
// Where one is: the slider, the numbers, the line through time. Cheap, done at each frame.
const position = () => {
  const s = q("[data-scrub]"), n = q("[data-goto]"), shown = v.first + ui.frame;
  if (!s) return;
  s.value = ui.frame; s.setAttribute("aria-valuetext", T("at", { n: shown, all: v.first + v.frames - 1 }));
  if (document.activeElement !== n) n.value = shown;
  q(".clock").textContent = `${clock(timeOf(ui.frame) - timeOf(0))} / ${clock(timeOf(v.frames - 1) + lasts(v.frames - 1) - timeOf(0))}`;
  playhead();
};
// The numbers of the frame that is shown, in each pane's header.
const counts = () => {
  const f = ui.shown;
  for (const p of panes) {
    const s = p.series, under = hidden(p, f), measured = p.error ? "" : s.tp ? `<span title="${L.esc(T("tp.how"))}">${s.tp[f]} ${L.esc(T("tp"))}</span> · <span class="fp" title="${L.esc(T("fp.how"))}">${s.fp[f]} ${L.esc(T("fp"))}</span> · <span class="fn" title="${L.esc(T("fn.how"))}">${s.fn[f]} ${L.esc(T("fn"))}</span>` : s.count ? L.esc(T("count", { n: s.count[f] })) : "", said = measured + (under ? `${measured && " · "}<span title="${L.esc(T("score.how"))}">${L.esc(T("hidden", { n: under }))}</span>` : "");
    if (p.saying !== said) { p.saying = said; p.counter.innerHTML = said; }
  }
};
const hidden = (p, f) => { let n = 0; if (p.found && (ui.t > 0 || ui.off.size)) for (let j = p.found.off[f]; j < p.found.off[f + 1]; j++) n += rankOf(p, j, p.told) === HIDDEN; return n; };
const paintAll = () => {
  if (!v || !panes.length) return;
  for (const p of panes) paint(p);
  counts();
  root.dataset.frame = ui.shown;
  root.dataset.true = ui.sel?.true ?? (panes[0].told?.truth >= 0 ? v.truthBoxes.id[panes[0].told.truth] : "");
  root.dataset.ids = panes.map((p) => (p.found && p.told ? p.told.rows.map((j) => p.found.id[j]).join(",") : "")).join("|");
};

// ---- the shared view, and drawing at most once a frame ----
const lead = () => panes.find((p) => p.canvas) ?? panes[0];
const moved = () => { zoomed(); later("main"); };
const zoomed = () => {
  const b = q('[data-zoom="fit"]');
  if (b) b.textContent = `${Math.round(100 * ui.k)} %`;
  for (const p of panes) if (p.canvas) p.canvas.style.touchAction = ui.k > 1 ? "none" : "pan-y";
};
const later = (what) => { todo[what] = true; frame ||= requestAnimationFrame(draw); };
const draw = () => {
  const now = todo;
  frame = 0; todo = {};
  if (!v || !panes.length) return;
  if (now.main) { sharpen(); paintAll(); }
  if (now.story) { storyHead(); eventList(); }
  if (now.story || now.time) { drawTime(); drawLanes(); playhead(); }
};
