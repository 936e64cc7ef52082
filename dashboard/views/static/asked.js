// Before anything is deleted: every one of it by name, also what a search hides in the list.
const L = window.loupe, root = element.querySelector(".lp-asked");
const draw = () => {
  const rows = props.value?.rows ?? [];
  const line = (r) => `<li><b>${L.esc(r.title || r.model)}</b> <small>${L.esc([r.title ? r.model : "", r.dataset, r.date.slice(0, 16).replace("T", " ")].filter(Boolean).join(" · "))}</small></li>`;
  root.innerHTML = rows.length ? `<b>${L.esc(L.t(rows.length === 1 ? "ui.hist.ask.one" : "ui.hist.ask", { n: L.int(rows.length), name: rows[0].title || rows[0].model }))}</b> <small>${L.esc(L.t(props.value.forever ? "ui.hist.ask.forever" : "ui.hist.ask.how"))}</small><ul>${rows.map(line).join("")}</ul>` : "";
};
L.onLook(draw);
watch("value", draw);
draw();
