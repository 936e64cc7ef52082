// A report's own script: draws the charts, sorts tables, shows explanations. It asks nothing of any network.
(() => {
  const $ = (s, of = document) => [...of.querySelectorAll(s)], root = document.documentElement;
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const charts = JSON.parse(document.getElementById("loupe-charts").textContent);

  // Plotly is packed into the page. A browser that cannot unpack by itself does it by hand (RFC 1951).
  const inflate = (bytes) => {
    const out = [], order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let at = 10, hold = 0, have = 0, size = 0, chunk = new Uint8Array(1 << 20), used = 0;
    const flags = bytes[3]; // of gzip's header: a name or a comment may follow
    if (flags & 4) at += 2 + bytes[at] + 256 * bytes[at + 1];
    for (const flag of [8, 16]) if (flags & flag) { while (bytes[at]) at++; at++; }
    if (flags & 2) at += 2;
    const bits = (n) => { while (have < n) { hold |= bytes[at++] << have; have += 8; } const v = hold & ((1 << n) - 1); hold >>>= n; have -= n; return v; };
    let window = new Uint8Array(32768), w = 0;
    const put = (b) => { if (used === chunk.length) { out.push(chunk); chunk = new Uint8Array(1 << 20); used = 0; } chunk[used++] = b; window[w] = b; w = (w + 1) & 32767; size++; };
    const tree = (lengths) => {
      const counts = new Uint16Array(16), offsets = new Uint16Array(16), symbols = [];
      for (const l of lengths) counts[l]++;
      counts[0] = 0;
      for (let i = 1; i < 16; i++) offsets[i] = offsets[i - 1] + counts[i - 1];
      lengths.forEach((l, s) => { if (l) symbols[offsets[l]++] = s; });
      return { counts, symbols };
    };
    const symbol = (t) => {
      let code = 0, first = 0, index = 0;
      for (let n = 1; n < 16; n++) { code |= bits(1); const count = t.counts[n]; if (code - count < first) return t.symbols[index + code - first]; index += count; first = (first + count) << 1; code <<= 1; }
      throw new Error("damaged");
    };
    const base = (extra, from, step) => { const b = []; let v = from; for (let i = 0; i < extra.length; i++) { b.push(v); v += 1 << extra[i]; } return b; };
    const lx = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0], lb = base(lx, 3); lb[28] = 258;
    const dx = Array.from({ length: 30 }, (_, i) => (i < 2 ? 0 : (i >> 1) - 1)), db = base(dx, 1);
    for (let last = 0; !last; ) {
      last = bits(1);
      const kind = bits(2);
      if (kind === 0) { hold = have = 0; let n = bytes[at] | (bytes[at + 1] << 8); at += 4; while (n--) put(bytes[at++]); continue; }
      let a, b;
      if (kind === 1) { a = tree(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8))); b = tree(Array(30).fill(5)); }
      else {
        const nl = bits(5) + 257, nd = bits(5) + 1, nc = bits(4) + 4, lengths = Array(19).fill(0);
        for (let i = 0; i < nc; i++) lengths[order[i]] = bits(3);
        const t = tree(lengths), all = [];
        while (all.length < nl + nd) {
          const s = symbol(t);
          if (s < 16) all.push(s);
          else { const v = s === 16 ? all[all.length - 1] : 0; let n = s === 16 ? 3 + bits(2) : s === 17 ? 3 + bits(3) : 11 + bits(7); while (n--) all.push(v); }
        }
        a = tree(all.slice(0, nl)); b = tree(all.slice(nl));
      }
      for (let s; (s = symbol(a)) !== 256; ) {
        if (s < 256) { put(s); continue; }
        const n = lb[s - 257] + bits(lx[s - 257]), d = symbol(b), far = db[d] + bits(dx[d]);
        for (let i = 0; i < n; i++) put(window[(w - far) & 32767]);
      }
    }
    const whole = new Uint8Array(size); let place = 0;
    for (const c of out) { whole.set(c, place); place += c.length; }
    whole.set(chunk.subarray(0, used), place);
    return new TextDecoder().decode(whole);
  };
  const unpack = async () => {
    const raw = atob(document.getElementById("loupe-plotly").textContent.trim()), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    if (!window.DecompressionStream) return inflate(bytes);
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };

  const narrow = () => innerWidth < 640;
  const themed = (l) => {
    const fg = css("--fg"), grid = css("--line"), out = { ...l, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true };
    out.font = { ...l.font, color: fg, family: getComputedStyle(document.body).fontFamily, size: narrow() ? 11 : 12 };
    out.hoverlabel = { bgcolor: css("--card"), bordercolor: grid, font: { color: fg } };
    for (const k of Object.keys(l)) if (/^[xy]axis/.test(k)) out[k] = { gridcolor: grid, zerolinecolor: grid, linecolor: grid, ...l[k] };
    const n = out.xaxis?.tickvals?.length; // names that have no room beside each other: every second or third
    if (n > 14 && narrow()) { const k = Math.ceil(n / 14), some = (a) => a.filter((_, i) => i % k === 0); out.xaxis = { ...out.xaxis, tickvals: some(l.xaxis.tickvals), ticktext: some(l.xaxis.ticktext) }; }
    return out;
  };
  const traced = (t) => (t.colorscale === "loupe" ? { ...t, colorscale: [[0, css("--card")], [1, "#2563eb"]] } : t);
  const config = { responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "", modeBarButtonsToRemove: ["select2d", "lasso2d", "sendChartToCloud"] };
  const paint = (el, width) => {
    const f = charts[+el.dataset.chart];
    return Plotly.react(el, f.data.map(traced), { ...themed(f.layout), ...(width ? { width } : {}) }, config);
  };
  const plots = $(".plot");
  const draw = async () => {
    if (!plots.length) return;
    const code = document.createElement("script");
    code.textContent = await unpack();
    document.head.append(code);
    if (!window.Plotly) throw new Error("blocked");
    for (const el of plots) { el.replaceChildren(); await paint(el); el.dataset.drawn = "1"; await new Promise((r) => setTimeout(r)); }
    root.dataset.charts = "drawn";
  };
  draw().catch((e) => { root.dataset.charts = String(e); });

  // Light or dark: the reader's own, until he says otherwise.
  const again = () => window.Plotly && plots.forEach((el) => el.dataset.drawn && paint(el));
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  document.getElementById("theme").addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; again(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);

  // On paper everything is light and open.
  let before = null;
  addEventListener("beforeprint", () => {
    if (before) return;
    before = { theme: root.dataset.theme, closed: $("details:not([open])") };
    root.dataset.theme = "light";
    before.closed.forEach((d) => (d.open = true));
    if (window.Plotly) plots.forEach((el) => el.dataset.drawn && paint(el, 330));
  });
  addEventListener("afterprint", () => {
    if (!before) return;
    if (before.theme) root.dataset.theme = before.theme; else delete root.dataset.theme;
    before.closed.forEach((d) => (d.open = false));
    before = null;
    again();
  });

  // A heading sorts its table: numbers the largest first, names by letter; what is undefined stays last.
  const key = (row, k) => { const c = row.cells[k], v = c.dataset.v; return v === undefined ? c.textContent.trim() : v === "" ? null : +v; };
  const sort = (th) => {
    const table = th.closest("table"), k = th.cellIndex, body = table.tBodies[0], rows = [...body.rows];
    const text = rows.length && typeof key(rows[0], k) === "string", was = th.getAttribute("aria-sort");
    const way = was === null ? (text ? 1 : -1) : was === "ascending" ? -1 : 1;
    rows.forEach((r, i) => (r.at ??= i));
    rows.sort((p, q) => { const a = key(p, k), b = key(q, k); if (a === b) return p.at - q.at; if (a === null) return 1; if (b === null) return -1; return way * (text ? a.localeCompare(b, undefined, { numeric: true }) : a - b); });
    $("th[aria-sort]", table).forEach((h) => h.removeAttribute("aria-sort"));
    th.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
    body.append(...rows);
  };
  $("table.sorts thead th").forEach((th) => { th.tabIndex = 0; });
  addEventListener("keydown", (e) => {
    if (e.key === "Escape") close();
    const th = (e.key === "Enter" || e.key === " ") && !e.target.closest(".i") ? e.target.closest("table.sorts thead th") : null;
    if (th) { e.preventDefault(); sort(th); }
  });

  // What a number means is shown beside it; all of it stands at the end, too.
  let pop = null;
  const close = () => { pop?.remove(); pop = null; };
  addEventListener("click", (e) => {
    const a = e.target.closest("a.i"), th = e.target.closest("table.sorts thead th");
    if (a) {
      const of = document.getElementById(decodeURIComponent(a.hash.slice(1)));
      if (!of) return;
      e.preventDefault();
      const again = pop?.of === a;
      close();
      if (again) return;
      pop = document.createElement("div");
      pop.of = a; pop.from = scrollY; pop.className = "pop"; pop.setAttribute("role", "dialog");
      const h = document.createElement("h4");
      h.textContent = of.querySelector("summary").textContent;
      pop.append(h, of.querySelector("dl").cloneNode(true));
      document.body.append(pop);
      const r = a.getBoundingClientRect();
      pop.style.left = `${Math.max(8, Math.min(r.left, innerWidth - pop.offsetWidth - 8))}px`;
      pop.style.top = `${r.bottom + pop.offsetHeight + 10 < innerHeight ? r.bottom + 6 : Math.max(8, r.top - pop.offsetHeight - 6)}px`;
      return;
    }
    if (!e.target.closest(".pop")) close();
    if (th) sort(th);
  });
  addEventListener("scroll", () => { if (pop && Math.abs(scrollY - pop.from) > 40) close(); }, { passive: true });
})();
