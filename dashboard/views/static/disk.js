// What takes how much: a line a part with its bar, or a line a thing that would go, and the sum.
const L = window.loupe, root = element.querySelector(".lp-disk");
const size = (b) => { for (const u of ["B", "KB", "MB", "GB"]) { if (b < 1000 || u === "GB") return `${b >= 100 || u === "B" ? Math.round(b) : b.toFixed(1)} ${u}`; b /= 1000; } };
const draw = () => {
  const v = props.value;
  if (!v || !v.rows) { root.innerHTML = ""; return; }
  const most = Math.max(1, ...v.rows.map((r) => r.bytes)), going = v.going !== undefined;
  const sum = `<tr class="sum"><th scope="row">${L.esc(going ? L.t(v.going ? "ui.hist.going" : "ui.hist.going.none", { n: L.int(v.going) }) : L.t("ui.hist.use.all"))}${going ? "" : L.info("disk_use")}</th><td></td><td>${size(v.total)}</td></tr>`;
  const rows = v.rows.map((r) => `<tr><th scope="row" title="${L.esc(r.text ?? "")}">${r.key ? L.esc(L.t(r.key)) : `${L.esc(r.text)} <small>${L.esc(L.t(r.what))}</small>`}<s style="width:${(100 * r.bytes) / most}%"></s></th><td>${r.count === undefined ? "" : L.int(r.count)}</td><td>${size(r.bytes)}</td></tr>`).join("");
  root.innerHTML = `<div class="scroll"><table><tbody>${going ? sum + rows : rows + sum}</tbody></table></div>${going && v.rows.length < v.going ? `<small>${L.esc(L.t("ui.hist.going.more", { n: L.int(v.going - v.rows.length) }))}</small>` : ""}`;
};
L.onLook(draw);
watch("value", draw);
draw();
