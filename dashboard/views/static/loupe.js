// Shared by every view: texts in the reader's language, escaping, number formats, typed arrays, and the explanation popover.
(() => {
  if (window.loupe) return;
  const L = (window.loupe = {});
  L.colors = ["#2563eb", "#d9480f", "#0f9f6e", "#9333ea"];
  L.marks = ["●", "▲", "■", "◆"];
  // The mark of the k-th run or model, of eight, as charts have it; the second four are hollow.
  L.mark = (k) => `<i style="color:${L.colors[k % 4]}">${(k % 8 < 4 ? L.marks : ["○", "△", "□", "◇"])[k % 4]}</i>`;
  L.esc = (s) => String(s ?? "").replace(/[&<>"'`]/g, (c) => `&#${c.charCodeAt(0)};`);
  const tables = () => window.gradio_config?.i18n_translations || {};
  L.lang = () => {
    const all = tables(), want = document.documentElement.lang || navigator.language || "en";
    if (all[want]) return want;
    return /^zh\b/i.test(want) && all["zh-TW"] ? "zh-TW" : "en";
  };
  // A text by key; {name} is filled from vars. An unknown key shows itself, so that it is noticed.
  L.t = (key, vars) => {
    const all = tables();
    const s = all[L.lang()]?.[key] ?? all.en?.[key] ?? key;
    return vars ? s.replace(/\{(\w+)\}/g, (whole, k) => (k in vars ? vars[k] : whole)) : s;
  };
  L.has = (key) => !!tables().en?.[key];
  L.name = (metric) => (L.has(`explain.${metric}.name`) ? L.t(`explain.${metric}.name`) : metric);
  L.short = (metric) => (L.has(`ui.short.${metric}`) ? L.t(`ui.short.${metric}`) : L.name(metric));
  L.num = (v, digits = 3) => (v === null || v === undefined || Number.isNaN(v) ? L.t("ui.na") : Number(v).toFixed(digits));
  L.int = (v) => Number(v).toLocaleString(L.lang());
  L.array = (b64, type) => {
    const raw = atob(b64), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return new { u1: Uint8Array, u2: Uint16Array, i4: Int32Array, f4: Float32Array }[type](bytes.buffer);
  };
  L.css = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  L.dark = () => document.body.classList.contains("dark");
  // Call back when the theme or the language changes.
  L.onLook = (redraw) => {
    new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    new MutationObserver(redraw).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
  };
  // A small "i" that explains a metric: what it means, its formula, its convention, when it misleads.
  L.info = (metric) =>
    L.has(`explain.${metric}.meaning`)
      ? `<button type="button" class="lp-info" data-explain="${L.esc(metric)}" aria-label="${L.esc(L.t("ui.explain", { name: L.name(metric) }))}">i</button>`
      : "";
  let pop = null;
  const close = () => { pop?.remove(); pop = null; };
  const open = (button) => {
    const m = button.dataset.explain, again = pop?.dataset.of === m;
    close();
    if (again) return;
    pop = document.createElement("div");
    pop.className = "lp-pop";
    pop.dataset.of = m;
    pop.setAttribute("role", "dialog");
    const part = (k) => `<dt>${L.esc(L.t(`ui.explain.${k}`))}</dt><dd${k === "formula" ? ' class="f"' : ""}>${L.esc(L.t(`explain.${m}.${k}`))}</dd>`;
    pop.innerHTML = `<h4>${L.esc(L.name(m))}</h4><dl>${["meaning", "formula", "convention", "misleads"].map(part).join("")}</dl>`;
    document.body.appendChild(pop);
    const r = button.getBoundingClientRect(), w = pop.offsetWidth, h = pop.offsetHeight;
    pop.style.left = `${Math.max(8, Math.min(r.left, innerWidth - w - 8))}px`;
    pop.style.top = `${r.bottom + h + 10 < innerHeight ? r.bottom + 6 : Math.max(8, r.top - h - 6)}px`;
  };
  document.addEventListener("click", (e) => {
    const b = e.target.closest?.("[data-explain]");
    if (b) { e.preventDefault(); e.stopPropagation(); open(b); }
    else if (pop && !e.target.closest?.(".lp-pop")) close();
  }, true);
  document.addEventListener("keydown", (e) => { if (e.key === "Escape" && pop) { e.stopImmediatePropagation(); close(); } }, true);
  addEventListener("scroll", (e) => { if (pop && !pop.contains(e.target)) close(); }, true);
})();
